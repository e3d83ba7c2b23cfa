// The pages' script: scheme, charts and their controls. Values come from JSON in the page, finished in the unit in which
// they are shown; nothing here judges or formats one.
"use strict";
(() => {
  const root = document.documentElement;
  const DAY = 86400000;
  const RANGES = { "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY, "1y": 365 * DAY, all: Infinity };

  // --- Scheme: that of the system until the reader chooses one.

  const kept = (write) => {
    // A page opened from a folder may have no storage.
    try {
      return write === undefined ? localStorage.getItem("scheme") : localStorage.setItem("scheme", write);
    } catch {
      return null;
    }
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.scheme ? root.dataset.scheme === "dark" : dark.matches);
  root.classList.add("js");
  if (["dark", "light"].includes(kept())) root.dataset.scheme = kept();

  const startScheme = () => {
    const button = document.getElementById("scheme");
    const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.scheme = isDark() ? "light" : "dark";
      kept(root.dataset.scheme);
      name();
      redraw();
    });
    dark.addEventListener("change", () => { name(); redraw(); });
    name();
  };

  /** The colours of the style sheet, as the browser resolves them; those of paper for a picture. */
  const palette = (paper) => {
    const probe = document.createElement("span");
    probe.className = paper ? "paper" : "";
    document.body.append(probe);
    const of = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
    const names = ["ink", "soft", "grid", "edge", "card", "good", "warn", "bad"];
    const colours = Object.fromEntries(names.map((name) => [name, of(name)]));
    colours.lines = Array.from({ length: 8 }, (_, at) => of(`v${at}`));
    probe.remove();
    return colours;
  };
  const faint = (colour, share) => colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);

  // --- State: what the address holds, so that a link shows the same.

  const state = { range: "all", log: false, shown: null, chart: null };
  let sessions = null;
  let turned = new Map();
  const charts = [];

  const readState = () => {
    const asked = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    state.range = asked.get("range") in RANGES ? asked.get("range") : "all";
    state.log = asked.get("log") === "1";
    state.shown = asked.has("lines") ? asked.get("lines").split(",") : null;
    state.chart = asked.get("chart");
  };
  const writeState = () => {
    const to = new URLSearchParams();
    if (state.range !== "all") to.set("range", state.range);
    if (state.log) to.set("log", "1");
    if (state.shown) to.set("lines", state.shown.join(","));
    if (state.chart) to.set("chart", state.chart);
    const hash = to.toString();
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  };

  // --- Values to traces.

  const json = (element) => JSON.parse(element.textContent);
  // Plotly reads a little markup in texts; ours are foreign and hold none. Characters that no SVG may hold go.
  const plain = (text) => text.toWellFormed().replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
    .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  // Thousands of points share most of their texts, and all charts their times: each is worked out once.
  const wraps = new Map();
  const wrapped = (text) => {
    if (!wraps.has(text)) wraps.set(text, plain(text).replace(/(.{60,80}?) /g, "$1<br>"));
    return wraps.get(text);
  };
  const times = [];
  const time = (at) => (times[at] ??= Date.parse(`${sessions.at[at].replace(" ", "T")}Z`));
  const withUnit = (chart, value) => `${value}${chart.data.unit ? ` ${chart.data.unit}` : ""}`;

  /** What a list says of a point; lists of details end where the points do. */
  const of = (list, line, i) => list?.[i - (line.y.length - list.length)] ?? null;

  const about = (chart, line, i) => {
    const value = withUnit(chart, line.y[i]);
    if (!line.at) return [`${line.name || "call"} ${i + 1}: ${value}`];
    const low = of(line.low, line, i);
    const lines = [
      `${sessions.at[line.at[i]]} UTC`,
      value + (low === null ? "" : ` [${low}, ${withUnit(chart, of(line.high, line, i))}]`),
    ];
    const counts = line.counts?.[of(line.count, line, i)];
    if (counts) lines.push(counts);
    if (sessions.origin) lines.push(sessions.origin[line.at[i]]);
    if (sessions.commit) lines.push(sessions.commits[sessions.commit[line.at[i]]]);
    if (sessions.environment) lines.push(sessions.environments[sessions.environment[line.at[i]]]);
    if (turned.has(line.at[i])) lines.push(`◆ conditions changed: ${turned.get(line.at[i])}`);
    return lines;
  };

  /** The positions of a line's points within the chosen time. */
  const within = (chart, line) => {
    const all = [...line.y.keys()];
    return line.at && chart.since > -Infinity ? all.filter((i) => time(line.at[i]) >= chart.since) : all;
  };

  const colourOf = (line, colours) => colours.lines[line.variant % 8];

  const FILL = {
    figures(chart, line, trace, colours) {
      const kept = within(chart, line);
      const colour = colourOf(line, colours);
      trace.x = kept.map((i) => (line.at ? sessions.at[line.at[i]] : i + 1));
      trace.y = kept.map((i) => line.y[i]);
      trace.hovertext = kept.map((i) => about(chart, line, i).map(wrapped).join("<br>"));
      trace.customdata = kept;
      trace.line.color = faint(colour, 0.7);
      trace.marker = { ...trace.marker, color: colour, size: kept.length > 400 ? 2.5 : kept.length > 120 ? 3.5 : 5 };
      trace.line.width = kept.length > 120 ? 0.8 : 1.5;
    },
    band(chart, line, trace, colours) {
      const kept = within(chart, line).filter((i) => of(line.low, line, i) !== null);
      const x = kept.map((i) => sessions.at[line.at[i]]);
      trace.x = x.concat(x.slice().reverse());
      trace.y = kept.map((i) => of(line.high, line, i)).concat(kept.map((i) => of(line.low, line, i)).reverse());
      trace.fillcolor = faint(colourOf(line, colours), 0.22);
    },
    level(chart, line, trace, colours) {
      const [from, low, high] = line.level;
      const last = line.at[line.at.length - 1];
      const ends = [Math.max(time(from), chart.since), time(last)].map((at) => new Date(at).toISOString());
      trace.x = [ends[0], ends[1], ends[1], ends[0]];
      trace.y = [high, high, low, low];
      trace.fillcolor = faint(colours.soft, 0.13);
    },
    marks(chart, line, trace, colours) {
      const kept = line.marks.filter((mark) => time(mark.at) >= chart.since);
      const tone = TONE(colours);
      const colour = kept.map((mark) => (mark.accepted ? colours.soft : tone[mark.kind] || colours.warn));
      trace.x = kept.map((mark) => sessions.at[mark.at]);
      trace.y = kept.map((mark) => mark.y);
      const shape = (mark) => (mark.size.startsWith("-") ? "triangle-down" : "triangle-up") + (mark.state === "confirmed" ? "" : "-open");
      trace.marker = { ...trace.marker, symbol: kept.map(shape), color: colour };
      trace.hovertext = kept.map((mark) => [`${sessions.at[mark.at]} UTC, ${mark.kind}`, mark.text].map(wrapped).join("<br>"));
    },
    gaps(chart, line, trace, colours) {
      const kept = line.gaps.filter(([at]) => time(at) >= chart.since);
      const near = (at) => {
        const before = line.at.findLastIndex((other) => other <= at);
        return line.y[Math.max(before, 0)] ?? 0;
      };
      trace.x = kept.map(([at]) => sessions.at[at]);
      trace.y = kept.map(([at]) => near(at));
      trace.marker = { ...trace.marker, color: colours.bad };
      trace.hovertext = kept.map(([at, reason]) => [`${sessions.at[at]} UTC`, `no figure: ${reason}`].map(wrapped).join("<br>"));
    },
  };

  const isShown = (line) => {
    const box = document.querySelectorAll('#controls input[name="line"]')[line.variant];
    return box ? box.checked : true;
  };

  const traces = (chart, colours) =>
    chart.data.plot.data.map((kind) => {
      const [role, at] = kind.meta.split(":");
      const line = chart.data.lines[Number(at)];
      const trace = { ...structuredClone(kind), visible: isShown(line) };
      FILL[role](chart, line, trace, colours);
      return trace;
    });

  const layout = (chart, colours) => {
    const to = structuredClone(chart.data.plot.layout);
    const axis = { gridcolor: colours.grid, linecolor: colours.edge, tickfont: { color: colours.soft } };
    to.paper_bgcolor = to.plot_bgcolor = "rgba(0,0,0,0)";
    to.font = { ...to.font, color: colours.ink, family: getComputedStyle(document.body).fontFamily };
    to.hoverlabel = { bgcolor: colours.card, bordercolor: colours.edge, font: { color: colours.ink, size: 12 }, align: "left" };
    to.xaxis = { ...to.xaxis, ...axis, showline: true };
    to.yaxis = { ...to.yaxis, ...axis };
    if (to.xaxis.type === "date" && sessions.at.length) to.xaxis.autorangeoptions = { include: around() };
    Object.assign(to, sessions.at.length ? changes(chart, colours) : {});
    if (to.annotations?.length) to.margin = { ...to.margin, t: 20 };
    if (state.log) to.yaxis = { ...to.yaxis, type: "log", range: undefined, autorange: true };
    // A finger scrolls the page; the buttons zoom.
    if (matchMedia("(pointer: coarse)").matches) to.dragmode = false;
    return to;
  };

  /** Half a day around a first session alone, of which the library would show the milliseconds; else nothing. */
  const around = () => {
    const [first, last] = [time(0), time(sessions.at.length - 1)];
    return last - first < DAY ? [first - DAY / 2, last + DAY / 2] : [];
  };

  /** A line through the night of each change, with its size above: those of lines that are shown. */
  const changes = (chart, colours) => {
    const marks = chart.data.lines.filter(isShown).flatMap((line) => line.marks || []);
    const kept = marks.filter((mark) => time(mark.at) >= chart.since && mark.state !== "suspect").slice(-MOST);
    const tone = (mark) => (mark.accepted ? colours.soft : TONE(colours)[mark.kind] || colours.warn);
    // Where labels would touch, that of the larger change stays; the triangles tell of all.
    const span = time(sessions.at.length - 1) - Math.max(time(0), chart.since);
    const large = (mark) => Math.abs(parseFloat(mark.size)) || Infinity;
    const labelled = [];
    for (const mark of kept.slice().sort((a, b) => large(b) - large(a))) {
      const near = labelled.some((other) => Math.abs(time(other.at) - time(mark.at)) < (NEAR / chart.plot.clientWidth) * span);
      if (!near) labelled.push(mark);
    }
    const dated = chart.data.lines.some((line) => line.at);
    const turns = (dated && sessions.turns || []).filter((turn) => time(turn.at) >= chart.since).slice(-MOST);
    const rule = (at, color, dash) => ({
      type: "line", layer: "below", x0: sessions.at[at], x1: sessions.at[at], y0: 0, y1: 1, yref: "paper",
      line: { color, width: 1, dash }, opacity: 0.6,
    });
    return {
      shapes: [...turns.map((turn) => rule(turn.at, colours.soft, "dash")), ...kept.map((mark) => rule(mark.at, tone(mark), "dot"))],
      annotations: turns.map((turn) => ({
        x: sessions.at[turn.at], y: 0, yref: "paper", yanchor: "bottom", showarrow: false, text: "◆",
        hovertext: wrapped(`${sessions.at[turn.at]} UTC, conditions changed: ${turn.text}`),
        font: { size: 9, color: colours.soft },
      })).concat(labelled.map((mark) => ({
        x: sessions.at[mark.at], y: 1, yref: "paper", yanchor: "bottom", showarrow: false,
        text: plain(mark.size) + (mark.accepted ? " ✓" : ""), font: { size: 11, color: tone(mark) },
      }))),
    };
  };
  const MOST = 12;
  const NEAR = 84;
  const TONE = (colours) => ({ regression: colours.bad, improvement: colours.good });

  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false };

  const draw = (chart) => {
    const newest = sessions && sessions.at.length ? time(sessions.at.length - 1) : 0;
    chart.since = newest - RANGES[state.range];
    const colours = palette(printing);
    return Plotly.react(chart.plot, traces(chart, colours), layout(chart, colours), CONFIG);
  };
  const redraw = () => charts.filter((chart) => chart.drawn).forEach(draw);

  /** On paper all charts are there, and light. */
  let printing = false;
  const startPrint = () => {
    const print = (now) => {
      printing = now;
      redraw();
      if (now) charts.filter((chart) => !chart.drawn).forEach(start);
    };
    addEventListener("beforeprint", () => print(true));
    addEventListener("afterprint", () => print(false));
  };

  // --- One chart's own tools and keys.

  const say = (text) => { document.getElementById("said").textContent = text; };

  /** Zooms about the middle by a factor, or moves by a share of what is shown. */
  const look = (chart, { by = 1, move = 0 }) => {
    const axis = chart.plot._fullLayout.xaxis;
    const [from, to] = axis.range.map((end) => axis.r2l(end));
    const middle = (from + to) / 2 + move * (to - from);
    const half = ((to - from) / 2) * by;
    return Plotly.relayout(chart.plot, { "xaxis.range": [axis.l2r(middle - half), axis.l2r(middle + half)] });
  };
  const whole = (chart) => draw(chart).then(() => Plotly.relayout(chart.plot, { "xaxis.autorange": true, ...(chart.data.plot.layout.yaxis.range && !state.log ? { "yaxis.range": chart.data.plot.layout.yaxis.range } : { "yaxis.autorange": true }) }));

  const save = async (chart, format) => {
    const colours = palette(true);
    const picture = layout(chart, colours);
    const name = chart.figure.querySelector(".name").textContent;
    picture.paper_bgcolor = picture.plot_bgcolor = colours.card;
    picture.title = { text: plain(`${document.querySelector("h1").textContent.trim()}: ${name}`), font: { size: 15 } };
    picture.margin = { l: 16, r: 24, t: 56, b: 24 };
    picture.showlegend = chart.data.lines.length > 1;
    const data = traces(chart, colours).map((trace) => ({ ...trace, showlegend: trace.meta.startsWith("figures"), name: plain(nameOf(chart, trace)) }));
    const size = { width: 960, height: 540, scale: format === "png" ? 2 : 1 };
    let address;
    try {
      address = await Plotly.toImage({ data, layout: picture, config: CONFIG }, { format, ...size });
    } catch {
      say(`${name} could not be saved`);
      return;
    }
    const link = document.createElement("a");
    link.href = address;
    link.download = `${location.pathname.split("/").pop().replace(/\.html$/, "")}-${chart.figure.id}.${format}`;
    link.click();
    say(`${name} saved as ${link.download}`);
  };
  const nameOf = (chart, trace) => {
    const line = chart.data.lines[Number(trace.meta.split(":")[1])];
    const label = document.querySelectorAll('#controls input[name="line"]')[line.variant];
    return [label ? label.nextElementSibling.textContent.trim() : "", line.name || ""].join(" ").trim();
  };

  const TOOLS = [
    ["+", "Zoom in", (chart) => look(chart, { by: 0.5 })],
    ["−", "Zoom out", (chart) => look(chart, { by: 2 })],
    ["←", "Earlier", (chart) => look(chart, { move: -0.25 })],
    ["→", "Later", (chart) => look(chart, { move: 0.25 })],
    ["Reset", "Reset", whole],
    ["SVG", "Save as SVG", (chart) => save(chart, "svg")],
    ["PNG", "Save as PNG", (chart) => save(chart, "png")],
  ];

  const addTools = (chart) => {
    const name = chart.figure.querySelector(".name").textContent;
    const tools = document.createElement("div");
    tools.className = "tools";
    for (const [sign, label, act] of TOOLS) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = sign;
      button.title = label;
      button.setAttribute("aria-label", `${label}: ${name}`);
      button.addEventListener("click", () => act(chart));
      tools.append(button);
    }
    chart.plot.after(tools);
  };

  /** Steps to another point, shows what is known of it and says it. */
  const step = (chart, { point = 0, line = 0, to }) => {
    const lines = chart.plot.data.map((trace, curve) => ({ trace, curve }))
      .filter(({ trace }) => trace.meta.startsWith("figures") && trace.visible === true && trace.y.length);
    if (!lines.length) return;
    const at = chart.cursor || { line: 0, point: null };
    at.line = (at.line + line + lines.length) % lines.length;
    const { trace, curve } = lines[at.line];
    const last = trace.y.length - 1;
    at.point = to === "first" ? 0 : to === "last" || at.point === null ? last : Math.min(Math.max(at.point + point, 0), last);
    chart.cursor = at;
    Plotly.Fx.hover(chart.plot, [{ curveNumber: curve, pointNumber: at.point }]);
    const values = chart.data.lines[Number(trace.meta.split(":")[1])];
    say([nameOf(chart, trace), ...about(chart, values, trace.customdata[at.point])].filter(Boolean).join(", "));
  };

  const KEYS = {
    ArrowLeft: (chart) => step(chart, { point: -1 }),
    ArrowRight: (chart) => step(chart, { point: 1 }),
    ArrowUp: (chart) => step(chart, { line: -1 }),
    ArrowDown: (chart) => step(chart, { line: 1 }),
    Home: (chart) => step(chart, { to: "first" }),
    End: (chart) => step(chart, { to: "last" }),
    "+": (chart) => look(chart, { by: 0.5 }),
    "-": (chart) => look(chart, { by: 2 }),
    0: whole,
    Escape: (chart) => Plotly.Fx.unhover(chart.plot),
  };

  const startChart = (figure) => {
    const chart = { figure, plot: figure.querySelector(".plot"), data: null, drawn: false, cursor: null };
    charts.push(chart);
    chart.plot.addEventListener("keydown", (event) => {
      const act = chart.drawn && !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key];
      if (!act) return;
      event.preventDefault();
      act(chart);
    });
    chart.plot.addEventListener("focus", () => { state.chart = figure.id; writeState(); });
    return chart;
  };

  const start = (chart) => {
    chart.data = json(chart.figure.querySelector("script.data"));
    for (const line of chart.data.lines) {
      if (line.from !== undefined) line.at = line.y.map((_, i) => line.from + i);
    }
    chart.drawn = true;
    draw(chart);
    addTools(chart);
  };

  /** Draws what has come near the window, one chart at a time, so that the first is seen early; the rest waits. */
  const watch = () => {
    const near = [];
    const next = () => {
      const chart = near.shift();
      if (!chart.drawn) start(chart);
      if (near.length) setTimeout(next);
    };
    const seen = new IntersectionObserver((entries) => {
      const plots = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
      plots.forEach((plot) => seen.unobserve(plot));
      const idle = near.length === 0;
      near.push(...charts.filter((chart) => plots.includes(chart.plot)));
      if (idle && near.length) next();
    }, { rootMargin: "200px" });
    charts.forEach((chart) => seen.observe(chart.plot));
  };

  // --- The controls of all charts.

  const startControls = () => {
    const form = document.getElementById("controls");
    if (!form) return;
    form.hidden = false;
    const boxes = () => [...form.querySelectorAll('input[name="line"]')];
    const show = () => {
      form.elements.range.value = state.range;
      form.elements.log.checked = state.log;
      boxes().forEach((box) => { box.checked = state.shown ? state.shown.includes(box.value) : box.defaultChecked; });
    };
    const changed = () => {
      state.range = form.elements.range.value;
      state.log = form.elements.log.checked;
      const asPrinted = boxes().every((box) => box.checked === box.defaultChecked);
      state.shown = asPrinted ? null : boxes().filter((box) => box.checked).map((box) => box.value);
      writeState();
      redraw();
    };
    form.addEventListener("change", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { state.chart = null; changed(); charts.filter((chart) => chart.drawn).forEach(whole); }));
    addEventListener("hashchange", () => { readState(); show(); redraw(); });
    show();
  };

  /** Loads the chart library once the page is seen: it is most of the work, and nothing but charts needs it. */
  const library = (then) => {
    const from = document.querySelector('meta[name="charts"]');
    if (!from) return;
    requestAnimationFrame(() => setTimeout(() => {
      const script = document.createElement("script");
      script.src = from.content;
      script.addEventListener("load", then);
      document.head.append(script);
    }));
  };

  document.addEventListener("DOMContentLoaded", () => {
    readState();
    startScheme();
    const listed = document.getElementById("sessions");
    if (!listed) return;
    sessions = json(listed);
    turned = new Map((sessions.turns || []).map((turn) => [turn.at, turn.text]));
    startControls();
    library(() => {
      document.querySelectorAll(".chart").forEach(startChart);
      startPrint();
      watch();
    });
    if (state.chart) document.getElementById(state.chart)?.scrollIntoView();
  });
})();
