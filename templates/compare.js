// The page of any two sessions: what their scripts hand over becomes rows. Figures and verdicts come as finished texts;
// computed is the change of two medians alone, where nobody judged them.
"use strict";
(() => {
  const known = JSON.parse(document.getElementById("known").textContent);
  const sessions = new Map(known.sessions.map((session) => [session.id, session]));
  const judged = new Set(known.judged);
  const form = document.getElementById("choice");
  const { base, head } = form.elements;
  const sheets = new Map();

  /** Called by each script with its name. */
  window.takeSheet = (name, sheet) => sheets.set(name, sheet);

  const read = (name) => new Promise((done, fail) => {
    if (sheets.has(name)) return done(sheets.get(name));
    const script = document.createElement("script");
    script.src = `data/${name}.js`;
    script.addEventListener("load", () => (sheets.has(name) ? done(sheets.get(name)) : fail(new Error(name))));
    script.addEventListener("error", () => fail(new Error(name)));
    document.head.append(script);
  });

  // --- Sheets to rows.

  /** The figures of a session by cell and metric, in their order; the first of those that are called alike. */
  const figures = (sheet) => {
    const found = new Map();
    for (const [cell, metric, value, support, number] of sheet.rows) {
      const row = { cell: sheet.cells[cell][0], metric: sheet.metrics[metric], value, support, number };
      const key = `${row.metric} ${row.cell}`;
      if (!found.has(key)) found.set(key, row);
    }
    return found;
  };

  const moved = (before, after) => {
    if (!(before?.number > 0) || !(after?.number > 0)) return "";
    const change = (100 * (after.number / before.number - 1)).toFixed(1);
    return `${change < 0 ? "" : "+"}${change} %`;
  };

  const rows = (before, after, verdicts) => {
    const [old, now] = [figures(before), figures(after)];
    const all = [];
    for (const [cell, metric, verdict, change, detects, reason] of verdicts?.rows ?? []) {
      const row = { cell: verdicts.cells[cell], metric: verdicts.metrics[metric], change, detects, reason: verdicts.reasons[reason] };
      const key = `${row.metric} ${row.cell}`;
      [row.verdict, row.tone] = verdicts.verdicts[verdict];
      all.push({ ...row, base: old.get(key), head: now.get(key) });
      old.delete(key);
      now.delete(key);
    }
    for (const key of new Set([...now.keys(), ...old.keys()])) {
      const [was, is] = [old.get(key), now.get(key)];
      const { cell, metric } = is ?? was;
      all.push({ cell, metric, base: was, head: is, change: moved(was, is), detects: "", reason: "", verdict: "not judged", tone: "" });
    }
    return all;
  };

  /** Rows by model, in the order in which the head has them. */
  const byModel = (before, after, all) => {
    const models = new Map();
    const owners = new Map();
    for (const sheet of [after, before]) {
      for (const model of sheet.models) if (!models.has(model.id)) models.set(model.id, { ...model, rows: [] });
      for (const [name, , model] of sheet.cells) owners.set(name, models.get(sheet.models[model].id));
    }
    for (const row of all) owners.get(row.cell)?.rows.push(row);
    return [...models.values()].filter((model) => model.rows.length);
  };

  // --- Rows to elements: foreign text becomes text nodes alone.

  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const sub = (text) => (text ? [element("span", { class: "sub" }, text)] : []);
  const figure = (of) => (of ? element("td", {}, of.value, ...sub(of.support)) : element("td", {}));

  const table = (label, shown) => {
    const row = (of) => element("tr", {},
      element("td", {}, element("span", { class: `chip ${of.tone}` }, of.verdict)),
      element("td", {}, of.cell, ...sub(of.reason)),
      element("td", {}, of.metric), figure(of.base), figure(of.head),
      element("td", {}, of.change), element("td", {}, of.detects));
    const heads = known.headers.map((text) => element("th", { scope: "col" }, text));
    return element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": label },
      element("table", { class: "rows" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...shown.map(row))));
  };

  const folded = (title, model, shown, open) => {
    if (!shown.length) return [];
    const made = element("details", { class: "notes" },
      element("summary", {}, `${title}: ${shown.length}`, element("span", { class: "hidden" }, `, ${model.name}`)),
      table(`${title}, ${model.name}`, shown));
    made.open = open;
    return [made];
  };

  const section = (model, isJudged) => {
    const open = model.rows.filter((row) => row.verdict !== "pass" && row.verdict !== "not judged");
    const passed = model.rows.filter((row) => row.verdict === "pass");
    const others = model.rows.filter((row) => row.verdict === "not judged");
    return element("section", { class: "group" },
      element("h2", {}, element("a", { href: `../model/${model.file}` }, model.name)),
      ...(open.length ? [table(`What did not pass, ${model.name}`, open)] : []),
      ...folded("Passed", model, passed, false),
      ...folded("Figures that are not judged", model, others, !isJudged));
  };

  /** Why two sessions that nobody judged must not be taken for alike. */
  const apart = (one, two) => ["machine", "suite", "profile"]
    .filter((what) => one[what] !== two[what])
    .map((what) => `other ${what}s: ${one[what]} against ${two[what]}`).join("; ");

  const page = (before, after, verdicts) => {
    const link = (what, of) => element("div", {}, element("dt", {}, what), element("dd", {},
      element("a", { href: `../run/${of.value}.html` }, of.selectedOptions[0].textContent)));
    const command = `report compare ${base.value} ${head.value}`;
    const headline = verdicts ? verdicts.headline : base.value === head.value ? "One session twice: choose another." : "Not judged: the figures stand side by side.";
    const watermark = verdicts ? verdicts.watermark : apart(sessions.get(base.value), sessions.get(head.value));
    const all = base.value === head.value ? [] : rows(before, after, verdicts);
    document.getElementById("said").textContent = headline;
    document.getElementById("compared").replaceChildren(
      element("p", { class: `card verdict ${verdicts?.tone ?? ""}` }, element("b", {}, headline)),
      element("dl", { class: "facts" }, link("Base", base), link("Head", head)),
      ...(watermark ? [element("p", { class: "card" }, element("b", {}, "Not comparable: "), watermark)] : []),
      element("p", { class: "hint" }, element("code", {}, command), verdicts ? " prints the same." : " judges them."),
      ...byModel(before, after, all).map((model) => section(model, Boolean(verdicts))));
  };

  // --- What is chosen, and the address that holds it.

  let asked = 0;
  const show = async () => {
    const turn = ++asked;
    const pair = `${base.value}_${head.value}`;
    try {
      const found = await Promise.all([read(base.value), read(head.value), judged.has(pair) ? read(pair) : null]);
      if (turn === asked) page(...found);
    } catch (error) {
      if (turn !== asked) return;
      const lost = `The file data/${error.message}.js is not beside this page.`;
      document.getElementById("compared").replaceChildren(element("p", { class: "card" }, lost));
    }
  };
  const choose = (wanted) => {
    const has = (id) => sessions.has(id);
    const first = [...sessions.keys()];
    head.value = [wanted.get("head"), known.head, first[0]].find(has);
    const alone = wanted.has("head") && known.head !== head.value ? undefined : known.base;
    base.value = [wanted.get("base"), alone, beside(head.value)].find(has);
    return show();
  };
  /** The session before one in the list of its machine, else the next one at all. */
  const beside = (id) => {
    const ids = [...sessions.keys()];
    const at = ids.indexOf(id);
    const other = ids.slice(at + 1).find((next) => sessions.get(next).machine === sessions.get(id).machine);
    return other ?? ids.find((next) => next !== id);
  };
  const changed = () => {
    history.replaceState(null, "", `#base=${base.value}&head=${head.value}`);
    return show();
  };

  const readAddress = () => choose(new URLSearchParams(location.hash.slice(1)));
  form.hidden = false;
  form.addEventListener("change", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("swap").addEventListener("click", () => {
    [base.value, head.value] = [head.value, base.value];
    changed();
  });
  addEventListener("hashchange", readAddress);
  readAddress();
})();
