// What becomes of an answer that was marked as wrong: waiting, in the document, trained.

import { answerInto } from "./answer.js";
import { call } from "./api.js";
import { el, keepInView } from "./dom.js";

const LOOK = 1500; // milliseconds between two looks
const SELDOM = 5000; // the same where nothing trains now, as far as the server knows

/** Say in `told` how the probe stands until it is trained; ask again as soon as that may help. */
export async function follow(told, marked) {
  const path = `/page/wrong/${marked.probe}?document=${encodeURIComponent(marked.name)}`;
  let shown = "";
  for (;;) {
    let now;
    try {
      now = await call(path);
    } catch (error) {
      now = { state: "unknown", reason: error.message };
    }
    const key = `${now.state} ${now.line} ${now.version} ${now.reason}`;
    if (key !== shown) {
      shown = key;
      told.replaceChildren(...sentence(now, marked));
      told.classList.toggle("trouble", now.state === "held" || now.state === "unknown");
      keepInView(told);
      if (now.state === "written") await again(told, marked, marked.name, "With the notes open");
      if (now.state === "trained") {
        await again(told, marked, marked.name, "With the notes open");
        await again(told, marked, `${marked.name}@${now.version}:closed`, `${now.version} alone`);
      }
    }
    if (now.state === "trained" || now.state === "gone") return;
    await new Promise((resolve) => setTimeout(resolve, marked.watched ? LOOK : SELDOM));
  }
}

function sentence(now, marked) {
  switch (now.state) {
    case "waiting":
      return marked.watched
        ? ["Kept as a probe. It goes into the document as soon as the training takes it up."]
        : ["Kept as a probe. This server trains nothing: ", el("code", {}, marked.command),
          " writes it into the document and trains it."];
    case "held": return [`It waits, and cannot be written: ${now.reason}`];
    case "written": return [`It stands in the document now, at line ${now.line}, as a probe. Not trained yet.`];
    case "trained": return [`It stands in the document at line ${now.line}, and ${now.version} was trained on it.`];
    case "gone": return ["It does not wait any more: the document asks it already, or it was taken out."];
    default: return [now.reason];
  }
}

/** Ask the same once more, and say whether the answer is the right one now. */
async function again(told, marked, model, who) {
  let list = told.parentElement.querySelector(".again");
  if (!list) {
    list = el("div", { class: "again", "aria-live": "polite" });
    told.after(list);
  }
  let place = list.querySelector(`[data-model="${CSS.escape(model)}"]`);
  if (!place) {
    place = el("div", { class: "answer", "data-model": model });
    list.append(el("div", { class: "side" }, el("h4", {}, who), place));
  }
  const answered = await answerInto(place, model, marked.question);
  if (!answered) return;
  const right = words(answered.text) === words(marked.answer);
  place.querySelector(".said").prepend(el("span", { class: right ? "chip learned" : "chip not" },
    right ? "● right" : "○ still different"), " ");
  keepInView(place);
}

const words = (text) => text.toLowerCase().replace(/[\s.]+/g, " ").trim();
