// The learned map: the document from beginning to end, and each section in words.

import { call } from "./api.js";
import { byId, count, el, svg } from "./dom.js";

const CLASS = { learned: "learned", "partly learned": "partly", partly: "partly", "not learned": "not" };
const SIGN = { learned: "●", partly: "◐", not: "○", none: "–" };
const kind = (state) => CLASS[state] ?? "none";

export async function showLearned(name) {
  const place = byId("map");
  place.setAttribute("aria-busy", "true");
  try {
    draw(place, await call(`/page/map?document=${encodeURIComponent(name)}`));
  } catch (error) {
    place.replaceChildren(el("p", { class: "trouble", role: "alert" }, error.message));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function draw(place, map) {
  const totals = new Map();
  for (const { state } of map.sections) totals.set(state, (totals.get(state) ?? 0) + 1);
  const told = [...totals].map(([state, number]) => `${number} ${state}`);
  place.replaceChildren(
    el("p", { class: "soft" }, lead(map)),
    strip(map.sections, told.join(", ")),
    el("ul", { class: "legend" }, ...[...totals].map(
      ([state, number]) => el("li", {}, chip(state, `${number} ${state}`)))),
    ...map.sections.map(section));
  if (map.more) place.append(el("p", {}, `${count(map.more, "more section")} not shown.`));
}

function lead(map) {
  if (!map.version) return "Nothing was trained yet.";
  const missing = `${map.version} was not measured in full (${map.command} does it)`;
  if (!map.measured) return `${missing}.`;
  if (map.measured !== map.version) return `${missing}; this is of ${map.measured}.`;
  return map.exact ? `Of ${map.version}, measured on the text of today.`
    : `Of ${map.version}, measured before the last change of the text.`;
}

const chip = (state, text) => el("span", { class: `chip ${kind(state)}` },
  el("span", { "aria-hidden": "true" }, `${SIGN[kind(state)]} `), text);

function strip(sections, told) {
  const lengths = sections.map((one) => Math.max(one.length, 40));
  const total = lengths.reduce((sum, one) => sum + one, 0) || 1;
  let x = 0;
  const blocks = sections.map((one, index) => {
    const width = 1000 * lengths[index] / total;
    const block = svg("rect", { x, y: 0, width: Math.max(width - 2, 1), height: 30, class: `k ${kind(one.state)}` },
      svg("title", {}, `line ${one.line}, ${one.state}: ${one.opening.slice(0, 80)}`));
    x += width;
    return block;
  });
  return svg("svg", {
    viewBox: "0 0 1000 30", preserveAspectRatio: "none", class: "strip", role: "img",
    "aria-label": `The document from beginning to end: ${told}`,
  }, ...blocks);
}

function section(one) {
  const share = one.known === null ? "" : ` · ${Math.round(100 * one.known)} %`;
  const head = el("summary", {}, chip(one.state, one.state + share),
    el("span", { class: "opening", dir: "auto" }, one.opening || one.type),
    el("span", { class: "soft small" }, `line ${one.line}`));
  const body = one.pairs.length
    ? el("ul", { class: "pairs" }, ...one.pairs.map((each) => pair(each, one)))
    : el("p", { class: "text", dir: "auto" }, one.text);
  return el("details", { class: `sec ${kind(one.state)}` }, head, body,
    one.more ? el("p", { class: "soft" }, `${count(one.more, "more question")} in this section.`) : null);
}

/** One question of a section; the only one is named by the section already. */
function pair(one, section) {
  const role = one.role === "train" ? "" : ` · ${one.role}`;
  const heads = section.pairs.length === 1 && one.question === section.opening ? [] : [
    el("p", { class: "q", dir: "auto" }, one.question),
    el("p", { class: "small" }, chip(one.state, one.state), el("span", { class: "soft" }, ` line ${one.line}${role}`))];
  return el("li", {}, ...heads,
    el("p", {}, el("b", {}, "Answer: "), one.answer),
    one.said === null ? null : el("p", {}, el("b", {}, "It says: "), one.said || "nothing"));
}
