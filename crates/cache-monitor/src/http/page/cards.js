// What stands in the cards: each is a function from what the server said to elements.

const sum = (values) => values.reduce((all, value) => all + value, 0);
const hitsOf = (of) => of.tier1_hits + of.tier2_hits + of.stale_hits;
const readsOf = (of) => hitsOf(of) + of.misses;
const ratioOf = (of) => (readsOf(of) ? hitsOf(of) / readsOf(of) : null);

const COHERENCE = {
  private: ["this process's own", "good"],
  feed: ["the store tells of every change", "good"],
  pub_sub: ["writers publish their changes", "good"],
  ttl_only: ["nothing is told: copies live briefly", "poor"],
  disconnected: ["out of step: the link shows no life", "bad"],
  unsynced: ["this process has what the store could not take", "poor"],
};
const LINK = { up: "good", read_only: "poor", connecting: "poor", down: "bad" };
const BREAKER = {
  closed: ["closed: the store is asked", "good"],
  half_open: ["half open: the store is tried out", "poor"],
  open: ["open: the store is left alone", "bad"],
};
// What an alert is called, what it says, and whether it is better already: it ends some way past its threshold.
const ALERT = {
  memory: ["Memory", (alert) => `tier 1 holds ${format.bytes(alert.value)}; ${format.bytes(alert.threshold)} are worth an alert`, (alert) => alert.value < alert.threshold],
  hit_ratio: ["Hit ratio", (alert) => `${format.share(alert.value)} of the reads find a value; ${format.share(alert.threshold)} are wanted`, (alert) => alert.value >= alert.threshold],
  slow_operations: ["Slow operations", (alert) => `${format.share(alert.value)} take longer than they may; ${format.share(alert.threshold)} are worth an alert`, (alert) => alert.value < alert.threshold],
  store: ["Store", () => "it kept failing and is left alone for now", () => false],
};

const cards = {
  notices({ alerts, reasons }) {
    const raised = alerts.map((alert) => {
      const [name, says, isBetter] = ALERT[alert.kind] ?? [format.word(alert.kind), () => `${alert.value}, from ${alert.threshold} on`, () => false];
      return make("p", { class: `notice ${alert.severity}` }, make("b", {}, name), " ",
        make("span", { class: "of" }, alert.cache), ` ${says(alert)}${isBetter(alert) ? ". It is better, and not by enough yet" : ""}`,
        make("span", { class: "when" }, `since ${format.clock(alert.raised_unix_ms)}`));
    });
    // Critical alerts make health worse and are among its reasons, too.
    const others = reasons.filter((reason) => !alerts.some(({ cache, kind }) => reason.startsWith(`${cache}: ${kind} is critical`)));
    const health = make("div", { class: "notice warning" }, make("b", {}, "Health"), make("ul", {}, others.map((reason) => make("li", {}, reason))));
    return others.length ? [...raised, health] : raised;
  },

  tiles({ cache, lately }) {
    const usage = cache.stats.memory_usage;
    const tile = (name, value, below, state) => make("div", { class: state ? `tile ${state}` : "tile" },
      make("h2", {}, name), make("p", { class: "value" }, value), make("p", { class: "below" }, below));
    return [
      tile("Hit ratio", format.share(lately.ratio), `${format.share(ratioOf(cache.stats.reads))} since the start`, lately.poor ? "poor" : ""),
      tile("Reads", format.rate(lately.rate), `${format.count(readsOf(cache.stats.reads))} since the start`),
      tile("A hit in memory takes", format.seconds(lately.memory), lately.past
        ? `past it ${format.seconds(lately.past.p50)}, p99 ${format.seconds(lately.past.p99)}` : "nothing went past it lately"),
      tile("Tier 1", format.bytes(usage.bytes), usage.max_bytes
        ? `${format.share(usage.utilization)} of ${format.bytes(usage.max_bytes)}` : "there is none"),
    ];
  },

  tiers({ stats }) {
    const { reads } = stats;
    const all = readsOf(reads);
    if (!all) return empty("Nobody has read yet.");
    const row = (name, count, series) => ({ name, share: count / all, series, says: `${format.share(count / all)} · ${format.count(count)}` });
    return bars([
      row("Tier 1: this process's memory", reads.tier1_hits, "one"),
      row(`Tier 2: ${stats.store ?? "no store"}`, reads.tier2_hits, "two"),
      row("Stale, on purpose", reads.stale_hits, "three"),
      row("Nobody: a miss", reads.misses, "none"),
    ]);
  },

  misses({ misses }) {
    const rows = Object.entries(misses).sort((a, b) => b[1] - a[1]);
    const all = sum(rows.map(([, count]) => count));
    if (!all) return empty("Every read found a value so far.");
    return bars(rows.map(([reason, count]) => ({ name: format.word(reason), share: count / all, series: "none", says: `${format.share(count / all)} · ${format.count(count)}` })));
  },

  bounds({ memory_usage: usage }) {
    if (!usage.max_entries) return empty("This cache has no tier 1.");
    return [
      bars([
        { name: "Bytes, estimated", share: usage.utilization, series: "one", says: `${format.bytes(usage.bytes)} of ${format.bytes(usage.max_bytes)}` },
        { name: "Entries", share: usage.entries / usage.max_entries, series: "one", says: `${format.count(usage.entries)} of ${format.count(usage.max_entries)}` },
      ]),
      facts([["Made room for others", format.count(usage.evicted)], ["Their time was over", format.count(usage.expired)]]),
    ];
  },

  store({ stats, health, links }) {
    const isCutOff = stats.store && stats.link !== "up" && stats.link !== "read_only";
    const [coherence, inStep] = isCutOff ? ["not told of changes: there is no link", "bad"] : COHERENCE[health?.coherence] ?? ["not known yet", ""];
    const rows = [["In step with others", coherence, inStep]];
    if (!stats.store) return [facts(rows), empty("There is no store: the cache is this process's own.")];
    const [breaker, works] = BREAKER[stats.breaker.state] ?? [format.word(stats.breaker.state), ""];
    return facts([
      ["Store", stats.store],
      ["Link", format.word(stats.link ?? "none"), LINK[stats.link]],
      ["Breaker", breaker, works],
      ...rows,
      ["Waiting to be told", format.count(stats.queue.waiting), stats.queue.waiting ? "poor" : ""],
      ["Calls that failed", format.count(stats.store_errors), ""],
      ["Times it was given up", format.count(stats.breaker.opened)],
      ["Times a link came up", format.count(links)],
    ]);
  },

  hot: (keys) => keys.length
    ? table(["Key", "Asked for"], keys.map((key) => [key.key, key.at_least === key.at_most ? format.count(key.at_most) : `${format.count(key.at_least)}–${format.count(key.at_most)}`]))
    : empty("No key was asked for more than once."),

  big: (keys) => keys.length
    ? table(["Key", "Value"], keys.map((key) => [key.key, format.bytes(key.bytes)]))
    : empty("Nothing was written yet."),

  advice: (found) => found.length
    ? make("ul", { class: "advice" }, found.map((one) => make("li", {},
      make("code", {}, one.setting), make("p", {}, one.advice), make("p", { class: "below" }, `because ${one.reason}`))))
    : empty("Nothing stands out. There is more to go by after some hundred reads."),

  times({ reads, store, loads, writes, work }) {
    const of = (kind, timings) => timings.map((timing) => ({ kind, ...timing }));
    const all = [...of("read", reads), ...of("store", store), ...of("load", loads), ...of("write", writes), ...of("work", work)];
    if (!all.length) return empty("Nothing was done yet.");
    return table(["What", "Times", "Half", "99 of 100", "Longest"], all.map(({ kind, operation, tier, result, count, latency }) => [
      [kind === operation ? kind : `${kind}: ${format.word(operation)}`, tier, format.word(result)].filter(Boolean).join(" · "),
      format.count(count), format.seconds(latency.p50), format.seconds(latency.p99), format.seconds(latency.max),
    ]));
  },

  saved: (sections) => sections.map(({ name, content: { currency, total, operations } }) => make("div", { class: "saving" },
    sections.length > 1 ? make("h3", {}, name) : null,
    make("div", { class: "sums" },
      sumOf(format.money(total.money_saved, currency), `not spent, beside ${format.money(total.money_spent, currency)} spent`),
      sumOf(format.count(total.calls_saved), `calls spared, beside ${format.count(total.calls_made)} made`),
      sumOf(format.count(total.input_tokens_saved + total.output_tokens_saved), "tokens spared"),
      sumOf(format.seconds(total.milliseconds_saved / 1000), "not waited")),
    operations.length ? table(["Operation", "Model", "Spared", "Made", "Not spent"], operations.map((line) => [
      line.operation, line.model ?? "–", format.count(line.calls_saved), format.count(line.calls_made), format.money(line.money_saved, currency),
    ]), [0, 1]) : empty("No model was asked yet."))),

  more: (sections) => sections.map(({ kind, name, content }) => make("div", {},
    make("h3", {}, `${format.word(kind)} · ${name}`),
    facts(Object.entries(typeof content === "object" && content ? content : { "": content }).slice(0, 50).map(([key, value]) =>
      [format.word(key), typeof value === "object" ? JSON.stringify(value).slice(0, 200) : String(value).slice(0, 200)])))),
};

const sumOf = (value, below) => make("div", {}, make("p", { class: "value" }, value), make("p", { class: "below" }, below));
