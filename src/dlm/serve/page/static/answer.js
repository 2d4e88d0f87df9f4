// One answer: streamed, with where it stands and the passages that were found.

import { chunks } from "./api.js";
import { count, el } from "./dom.js";

/** Ask `model`, and fill `place` as the answer comes. Returns {text, facts}, null when stopped. */
export async function answerInto(place, model, question, signal) {
  const said = el("p", { class: "said", dir: "auto" });
  const where = el("p", { class: "where soft small" }, "…");
  place.setAttribute("aria-busy", "true"); // read out once it is whole
  place.replaceChildren(said, where);
  const body = { model, messages: [{ role: "user", content: question }], stream: true };
  let facts = {};
  try {
    for await (const chunk of chunks("/v1/chat/completions", body, signal)) {
      const text = chunk.choices[0]?.delta?.content;
      if (text) said.append(text);
      if (chunk.dlm) facts = chunk.dlm;
    }
  } catch (error) {
    const stopped = error.name === "AbortError";
    where.textContent = stopped ? "Stopped." : error.message;
    where.classList.toggle("trouble", !stopped);
    return null;
  } finally {
    place.removeAttribute("aria-busy");
  }
  if (!said.textContent) said.append(el("span", { class: "soft" }, "(it said nothing)"));
  where.textContent = origin(facts);
  if (facts.passages?.length) place.append(passages(facts));
  return { text: said.textContent, facts };
}

/** Where an answer comes from, in a line. */
function origin(facts) {
  if (facts.answered_by === "model") {
    return facts.version ? `The model of ${facts.version} alone.` : "The base alone.";
  }
  if (facts.declined) return `Not in the notes${facts.version ? `, as of ${facts.version}` : ""}.`;
  const how = facts.answered_by === "reading" ? "Read from" : "From";
  const line = facts.line ? `${how} ${place(facts)}` : "Read from the notes";
  const trained = { true: `, learned by ${facts.version}`, false: ", not trained yet" }[facts.trained];
  return `${line}${trained ?? ""}.`;
}

function place(facts) {
  return facts.file ? `${facts.file}, line ${facts.line}` : `line ${facts.line}`;
}

function passages(facts) {
  const holder = facts.passages
    .filter((one) => facts.line && one.file === facts.file && one.line <= facts.line)
    .sort((a, b) => b.line - a.line)[0];
  const items = facts.passages.map((one) => el("li", { class: one === holder ? "here" : null },
    el("p", { class: "small" }, el("b", {}, place(one)),
      ` · score ${one.score}`, one === holder ? " · the answer stands here" : ""),
    el("p", { class: "text", dir: "auto" }, one.text)));
  return el("details", { class: "passages" },
    el("summary", {}, count(facts.passages.length, "passage")), el("ol", {}, ...items));
}
