// The settings of a run: their ranges, presets, and how a link carries them.

/** Sliders: name, label, and the range, which for lengths depends on the pictures' side. */
export const SLIDERS = [
  { name: "epsilon", label: "epsilon", title: "Radius of the l2 ball around the start", digits: 1 },
  { name: "stepSize", label: "step", title: "l2 length of a step", digits: 2 },
  { name: "draws", label: "draws", title: "Noise draws a step", digits: 0 },
  { name: "steps", label: "steps", title: "Steps until it stops", digits: 0 },
  { name: "sigma", label: "sigma", title: "Noise level", digits: 2 },
];

export const PRESETS = ["draft", "fast", "paper"];

/** What a slider reaches; where squared, it is the root that goes evenly along it. */
export function range(name, family) {
  const scale = family.size / 224;
  const usual = family.presets.paper;
  return {
    epsilon: { min: 0.5 * scale, max: 2 * usual.epsilon, step: 0.1 },
    stepSize: { min: 0.05 * scale, max: 120 * scale, step: 0.01, squared: true },
    draws: { min: 1, max: 40, step: 1 },
    steps: { min: 10, max: 600, step: 10 },
    sigma: { min: 0, max: 1.5, step: 0.05 },
  }[name];
}

const WITHIN = ["epsilon", "stepSize", "draws", "steps", "sigma", "seed", "momentum"];
const TEXTS = { schedule: ["constant", "linear"], sampling: ["independent", "antithetic"] };

/** A preset's settings, in this page's names. */
export function preset(family, name) {
  const given = family.presets[name];
  return {
    epsilon: given.epsilon, stepSize: given.step_size, draws: given.num_samples,
    steps: given.num_steps, sampling: given.sampling, momentum: given.momentum,
    schedule: given.schedule,
  };
}

/** Which preset settings are, if they are one. */
export function presetOf(settings, family) {
  return PRESETS.find((name) => Object.entries(preset(family, name))
    .every(([key, value]) => (typeof value === "number"
      ? Math.abs(value - settings[key]) < 0.006 : value === settings[key]))) ?? null;
}

/** Settings as the fragment of a link. */
export function toLink(settings) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(settings)) {
    if (value === null || value === undefined) continue;
    const text = Array.isArray(value) ? value.join(",") : String(value);
    parts.set(name, typeof value === "number" ? String(+value.toPrecision(6)) : text);
  }
  return `#${parts}`;
}

/**
 * Settings from a link, laid over others.
 *
 * @returns the settings, and what in the link could not be used, for people.
 */
export function fromLink(fragment, settings, page) {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const wrong = [];
  const found = { ...settings };
  const family = page.families.find(({ name }) => name === parts.get("family"))
    ?? page.families.find(({ name }) => name === settings.family);
  if (parts.has("family") && family.name !== parts.get("family")) wrong.push(`family ${parts.get("family")}`);
  if (family.name !== settings.family) {
    Object.assign(found, { family: family.name, networks: family.first, target: 0 }, preset(family, "fast"));
    found.sigma = family.sigma;
  }
  if (parts.has("networks")) {
    const names = parts.get("networks").split(",");
    const known = names.filter((name) => family.networks.some((one) => one.name === name)).slice(0, 4);
    if (known.length) found.networks = known;
    names.filter((name) => !known.includes(name)).forEach((name) => wrong.push(`network ${name}`));
  }
  for (const name of WITHIN) {
    if (!parts.has(name)) continue;
    const value = Number(parts.get(name));
    const { min, max } = { seed: { min: 0, max: 2 ** 31 - 1 }, momentum: { min: 0, max: 0.99 } }[name]
      ?? range(name, family);
    if (parts.get(name).trim() !== "" && value >= min - 1e-6 && value <= max + 1e-6) found[name] = value;
    else wrong.push(`${name} ${parts.get(name)}`);
  }
  for (const [name, choices] of Object.entries(TEXTS)) {
    if (!parts.has(name)) continue;
    if (choices.includes(parts.get(name))) found[name] = parts.get(name);
    else wrong.push(`${name} ${parts.get(name)}`);
  }
  if (parts.has("target")) {
    const index = Number(parts.get("target"));
    if (Number.isInteger(index) && index >= 0 && index < family.labels.length) found.target = index;
    else wrong.push(`target ${parts.get("target")}`);
  }
  if (parts.has("noiseForAll")) found.noiseForAll = parts.get("noiseForAll") === "true";
  if (parts.has("backend")) found.backend = parts.get("backend") === "wasm" ? "wasm" : "";
  if (parts.has("start")) {
    const name = parts.get("start");
    const known = page.photographs.some((one) => `photograph:${one.name}` === name)
      || page.seeds.some((one) => `seed:${one.name}` === name);
    if (known) found.start = name;
    else wrong.push(`start ${name}`);
  }
  if (parts.has("crop")) {
    const crop = parts.get("crop").split(",").map(Number);
    if (crop.length === 3 && crop.every((share) => share >= 0 && share <= 1)) found.crop = crop;
    else wrong.push(`crop ${parts.get("crop")}`);
  }
  found.draws = Math.round(found.draws);
  found.steps = Math.round(found.steps);
  found.seed = Math.round(found.seed);
  return { settings: found, wrong };
}

/** What the loop in the worker is told of them; pairs need an even number of draws. */
export function forLoop(settings) {
  const { target, epsilon, stepSize, draws, steps, momentum, schedule, seed } = settings;
  const paired = settings.sampling === "antithetic" && draws % 2 === 0;
  return { target, epsilon, stepSize, draws, steps, momentum, schedule, seed, sampling: paired ? "antithetic" : "independent" };
}

/** Shipped sigmas change the network: the one trained at it takes the place of its like. */
export function trainedAt({ networks, sigma }, family) {
  return networks.map((name) => {
    const own = family.networks.find((one) => one.name === name);
    const other = own.sigma > 0 && family.networks.find((one) => one.kind === own.kind
      && Math.abs(one.sigma - sigma) < 1e-6);
    return other ? other.name : name;
  }).filter((name, i, all) => all.indexOf(name) === i);
}

/** The settings of a visitor who brings none. */
export function first(page) {
  const [family] = page.families;
  return {
    family: family.name, networks: family.first.slice(), target: family.target, ...preset(family, "fast"),
    sigma: family.sigma, seed: 0, noiseForAll: false, backend: "", start: `photograph:${page.photographs[0].name}`, crop: null,
  };
}
