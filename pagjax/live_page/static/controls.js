// Builds what depends on the networks there are: class buttons, networks, sliders, thumbnails.

import { SLIDERS, range } from "./settings.js";
import { short } from "./panels.js";

export const byId = (id) => document.getElementById(id);

export function button(text, action, more = {}) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, ...more });
  made.addEventListener("click", action);
  return made;
}

const MOST_BUTTONS = 24;

export function classes(family, chosen, choose) {
  const many = family.labels.length > MOST_BUTTONS;
  byId("target-search").hidden = !many;
  byId("targets").replaceChildren(...(many ? [] : family.labels.map((label, index) => {
    const made = button(short(label), () => choose(index), { title: label });
    made.setAttribute("aria-pressed", String(index === chosen));
    return made;
  })));
  if (many) {
    byId("target-names").replaceChildren(...family.labels.map((label) => Object.assign(
      document.createElement("option"), { value: label })));
    byId("target-name").value = family.labels[chosen];
  }
}

export function networks(family, chosen, toggle) {
  byId("networks").replaceChildren(...family.networks.map(({ name, title }) => {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: chosen.includes(name), value: name });
    box.addEventListener("change", () => toggle(name, box.checked));
    const label = document.createElement("label");
    label.append(box, ` ${title}`);
    return label;
  }));
}

export function sliders(family, settings, change) {
  byId("sliders").replaceChildren(...SLIDERS.map(({ name, label, title, digits }) => {
    const row = Object.assign(document.createElement("div"), { className: "slider", title });
    const { min, max, step, squared } = range(name, family);
    const along = squared ? Math.sqrt : (value) => value;
    const meant = (place) => (squared ? Math.max(min, place * place) : place);
    const input = Object.assign(document.createElement("input"), {
      type: "range", id: `slider-${name}`, min: String(Math.floor(along(min) / step) * step), max: String(along(max)), step: String(step),
    });
    input.value = String(along(settings[name]));
    const text = Object.assign(document.createElement("label"), { htmlFor: input.id, textContent: label });
    const output = Object.assign(document.createElement("output"), { textContent: settings[name].toFixed(digits) });
    input.addEventListener("input", () => {
      output.textContent = meant(Number(input.value)).toFixed(digits);
      change(name, meant(Number(input.value)));
    });
    row.append(text, input, output);
    return row;
  }));
}

export function thumbnails(box, items, choose) {
  box.replaceChildren(...items.map(({ title, file, name }) => {
    const image = Object.assign(document.createElement("img"), { src: file, alt: title, loading: "lazy" });
    const made = button("", () => choose(name), { title });
    made.dataset.start = name;
    made.replaceChildren(image);
    return made;
  }));
}

/** A message that stays until it is closed. */
export function notice(text) {
  const box = byId("notices");
  if ([...box.children].some((one) => one.dataset.text === text)) return;
  const line = document.createElement("p");
  line.dataset.text = text;
  line.append(Object.assign(document.createElement("span"), { textContent: text }),
    button("Close", () => line.remove(), { ariaLabel: `Close: ${text}` }));
  box.append(line);
}
