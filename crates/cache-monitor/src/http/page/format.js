// Numbers as people read them, and elements. Whatever comes from the server becomes text, never markup.

const format = {
  share: (x) => (x === null || x === undefined ? "–" : `${(100 * x).toFixed(x >= 0.9995 ? 0 : 1)} %`),
  seconds(x) {
    if (x === null || x === undefined) return "–";
    if (x === 0) return "0 s";
    const [unit, per] = x < 1e-6 ? ["ns", 1e9] : x < 1e-3 ? ["µs", 1e6] : x < 1 ? ["ms", 1e3] : ["s", 1];
    return `${digits(x * per)} ${unit}`;
  },
  bytes(x) {
    const [unit, per] = x < 1e3 ? ["B", 1] : x < 1e6 ? ["kB", 1e3] : x < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
    return `${per === 1 ? Math.round(x) : digits(x / per)} ${unit}`;
  },
  count(x) {
    if (x === null || x === undefined) return "–";
    if (x < 1e4) return x < 10 && x % 1 ? x.toFixed(1) : Math.round(x).toLocaleString("en").replaceAll(",", " ");
    const [unit, per] = x < 1e6 ? ["k", 1e3] : x < 1e9 ? ["M", 1e6] : ["G", 1e9];
    return `${digits(x / per)} ${unit}`;
  },
  rate: (x) => (x === null || x === undefined ? "–" : `${format.count(x)}/s`),
  money: (x, currency) => `${x.toFixed(x < 100 ? 2 : 0)}${currency ? ` ${currency}` : ""}`,
  clock: (ms, style = "short") => new Date(ms).toLocaleTimeString("en-GB", { timeStyle: style }),
  word: (x) => String(x).replaceAll("_", " "),
};

function digits(x) {
  return x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(x === 0 ? 0 : 2);
}

// An element with attributes and children; a child that is no element becomes text.
function make(tag, attributes = {}, ...children) {
  const drawn = ["svg", "path", "line", "text", "circle", "rect", "g"].includes(tag);
  const element = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Rows of cells under a head; all columns but the first are numbers unless they say otherwise.
function table(head, rows, words = [0]) {
  const cell = (tag, text, at) => make(tag, words.includes(at) ? {} : { class: "number" }, text);
  return make("div", { class: "scroll" }, make("table", {},
    make("thead", {}, make("tr", {}, head.map((text, at) => cell("th", text, at)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((text, at) => cell("td", text, at)))))));
}

// A bar for each row: its name, its share of the widest or of a whole, and what it says.
function bars(rows) {
  return make("ul", { class: "bars" }, rows.map(({ name, share, says, series }) => {
    const fill = make("i", { class: series ? `series ${series}` : "series" });
    fill.style.inlineSize = `${100 * Math.min(1, Math.max(0, share || 0))}%`;
    return make("li", {}, make("span", {}, name), make("b", {}, says), make("span", { class: "track", "aria-hidden": "true" }, fill));
  }));
}

// Names and values.
function facts(pairs) {
  return make("dl", {}, pairs.map(([name, value, state]) =>
    make("div", {}, make("dt", {}, name), make("dd", state ? { class: state } : {}, value))));
}

const empty = (text) => make("p", { class: "empty" }, text);
