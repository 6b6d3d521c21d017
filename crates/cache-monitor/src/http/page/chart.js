// One chart over time: lines, or areas on top of each other. What it shows can be read by pointer, by the arrow keys, and as a
// sentence.

const MINUTE = 60_000;

class Chart {
  // spec: name, series [{name, of(point), style}], scale "share" | "log" | "linear", show(value), stacked, mark(): number
  constructor(figure, spec) {
    Object.assign(this, spec, { figure, points: [], at: null });
    this.legend = make("ul", { class: "legend" });
    this.time = make("span", { class: "time" });
    figure.querySelector("figcaption").append(this.time);
    this.box = make("div", { class: "plot", tabindex: "0", role: "img" });
    figure.append(this.legend, this.box);
    this.box.addEventListener("pointermove", (event) => this.look(this.nearest(event.offsetX)));
    this.box.addEventListener("pointerleave", () => this.look(null));
    this.box.addEventListener("blur", () => this.look(null));
    this.box.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined || !this.points.length) return;
      event.preventDefault();
      const last = this.points.length - 1;
      this.look(Math.min(last, Math.max(0, (this.at ?? last) + step)));
    });
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  set(points) {
    this.points = points;
    if (this.at !== null && this.at >= points.length) this.at = null;
    this.draw();
  }

  look(at) {
    if (at === this.at) return;
    this.at = at;
    this.draw();
  }

  nearest(x) {
    const time = this.from + ((x - this.left) / (this.right - this.left)) * (this.to - this.from);
    let best = null;
    this.points.forEach((point, at) => {
      if (best === null || Math.abs(point.at_unix_ms - time) < Math.abs(this.points[best].at_unix_ms - time)) best = at;
    });
    return best;
  }

  // Values by series and point, and what they reach up to: themselves, or on top of those below.
  heights() {
    const values = this.series.map((series) => this.points.map((point) => series.of(point)));
    if (!this.stacked) return { values, tops: values };
    const tops = [];
    values.forEach((row, n) => tops.push(row.map((value, at) => (value ?? 0) + (n ? tops[n - 1][at] : 0))));
    return { values, tops };
  }

  draw() {
    const [width, height] = [this.box.clientWidth, 176];
    if (!width) return;
    const { values, tops } = this.heights();
    Object.assign(this, { left: 52, right: width - 10, top: 10, bottom: height - 22 });
    const last = this.points.at(-1);
    this.to = last ? last.at_unix_ms : Date.now();
    const first = this.points[0];
    const oldest = first ? first.at_unix_ms - 1000 * first.seconds : this.to;
    this.from = Math.min(this.to - 5 * MINUTE, oldest);
    const x = (ms) => this.left + ((ms - this.from) / (this.to - this.from)) * (this.right - this.left);
    const axis = this.axis(tops.flat().filter(isNumber));
    const y = (value) => this.bottom - axis.share(value) * (this.bottom - this.top);

    const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    for (const tick of axis.ticks) {
      svg.append(make("line", { class: "rule", x1: this.left, x2: this.right, y1: y(tick), y2: y(tick) }));
      svg.append(make("text", { x: this.left - 8, y: y(tick) + 4, "text-anchor": "end" }, this.show(tick).replace(/\.0+(?=\D|$)/, "")));
    }
    for (const tick of timeTicks(this.from, this.to, this.right - this.left)) {
      const isLast = x(tick) > this.right - 16;
      svg.append(make("text", { x: isLast ? this.right : x(tick), y: height - 5, "text-anchor": isLast ? "end" : "middle" }, format.clock(tick)));
    }
    const mark = this.mark?.();
    if (mark && axis.holds(mark)) {
      svg.append(make("line", { class: "mark", x1: this.left, x2: this.right, y1: y(mark), y2: y(mark) }));
    }
    this.series.forEach((series, n) => {
      if (this.stacked && values[n].every((value) => !value)) return;
      for (const run of runs(this.points, tops[n])) {
        const edge = run.map((at) => `${x(this.points[at].at_unix_ms).toFixed(1)},${y(tops[n][at]).toFixed(1)}`);
        if (this.stacked || series.fill) {
          const below = run.map((at) => y(this.stacked && n ? tops[n - 1][at] : axis.least)).map((v, i) => [run[i], v]).reverse();
          const base = below.map(([at, v]) => `${x(this.points[at].at_unix_ms).toFixed(1)},${v.toFixed(1)}`);
          svg.append(make("path", { class: `area ${series.style}`, d: `M${edge.join("L")}L${base.join("L")}Z` }));
        }
        svg.append(edge.length > 1
          ? make("path", { class: `edge ${series.style}`, d: `M${edge.join("L")}` })
          : make("circle", { class: `spot ${series.style}`, cx: edge[0].split(",")[0], cy: edge[0].split(",")[1], r: 2 }));
      }
    });
    const at = this.at ?? this.points.length - 1;
    if (this.at !== null) {
      const here = x(this.points[at].at_unix_ms);
      svg.append(make("line", { class: "cursor", x1: here, x2: here, y1: this.top, y2: this.bottom }));
      this.series.forEach((series, n) => {
        if (isNumber(values[n][at])) svg.append(make("circle", { class: `spot ${series.style}`, cx: here, cy: y(tops[n][at]), r: 3.5 }));
      });
    }
    this.box.replaceChildren(svg);
    const said = (row) => (row[at] === undefined && this.at === null ? row.findLast(isNumber) : row[at]) ?? null;
    const now = this.series.map((series, n) => [series, this.show(said(values[n]))]);
    this.legend.replaceChildren(...now.map(([series, says]) =>
      make("li", {}, make("i", { class: `series ${series.style}` }), make("span", {}, series.name), make("b", {}, says))));
    const when = this.points.length ? format.clock(this.points[at].at_unix_ms, "medium") : "";
    this.time.textContent = this.at === null ? "" : when;
    const minutes = Math.round((this.to - oldest) / MINUTE);
    this.box.setAttribute("aria-label", this.points.length
      ? `${this.name} over ${minutes} minutes; at ${when}: ${now.map(([series, says]) => `${series.name} ${says}`).join(", ")}`
      : `${this.name}: nothing yet`);
  }

  axis(values) {
    if (this.scale === "log") {
      const low = values.length ? Math.floor(Math.log10(Math.max(1e-9, Math.min(...values)))) : -6;
      const high = Math.max(low + 2, values.length ? Math.ceil(Math.log10(Math.max(1e-9, ...values))) : -3);
      const ticks = [];
      for (let power = low; power <= high; power += high - low > 5 ? 2 : 1) ticks.push(10 ** power);
      const share = (value) => Math.min(1, Math.max(0, (Math.log10(value) - low) / (high - low)));
      return { ticks, share, least: 10 ** low, holds: (value) => value >= 10 ** low && value <= 10 ** high };
    }
    const most = this.scale === "share" ? 1 : roundUp(Math.max(...values, this.least ?? 1));
    return { ticks: [0, most / 2, most], share: (value) => value / most, least: 0, holds: (value) => value <= most };
  }
}

const isNumber = (value) => typeof value === "number";

// Points that belong to one line. Where there is nothing (null) it is broken; what was not measured (undefined) is passed over.
function runs(points, values) {
  const found = [];
  let isBroken = true;
  points.forEach((_, at) => {
    if (values[at] === null) isBroken = true;
    if (!isNumber(values[at])) return;
    if (isBroken) found.push([]);
    found.at(-1).push(at);
    isBroken = false;
  });
  return found;
}

function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}

// Full minutes, as many as there is room for.
function timeTicks(from, to, width) {
  const step = [1, 2, 5, 10, 15, 30].find((minutes) => ((to - from) / (minutes * MINUTE)) * 70 <= width) ?? 60;
  const ticks = [];
  for (let tick = Math.ceil(from / (step * MINUTE)) * step * MINUTE; tick <= to; tick += step * MINUTE) ticks.push(tick);
  return ticks;
}
