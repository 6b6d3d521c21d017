// Asks the server every two seconds while somebody looks, and puts what it says into its places.

const EVERY = 2000;
const HEALTH_EVERY = 5000;
const HOUR = 60 * MINUTE;
const LATELY = MINUTE;

// The page may stand below any prefix, with or without a slash at its end.
const base = location.pathname.replace(/\/?$/, "/");
const find = (id) => document.getElementById(id);
const state = { stats: null, health: null, histories: new Map(), chosen: null, answeredAt: null, healthAt: 0, seen: 0, lost: null };

async function ask(route, accepts = (status) => status === 200) {
  const answer = await fetch(base + route, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (!accepts(answer.status)) throw new Error(`${route} answered ${answer.status}`);
  return answer.json();
}

function remember({ caches }) {
  const there = new Map();
  for (const { cache, points, now } of caches) {
    const before = state.histories.get(cache)?.points ?? [];
    const all = [...before, ...points].filter((point) => point.at_unix_ms > now.at_unix_ms - HOUR);
    there.set(cache, { points: all, now });
  }
  state.histories = there;
  const newest = Math.max(0, ...caches.flatMap(({ points }) => points.map((point) => point.at_unix_ms)));
  state.seen = Math.max(state.seen, newest);
  // The server's clock was set back: what is remembered would never be brought up to date.
  if (caches.some(({ now }) => now.at_unix_ms < state.seen)) {
    state.seen = 0;
    state.histories.clear();
  }
}

// What stands in front of the server may answer in its place, also in JSON.
function isWhole(stats, history, health) {
  const lists = [stats?.caches, stats?.alerts, stats?.recommendations, stats?.sections, stats?.hot_keys, stats?.big_keys];
  return [...lists, history?.caches, health?.reasons].every(Array.isArray) && Boolean(stats.thresholds && health.caches);
}

async function look() {
  const wantsHealth = Date.now() - state.healthAt >= HEALTH_EVERY;
  try {
    const [stats, history, health] = await Promise.all([
      ask("stats"),
      ask(`history?after=${state.seen}`),
      wantsHealth ? ask("health", (status) => status === 200 || status === 503) : state.health,
    ]);
    if (!isWhole(stats, history, health)) throw new Error("the answer is not the monitor's");
    if (wantsHealth) state.healthAt = Date.now();
    Object.assign(state, { stats, health, answeredAt: Date.now(), lost: null });
    remember(history);
  } catch {
    state.lost ??= Date.now();
  }
  show();
}

// Replaces what is in a place, but only if it changed: a selection, and what a screen reader is reading, stay.
const shown = new Map();
function put(place, data, render) {
  const now = JSON.stringify(data);
  if (shown.get(place) === now) return;
  shown.set(place, now);
  place.replaceChildren(...[render(data)].flat());
}

function card(id, data, hidden = false) {
  find(id).hidden = hidden;
  if (!hidden) put(find(id).querySelector("div"), data, cards[id]);
}

const charts = {
  ratio: new Chart(find("ratio"), {
    name: "Hit ratio", scale: "share", show: format.share,
    mark: () => state.stats?.thresholds.hit_ratio_warning,
    series: [{ name: "of reads found a value", of: ratioOf, style: "one", fill: true }],
  }),
  latency: new Chart(find("latency"), {
    name: "How long reads take", scale: "log", show: format.seconds,
    mark: () => state.stats?.thresholds.operation_slow,
    series: [
      // A hit in memory is measured once in a while: that none was says nothing of a step with hits.
      { name: "memory p50", of: (point) => point.in_memory?.p50 ?? (point.tier1_hits ? undefined : null), style: "one" },
      { name: "store p50", of: (point) => point.store?.p50 ?? null, style: "two" },
      { name: "past memory p99", of: (point) => point.past_memory?.p99 ?? null, style: "four" },
    ],
  }),
  rate: new Chart(find("rate"), {
    name: "Reads a second", scale: "linear", show: format.rate, stacked: true,
    series: [["tier 1", "tier1_hits", "one"], ["tier 2", "tier2_hits", "two"], ["stale", "stale_hits", "three"], ["miss", "misses", "none"]]
      .map(([name, of, style]) => ({ name, of: (point) => point[of] / point.seconds, style })),
  }),
  memory: new Chart(find("memory"), {
    name: "Memory of tier 1", scale: "linear", show: format.bytes, least: 1000,
    mark: () => state.stats?.thresholds.memory_warning,
    series: [{ name: "bytes, estimated", of: (point) => point.bytes, style: "one", fill: true }],
  }),
};

function show() {
  const { stats, health, lost } = state;
  find("fresh").textContent = lost ? `no answer for ${Math.round((Date.now() - (state.answeredAt ?? lost)) / 1000)} s` : "";
  document.body.classList.toggle("lost", Boolean(lost));
  if (!stats) return put(find("status"), ["unknown", lost ? "no answer" : "waiting"], status);
  document.body.classList.remove("waiting");
  const there = stats.caches.filter((cache) => cache.is_there);
  const caches = there.length ? there : stats.caches;
  put(find("status"), lost ? ["unknown", "no answer"] : [health.status, health.status], status);
  put(find("notices"), { alerts: stats.alerts, reasons: health.reasons }, cards.notices);
  find("notices").hidden = !find("notices").childElementCount;
  card("advice", stats.recommendations);
  const isSaving = ({ kind, content }) => kind === "ai" && content?.total && Array.isArray(content.operations);
  const [saved, more] = [stats.sections.filter(isSaving), stats.sections.filter((section) => !isSaving(section))];
  card("saved", saved, !saved.length);
  card("more", more, !more.length);

  const cache = caches.find(({ cache }) => cache === state.chosen) ?? caches[0];
  find("tiles").hidden = find("charts").hidden = !cache;
  if (!cache) {
    document.title = "Cache";
    return put(find("caches"), null, () => empty("No cache reports to this monitor yet."));
  }
  put(find("caches"), { names: caches.map(({ cache }) => cache), chosen: cache.cache }, choice);
  const { points, now } = state.histories.get(cache.cache) ?? { points: [], now: null };
  // A step that has only begun says too little.
  const drawn = now && now.seconds >= 2 ? [...points, now] : points;
  Object.values(charts).forEach((chart) => chart.set(drawn));
  const lately = recent(points, now);
  lately.poor = lately.ratio !== null && lately.ratio < stats.thresholds.hit_ratio_warning;
  put(find("tiles"), { cache: { stats: cache.stats }, lately }, cards.tiles);
  card("tiers", { stats: cache.stats });
  card("misses", { misses: cache.misses });
  card("bounds", cache.stats);
  card("store", { stats: cache.stats, health: health.caches[cache.cache], links: cache.links });
  card("hot", stats.hot_keys.filter((key) => key.cache === cache.cache));
  card("big", stats.big_keys.filter((key) => key.cache === cache.cache));
  card("times", { reads: cache.reads, store: cache.store, loads: cache.loads, writes: cache.writes, work: cache.work });
  document.title = `${stats.alerts.length ? "▲ " : ""}${format.share(lately.ratio)} · ${cache.cache} · cache`;
}

// The last minute: the steps in it and the one under way.
function recent(points, now) {
  const last = [...points, now].filter((point) => point && point.at_unix_ms > now.at_unix_ms - LATELY && point.seconds > 0);
  const total = (of) => sum(last.map(of));
  const [reads, seconds] = [total(readsOf), total((point) => point.seconds)];
  // A hit in memory is measured once in a while, so the last one counts, however old.
  const all = [...points, now];
  return {
    ratio: reads ? total(hitsOf) / reads : null,
    rate: seconds ? reads / seconds : null,
    memory: all.findLast((point) => point?.in_memory)?.in_memory.p50 ?? null,
    past: last.findLast((point) => point.past_memory)?.past_memory ?? null,
  };
}

function status([kind, word]) {
  find("status").className = kind;
  return [make("span", { class: "dot" }), make("span", { class: "word" }, word)];
}

function choice({ names, chosen }) {
  return names.map((name) => {
    const button = make("button", { type: "button", "aria-pressed": String(name === chosen) }, name);
    button.addEventListener("click", () => {
      state.chosen = name;
      show();
      find("caches").querySelector("[aria-pressed=true]")?.focus();
    });
    return button;
  });
}

document.querySelectorAll("[data-route]").forEach((link) => link.setAttribute("href", base + link.dataset.route));

let timer = null;
async function again() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    await look();
  } finally {
    clearTimeout(timer);
    timer = setTimeout(again, EVERY);
  }
}
document.addEventListener("visibilitychange", again);
again();
