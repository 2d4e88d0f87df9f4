// Elements made of text. What documents and models say never becomes markup.

export const byId = (id) => document.getElementById(id);

/** An element with attributes, listeners (functions) and children; strings become text. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, ...children);
}

/** The same for a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, ...children);
}

/** "1 pair", "2 pairs". */
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** Put `options` ({value, text, group}) into a select, and keep what was chosen where it is there. */
export function choices(select, options, preferred) {
  const before = select.value;
  const same = JSON.stringify(options);
  if (select.dataset.options === same) return;
  select.dataset.options = same;
  const groups = new Map();
  select.replaceChildren();
  for (const { value, text, group } of options) {
    if (group && !groups.has(group)) {
      groups.set(group, el("optgroup", { label: group }));
      select.append(groups.get(group));
    }
    (group ? groups.get(group) : select).append(el("option", { value }, text));
  }
  const values = options.map((one) => one.value);
  select.value = values.includes(before) ? before : values.includes(preferred) ? preferred : values[0];
}

/** Enter sends the form of a text area; Shift and Enter, and an input method at work, do not. */
export function sendsOnEnter(area) {
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      area.form.requestSubmit();
    }
  });
}

/** Show what was added to the answers, unless the reader has scrolled away from their end. */
export function keepInView(element) {
  const log = byId("log");
  if (log.scrollHeight - log.scrollTop - log.clientHeight < 500) element.scrollIntoView({ block: "nearest" });
}

function fill(element, attributes, ...children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
