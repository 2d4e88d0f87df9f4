// What waits to be written: read as a difference, edited, applied or discarded.

import { call } from "./api.js";
import { byId, count, el } from "./dom.js";

let changed = () => {};

/** `after` is called when something was applied or discarded. */
export function startStaged(after) {
  changed = after;
}

export async function showStaged(name) {
  const place = byId("plans");
  place.setAttribute("aria-busy", "true");
  try {
    const { plans, probes, more } = await call(`/page/staged?document=${encodeURIComponent(name)}`);
    place.replaceChildren(
      ...(plans.length ? plans.map((plan) => card(name, plan)) : [el("p", {}, "Nothing is proposed now.")]),
      ...(probes.length ? [queue(name, probes, more)] : []));
  } catch (error) {
    place.replaceChildren(el("p", { class: "trouble", role: "alert" }, error.message));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function card(name, plan) {
  const size = [
    plan.additions.length ? count(plan.additions.length, "addition") : null,
    plan.removals.length ? count(plan.removals.length, "removal") : null,
  ].filter(Boolean).join(" and ");
  const title = `${size}, ${plan.origin}`;
  const told = el("p", { class: "trouble", role: "alert", hidden: true });
  const act = (path, body, say) => attempt(told, async () => {
    const found = await call(path, { document: name, run: plan.run, ...body });
    byId("done").textContent = say(found);
    await showStaged(name);
    changed();
    byId("done").scrollIntoView({ block: "nearest" });
  });
  return el("article", { class: "card plan", "aria-label": title },
    el("h3", {}, title),
    el("p", { class: "soft small" }, `by ${plan.by}, ${new Date(plan.at).toLocaleString()}, run ${plan.run}`),
    difference(plan.diff),
    ...plan.additions.map((one) => addition(one, act)),
    ...plan.removals.filter((one) => one.reason).map((one) => reason(one)),
    told,
    el("div", { class: "buttons" },
      el("button", { type: "button", class: "main", click: () => act(
        "/page/staged/apply", { ids: plan.ids }, applied) }, "Apply"),
      el("button", { type: "button", click: () => act(
        "/page/staged/discard", {}, () => `Discarded run ${plan.run}.`) }, "Discard")));
}

function applied(found) {
  const refused = found.refused.length ? ` Not written, and still proposed: ${found.refused.join("; ")}.` : "";
  const present = found.present ? ` ${found.present} stood there already.` : "";
  return `Wrote ${count(found.made, "change")} of run ${found.run} into the document.${present}${refused}`;
}

function difference(text) {
  if (!text) return el("p", { class: "soft" }, "Nothing of it fits the document as it is now.");
  const kinds = { "+": "added", "-": "gone", "@": "hunk" };
  const lines = text.replace(/\n$/, "").split("\n").map((line) => {
    const heads = line.startsWith("+++") || line.startsWith("---");
    return el("span", { class: heads ? "head" : kinds[line[0]] ?? null }, `${line}\n`);
  });
  return el("pre", { class: "diff", tabindex: 0, role: "region", "aria-label": "Difference" }, ...lines);
}

/** The answers that were marked as wrong and are not in the document yet. */
function queue(name, probes, more) {
  const told = el("p", { class: "trouble", role: "alert", hidden: true });
  const items = probes.map((one) => el("li", {},
    el("p", { class: "q", dir: "auto" }, one.question),
    el("p", { dir: "auto" }, one.answer),
    one.reason ? el("p", { class: "trouble" }, `It cannot be written: ${one.reason}`) : null,
    el("button", { type: "button", class: "quiet", click: () => attempt(told, async () => {
      await call("/page/wrong/forget", { document: name, probe: one.id });
      byId("done").textContent = "Forgotten.";
      await showStaged(name);
      changed();
    }) }, "Forget it")));
  return el("article", { class: "card", "aria-labelledby": "queue-title" },
    el("h3", { id: "queue-title" }, `${count(probes.length + more, "right answer")} in the queue`),
    el("ul", { class: "pairs" }, ...items), told);
}

let areas = 0;

function addition(one, act) {
  const id = `text-${++areas}`;
  const area = el("textarea", { id, rows: Math.min(14, one.text.split("\n").length + 1), spellcheck: "true" });
  area.value = one.text;
  const where = one.line ? `after line ${one.line}` : "at the end";
  return el("details", { class: "addition" },
    el("summary", {}, `Edit: ${one.summary.slice(0, 80)}`, el("span", { class: "soft small" }, ` ${where}`)),
    one.reason ? reason(one) : null,
    el("label", { for: id }, "Text as it will stand in the document"), area,
    el("div", { class: "buttons" },
      el("button", { type: "button", click: () => act("/page/staged/edit", { id: one.id, text: area.value },
        () => "Changed. It is not in the document yet.") }, "Save the text"),
      el("button", { type: "button", click: () => act("/page/staged/discard", { id: one.id },
        () => "Discarded that addition.") }, "Discard this one")));
}

const reason = (one) => el("p", { class: "trouble" }, `${one.summary}: ${one.reason}`);

async function attempt(told, action) {
  told.hidden = true;
  try {
    await action();
  } catch (error) {
    told.textContent = error.message;
    told.hidden = false;
  }
}
