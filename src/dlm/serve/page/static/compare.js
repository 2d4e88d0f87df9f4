// One question for two versions, their answers side by side.

import { answerInto } from "./answer.js";
import { byId, el, sendsOnEnter } from "./dom.js";

let stopper = null;

export function startComparing() {
  const area = byId("both");
  sendsOnEnter(area);
  byId("compare-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (area.value.trim()) compare(area.value.trim());
  });
}

async function compare(question) {
  stopper?.abort();
  const mine = stopper = new AbortController();
  const verdict = byId("verdict");
  verdict.textContent = "Asking both …";
  const places = [];
  const sides = ["left", "right"].map((id) => {
    const select = byId(id), place = el("div", { class: "answer" });
    places.push([place, select.value]);
    return el("article", { class: "turn", "aria-label": select.selectedOptions[0].textContent },
      el("h3", {}, select.selectedOptions[0].textContent), place);
  });
  byId("sides").replaceChildren(...sides);
  const answers = await Promise.all(
    places.map(([place, model]) => answerInto(place, model, question, mine.signal)));
  if (mine !== stopper) return;
  const both = answers.every((one) => one);
  const same = both && answers[0].text.trim() === answers[1].text.trim();
  verdict.textContent = !both ? "Not both could answer." : same ? "Both say the same." : "They differ.";
}
