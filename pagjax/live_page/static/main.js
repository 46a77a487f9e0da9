// The page: what visitors do, and what they see.

import { Brush } from "./brush.js";
import { byId, classes, networks as networkBoxes, notice, sliders, thumbnails } from "./controls.js";
import { Engine } from "./engine.js";
import { failure, hints } from "./hints.js";
import { isolated } from "./isolating.js";
import { readPage, shippedPicture } from "./page.js";
import { panelsOf } from "./panels.js";
import { saveRun } from "./saving.js";
import { first, forLoop, fromLink, preset, toLink, trainedAt } from "./settings.js";
import { show } from "./showing.js";
import { Start, asFloats } from "./start.js";
import { wire } from "./wiring.js";

const RESTARTS = ["sigma", "networks", "family", "seed", "noiseForAll"]; // these begin anew

let page;
let settings;
let family;
let panels = [];
let following = true; // whether the newest picture is shown, or one that was scrubbed to
let plays = false; // wanted, once networks are there
let drawing = false;
let pixels = null;
let computesWith = "wasm"; // or "webgpu"

const engine = new Engine({ opened, progress, ready, failed, stepped, looked: refresh, finished });
const start = new Start(byId("crop"), byId("zoom"), () => {
  settings.crop = start.crop.map((share) => +share.toFixed(4));
  anew();
});
const brush = new Brush((ends) => {
  for (const panel of panels) panel.again(brush.mask);
  const share = brush.share();
  byId("mask-hint").textContent = share === 1 ? "Every pixel may change."
    : `${Math.round(100 * share)}% of the pixels may change; the rest is dimmed.`;
  if (ends) engine.paint(brush.mask);
});

const say = (text) => { byId("status").textContent = text; };
const remember = () => history.replaceState(null, "", toLink(settings));
const networkOf = (name) => family.networks.find((one) => one.name === name);
const sigmaOf = (network) => (network.sigma > 0 || settings.noiseForAll ? settings.sigma : 0);

function chosen() {
  return settings.networks.map((name) => ({ ...networkOf(name), sigma: sigmaOf(networkOf(name)) }));
}

/** Everything from the start: new picture, new networks, new noise. */
function anew({ goesOn = false } = {}) {
  if (!start.source) return;
  plays = goesOn || plays;
  const { size } = family;
  brush.resize(size);
  pixels = start.pixels(size);
  family.labels[settings.target] ?? (settings.target = 0);
  following = true;
  buildPanels();
  for (const panel of panels) panel.show(pixels, pixels, size, brush.mask);
  engine.load(chosen(), family);
  engine.begin({
    start: pixels, floats: asFloats(pixels), size, classes: family.labels.length, networks: chosen(),
    settings: forLoop(settings), mask: brush.mask, name: start.name,
  });
  remember();
  if (plays && engine.has(chosen())) play();
  refresh();
}

function buildPanels() {
  const names = settings.networks.join();
  if (panels.map(({ network }) => network.name).join() === names && panels[0]?.family === family) return;
  panels = panelsOf(chosen(), family);
  for (const { now } of panels) {
    brush.attach(now);
    now.tabIndex = brush.on ? 0 : -1;
  }
  byId("save-of").replaceChildren(...panels.map(({ network }) => new Option(network.title, network.name)));
}

function buildControls() {
  byId("family-box").hidden = page.families.length < 2;
  byId("family").replaceChildren(...page.families.map(({ name, title }) => new Option(title, name)));
  byId("family").value = family.name;
  classes(family, settings.target, chooseTarget);
  networkBoxes(family, settings.networks, toggleNetwork);
  sliders(family, settings, (name, value) => change({ [name]: value }));
  const seeds = page.seeds.filter((one) => one.family === family.name)
    .map((one) => ({ ...one, name: `seed:${one.name}` }));
  byId("seeds").closest("details").hidden = !seeds.length;
  thumbnails(byId("seeds"), seeds, useShipped);
  for (const name of ["seed", "momentum", "schedule", "sampling"]) byId(name).value = String(settings[name]);
  byId("noise-for-all").checked = settings.noiseForAll;
  byId("backend").value = settings.backend;
  hints(settings, family, chosen());
}

/** Takes new settings: into the run under way, or, where they make another run, into a new one. */
function change(given) {
  Object.assign(settings, given);
  if ("sigma" in given) {
    settings.networks = trainedAt(settings, family);
    networkBoxes(family, settings.networks, toggleNetwork);
  }
  remember();
  hints(settings, family, chosen());
  if (Object.keys(given).some((name) => RESTARTS.includes(name))) {
    anew({ goesOn: engine.playing });
    return;
  }
  engine.change(forLoop(settings));
  refresh();
}

function chooseTarget(index) {
  settings.target = index;
  classes(family, index, chooseTarget);
  byId("targets").children[index]?.focus({ preventScroll: true });
  remember();
  engine.change({ target: index });
  if (engine.run && engine.run.step >= settings.steps) anew({ goesOn: true });
  else play();
}

function toggleNetwork(name, on) {
  let names = settings.networks.filter((one) => one !== name);
  if (on) names.push(name);
  if (names.length > 4) {
    notice("Four networks stand side by side at most: the first one made room.");
    names = names.slice(1);
  }
  if (!names.length) {
    notice("One network must stay.");
    names = [name];
  }
  const own = names.map(networkOf).filter(({ sigma }) => sigma > 0);
  if (on && networkOf(name).sigma > 0 && own.length === 1) settings.sigma = networkOf(name).sigma;
  settings.networks = names;
  buildControls();
  change({ networks: names });
}

function usePreset(name) {
  Object.assign(settings, preset(family, name));
  buildControls();
  change({});
}

function play() {
  if (!engine.run) return;
  plays = true;
  following = true;
  if (!engine.has(chosen())) {
    engine.load(chosen(), family);
    say("It plays once the networks are loaded.");
  } else if (engine.run.step >= settings.steps) {
    anew({ goesOn: true });
  } else {
    engine.play();
    say("Playing.");
  }
  refresh();
}

function pause() {
  plays = false;
  engine.pause();
  say("Paused.");
  refresh();
}

// What the worker says.

function opened({ backend, threads, why }) {
  computesWith = backend;
  const word = backend === "webgpu" ? "WebGPU" : `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  byId("about").textContent = `pagjax ${page.version}; computing with ${word}. ${why}`;
}

function progress() {
  const shares = [...engine.progress.values()];
  const mean = shares.reduce((a, b) => a + b, 0) / Math.max(1, shares.length);
  byId("loading").hidden = mean >= 1 || !shares.length;
  byId("loading").value = mean;
  if (mean < 1 && shares.length) say(`Loading networks: ${Math.round(100 * mean)}%.`);
}

function ready() {
  byId("play").disabled = !engine.has(chosen());
  if (!engine.has(chosen())) return;
  say("Ready: choose a class, or press Play.");
  anew({ goesOn: plays });
}

function failed(about, message) {
  plays = false;
  const missing = /the server answers|fetch/i.test(message);
  if (computesWith === "webgpu" && !missing) {
    computesWith = "wasm";
    notice(`WebGPU failed here (${message}); the processor computes instead.`);
    settings.backend = "wasm";
    openEngine();
    return;
  }
  notice(failure(networkOf(about)?.title ?? about, message));
  say("Stopped.");
  progress();
  refresh();
}

function stepped() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    refresh();
  });
}

function finished() {
  plays = false;
  say(`Done after ${engine.run.step} steps.`);
  refresh();
}

/** Draws what is known now. */
function refresh() {
  const { run } = engine;
  byId("play").textContent = engine.playing ? "Pause" : "Play";
  byId("play").disabled = !engine.has(chosen()) && !plays;
  if (!run) return;
  const scrub = byId("scrub");
  scrub.max = String(run.step);
  if (following) scrub.value = String(run.step);
  const at = Number(scrub.value);
  byId("shown").textContent = `${at} of ${settings.steps}`;
  show(engine, panels, at, settings, brush.mask);
}

// Starting pictures.

async function useShipped(name, crop) {
  try {
    const shipped = await shippedPicture(name, page);
    await start.open(shipped.blob, shipped.name, shipped.title, crop ?? shipped.crop);
  } catch (error) {
    notice(error.message);
    return;
  }
  Object.assign(settings, { start: name, crop: start.crop.map((share) => +share.toFixed(4)) });
  plays = false;
  anew();
}

async function useOwn(blob, what) {
  if (!blob) return;
  const name = (blob.name ?? what).replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "-").slice(0, 60) || "picture";
  try {
    await start.open(blob, name, blob.name ?? what);
  } catch (error) {
    notice(error.message);
    return;
  }
  Object.assign(settings, { start: null, crop: null });
  plays = false;
  anew();
}

async function copyLink() {
  remember();
  if (settings.start === null) notice("A link cannot carry your own picture: it restores everything else.");
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link is copied.");
  } catch {
    notice(`This browser does not let pages copy: ${location.href}`);
  }
}

async function save(how) {
  if (!engine.run) return;
  say("Making the file.");
  await new Promise((done) => { setTimeout(done, 30); }); // that this is seen before the work
  await saveRun(how, engine, byId("save-of").value || settings.networks[0], Number(byId("scrub").value), family, page);
  say("Saved.");
}

// What visitors do beside that: `wiring.js` says with which element.
const ACTIONS = {
  change, chooseNamed, copyLink, refresh, restore, save, useFamily, useOwn, usePreset,
  playOrPause: () => (engine.playing || (plays && !engine.has(chosen())) ? pause() : play()),
  back: () => { plays = false; anew(); say("Back at the start."); },
  scrub: (at) => { following = at === engine.run?.step; refresh(); },
  useBackend: (name) => { settings.backend = name; remember(); openEngine(); },
  brushTaken: () => {
    for (const { now } of panels) now.tabIndex = brush.on ? 0 : -1;
    if (brush.on) say("Paint where the picture may change; with keys: arrows move, space paints.");
  },
};

function chooseNamed(label) {
  const index = family.labels.indexOf(label);
  if (index < 0) notice(`No class is called ${label}: choose one of the list.`);
  else chooseTarget(index);
}

function useFamily(name) {
  family = page.families.find((one) => one.name === name);
  Object.assign(settings, { family: name, networks: family.first.slice(), target: 0, sigma: family.sigma }, preset(family, "fast"));
  buildControls();
  anew();
}

function openEngine() {
  engine.open(settings.backend);
  anew();
}

async function restore() {
  const { settings: found, wrong } = fromLink(location.hash, settings, page);
  if (wrong.length) notice(`The link asks for what is not here: ${wrong.join(", ")}.`);
  settings = found;
  family = page.families.find(({ name }) => name === settings.family);
  buildControls();
  if (settings.start !== null) await useShipped(settings.start, settings.crop);
  else anew();
}

async function main() {
  if (await isolated()) return;
  try {
    page = await readPage();
  } catch (error) {
    notice(error.message);
    return;
  }
  [family] = page.families;
  settings = first(page);
  if (typeof WebAssembly !== "object") {
    notice("This browser has no WebAssembly, in which networks run: choose a newer one.");
    return;
  }
  thumbnails(byId("photographs"), page.photographs.map((one) => ({ ...one, name: `photograph:${one.name}` })), useShipped);
  wire(ACTIONS, brush);
  engine.open(new URLSearchParams(location.hash.slice(1)).get("backend") === "wasm" ? "wasm" : "");
  await restore();
}

main();
