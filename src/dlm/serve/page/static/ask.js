// Asking one after the other, and marking an answer as wrong.

import { answerInto } from "./answer.js";
import { call } from "./api.js";
import { byId, el, sendsOnEnter } from "./dom.js";
import { follow } from "./follow.js";

let stopper = null;

/** `current()` gives the document that is chosen. */
export function startAsking(current) {
  const form = byId("ask-form"), area = byId("question");
  sendsOnEnter(area);
  byId("stop").addEventListener("click", () => stopper?.abort());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const question = area.value.trim();
    if (!question || stopper || !current()) return;
    area.value = "";
    ask(current().name, byId("speaker").value, question);
  });
}

async function ask(name, model, question) {
  stopper = new AbortController();
  byId("empty").hidden = true;
  setBusy(true);
  const place = el("div", { class: "answer" });
  const speaker = byId("speaker").selectedOptions[0].textContent;
  const item = el("article", { class: "turn" },
    el("h3", { dir: "auto" }, question), el("p", { class: "soft small" }, `to ${speaker}`), place);
  byId("log").append(item);
  item.scrollIntoView({ block: "nearest" });
  const answered = await answerInto(place, model, question, stopper.signal);
  stopper = null;
  setBusy(false);
  if (answered) item.append(marking(name, model, question, answered.text));
  item.scrollIntoView({ block: "nearest" });
}

function setBusy(busy) {
  byId("stop").hidden = !busy;
  byId("send").hidden = busy;
}

let forms = 0;

/** The button that says an answer is wrong, and the form behind it. */
function marking(name, model, question, said) {
  const id = `right-${++forms}`;
  const area = el("textarea", { id, rows: 2, maxlength: 20000, required: true });
  const told = el("p", { class: "told", role: "status" });
  const form = el("form", { class: "marking", hidden: true },
    el("label", { for: id }, "The right answer"),
    el("div", { class: "row" }, area,
      el("button", { type: "submit", class: "main" }, "Teach it"),
      el("button", { type: "button", click: () => toggle(false) }, "Cancel")));
  const button = el("button", {
    type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": `${id}-form`,
    click: () => toggle(form.hidden),
  }, "This is wrong");
  form.id = `${id}-form`;
  const toggle = (open) => {
    form.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    (open ? area : button).focus();
  };
  sendsOnEnter(area);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = area.value.trim();
      const found = await call("/page/wrong", { document: name, question, answer });
      form.hidden = true;
      button.hidden = true;
      if (found.standing) {
        told.textContent = `The document says so already, at line ${found.standing}: it is answered with the notes open, and once it is trained.`;
      } else {
        follow(told, { ...found, name, model, question, answer, said });
      }
    } catch (error) {
      told.textContent = error.message;
      told.classList.add("trouble");
    }
  });
  return el("div", { class: "after" }, button, form, told);
}
