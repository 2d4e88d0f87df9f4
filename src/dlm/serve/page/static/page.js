// The page: which view is shown, which document is meant, and how things stand.

import { call } from "./api.js";
import { startAsking } from "./ask.js";
import { startComparing } from "./compare.js";
import { byId, choices } from "./dom.js";
import { showLearned } from "./learned.js";
import { showStaged, startStaged } from "./staged.js";

const VIEWS = ["ask", "compare", "learned", "staged"];
const LOOK = 4000; // milliseconds between two looks at how things stand
let documents = [];

const current = () => documents.find((one) => one.name === byId("document").value);
const view = () => (VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "ask");

async function look() {
  try {
    documents = (await call("/page/facts")).documents;
    byId("trouble").hidden = true;
  } catch (error) {
    byId("trouble").textContent = error.message;
    byId("trouble").hidden = false;
    return;
  }
  choices(byId("document"), documents.map((one) => ({ value: one.name, text: one.name })));
  byId("choose").hidden = documents.length < 2;
  tell();
}

function tell() {
  const one = current();
  if (!one) return;
  byId("title").textContent = one.name;
  document.title = `${one.name} – dlm`;
  byId("standing").textContent = standing(one);
  byId("count").textContent = one.staged ? ` (${one.staged})` : "";
  const options = speakers(one);
  const values = options.map((option) => option.value);
  choices(byId("speaker"), options, one.name);
  const earlier = one.versions[1] ? `${one.name}@${one.versions[1]}:closed` : `${one.name}@base`;
  choices(byId("left"), options, earlier);
  choices(byId("right"), options, values.includes(`${one.name}:closed`) ? `${one.name}:closed` : one.name);
}

function standing(one) {
  const parts = [one.version ? `answers as ${one.version}` : "not trained yet"];
  if (one.training?.phase) parts.push(`training: ${one.training.phase}`);
  if (one.training?.error) parts.push(one.training.error);
  if (one.queued) parts.push(`${one.queued} in the queue`);
  return [...parts, one.base].join(" · ");
}

function speakers(one) {
  const now = [{ value: one.name, text: "Notes open", group: "Now" }];
  if (one.version) now.push({ value: `${one.name}:closed`, text: `Model alone (${one.version})`, group: "Now" });
  const versions = one.versions.flatMap((name) => [
    { value: `${one.name}@${name}`, text: `${name}, notes open`, group: "As of a version" },
    { value: `${one.name}@${name}:closed`, text: `${name}, model alone`, group: "As of a version" },
  ]);
  return [...now, ...versions, { value: `${one.name}@base`, text: "Base alone", group: "Untrained" }];
}

function show() {
  document.body.dataset.view = view();
  for (const name of VIEWS) byId(`${name}-view`).hidden = name !== view();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view()}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!current()) return;
  if (view() === "learned") showLearned(current().name);
  if (view() === "staged") showStaged(current().name);
}

startAsking(current);
startComparing();
startStaged(look);
byId("document").addEventListener("change", () => {
  tell();
  show();
});
window.addEventListener("hashchange", show);
show();
await look();
show();
byId("question").focus();
setInterval(() => document.visibilityState === "visible" && look(), LOOK);
