// One network's panel: its picture now, start and difference beside it, probabilities as bars.

const AMPLIFIED = 4;
const MOST_BARS = 12;

const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

function paint(canvas, pixels, size) {
  if (canvas.width !== size || canvas.height !== size) Object.assign(canvas, { width: size, height: size });
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels), size, size), 0, 0);
}

/** The difference of two pictures, amplified, on mid-grey. */
function difference(pixels, start) {
  const found = new Uint8ClampedArray(pixels.length);
  for (let i = 0; i < pixels.length; i += 1) {
    found[i] = i % 4 === 3 ? 255 : 128 + AMPLIFIED * (pixels[i] - start[i]);
  }
  return found;
}

export class Panel {
  constructor(network, family, colour) {
    this.network = network;
    this.family = family;
    this.now = made("canvas");
    this.start = made("canvas");
    this.changes = made("canvas");
    this.bars = made("ol", { className: "bars" });
    this.bars.setAttribute("aria-label", `Smoothed probabilities, ${network.title}`);
    this.numbers = made("p", { className: "numbers" });
    this.now.setAttribute("role", "img");
    const figure = (canvas, text) => made("figure", {}, canvas, made("figcaption", { textContent: text }));
    this.element = made(
      "article",
      { className: "panel" },
      made("h2", { textContent: network.title, title: network.title }),
      made("div", { className: "now" }, this.now),
      made("div", {},
        made("div", { className: "small" }, figure(this.start, "start"),
          figure(this.changes, `change × ${AMPLIFIED}`)),
        this.bars, this.numbers),
    );
    this.element.dataset.network = network.name;
    this.element.style.setProperty("--colour", `var(--n${colour})`);
    this.rows = new Map();
  }

  /** Shows a picture; where a mask is being painted, what must stay is dimmed. */
  show(pixels, start, size, mask = null) {
    this.shown = { pixels, start, size };
    let seen = pixels;
    if (mask) {
      seen = new Uint8ClampedArray(pixels);
      for (let i = 0; i < mask.length; i += 1) {
        if (mask[i] === 0) for (let c = 0; c < 3; c += 1) seen[4 * i + c] = 64 + seen[4 * i + c] / 3;
      }
    }
    paint(this.now, seen, size);
    paint(this.start, start, size);
    paint(this.changes, difference(pixels, start), size);
  }

  again(mask) {
    if (this.shown) this.show(this.shown.pixels, this.shown.start, this.shown.size, mask);
  }

  /** Bars of all classes, or of the likeliest and the target where there are many. */
  showProbabilities(probabilities, target) {
    const { labels } = this.family;
    let chosen = [...labels.keys()];
    if (labels.length > MOST_BARS) {
      chosen = chosen.sort((a, b) => probabilities[b] - probabilities[a]).slice(0, MOST_BARS - 1);
      if (!chosen.includes(target)) chosen.push(target);
    }
    const key = chosen.join();
    if (key !== this.chosen) {
      this.chosen = key;
      this.rows.clear();
      this.bars.replaceChildren(...chosen.map((index) => {
        const fill = made("i");
        const value = made("span", { className: "value" });
        const row = made("li", {}, made("span", { className: "name", textContent: short(labels[index]), title: labels[index] }),
          made("span", { className: "bar" }, fill), value);
        row.querySelector(".bar").setAttribute("aria-hidden", "true");
        this.rows.set(index, { row, fill, value });
        return row;
      }));
    }
    for (const [index, { row, fill, value }] of this.rows) {
      const share = probabilities[index];
      row.classList.toggle("target", index === target);
      fill.style.width = `${100 * share}%`;
      value.textContent = Number.isFinite(share) ? `${Math.round(100 * share)}%` : "none";
    }
    const best = probabilities.indexOf(Math.max(...probabilities));
    this.now.setAttribute("aria-label", `Picture of ${this.network.title}: seen as ${labels[best]}, `
      + `${Math.round(100 * probabilities[best])} percent`);
  }

  showNumbers(text) {
    this.numbers.textContent = text;
  }
}

/** A label's first name; ImageNet's have several, between commas. */
export const short = (label) => label.split(",")[0];

/** The panels of networks, side by side on the page. */
export function panelsOf(networks, family) {
  const panels = networks.map((network, colour) => new Panel(network, family, colour));
  const row = document.getElementById("panels");
  row.replaceChildren(...panels.map(({ element }) => element));
  row.classList.toggle("one", panels.length === 1);
  row.classList.toggle("four", panels.length === 4);
  return panels;
}
