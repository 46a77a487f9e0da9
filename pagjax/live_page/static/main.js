// The page: what visitors do, and what they see.

import { Brush } from "./brush.js";
import { byId, classes, networks as networkBoxes, notice, sliders, thumbnails } from "./controls.js";
import { draw } from "./curves.js";
import { Engine } from "./engine.js";
import { Panel } from "./panels.js";
import { saveAnimation, savePicture, saveRecord } from "./saving.js";
import { fromLink, preset, presetOf, toLink } from "./settings.js";
import { Start, asFloats } from "./start.js";

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

const engine = new Engine({ opened, progress, ready, failed, stepped, looked, finished });
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
const networkOf = (name) => family.networks.find((one) => one.name === name);
const sigmaOf = (network) => (network.sigma > 0 || settings.noiseForAll ? settings.sigma : 0);

function chosen() {
  return settings.networks.map((name) => ({ ...networkOf(name), sigma: sigmaOf(networkOf(name)) }));
}

function remember() {
  history.replaceState(null, "", toLink(settings));
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
    settings: forLoop(), mask: brush.mask, name: start.name,
  });
  remember();
  if (plays && engine.has(chosen())) play();
  refresh();
}

function forLoop() {
  const { target, epsilon, stepSize, draws, steps, momentum, schedule, seed } = settings;
  const paired = settings.sampling === "antithetic" && draws % 2 === 0;
  return { target, epsilon, stepSize, draws, steps, momentum, schedule, seed, sampling: paired ? "antithetic" : "independent" };
}

function buildPanels() {
  const names = settings.networks.join();
  if (panels.map(({ network }) => network.name).join() === names && panels[0]?.family === family) return;
  panels = chosen().map((network, colour) => new Panel(network, family, colour));
  byId("panels").replaceChildren(...panels.map(({ element }) => element));
  byId("panels").classList.toggle("one", panels.length === 1);
  byId("panels").classList.toggle("four", panels.length === 4);
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
  hints();
}

/** What presets, sigma and the error bars of these settings are to be told of. */
function hints() {
  const name = presetOf(settings, family);
  for (const one of ["fast", "paper"]) byId(one).setAttribute("aria-pressed", String(one === name));
  const noisy = chosen().filter(({ sigma }) => sigma > 0);
  const others = noisy.filter(({ name: own }) => Math.abs(networkOf(own).sigma - settings.sigma) > 1e-6);
  byId("sigma-hint").classList.toggle("warns", others.length > 0);
  byId("sigma-hint").textContent = others.length
    ? `No chosen network was trained at sigma ${settings.sigma}: ${others.map(({ name: own }) => `${networkOf(own).title} at ${networkOf(own).sigma}`).join(", ")}. It may paint less well.`
    : noisy.length ? "Networks trained without noise run without it." : "These networks run without noise: sigma does nothing.";
  const groups = forLoop().sampling === "antithetic" ? settings.draws / 2 : settings.draws;
  byId("error-note").textContent = groups < 2 ? "(no error from one pair)" : "± standard error";
}

/** Takes new settings: into the run under way, or, where they make another run, into a new one. */
function change(given) {
  Object.assign(settings, given);
  if ("sigma" in given) followSigma();
  remember();
  hints();
  if (Object.keys(given).some((name) => RESTARTS.includes(name))) {
    anew({ goesOn: engine.playing });
    return;
  }
  engine.change(forLoop());
  refresh();
}

/** Shipped sigmas change the network: the one trained at it takes the place of its like. */
function followSigma() {
  settings.networks = settings.networks.map((name) => {
    const own = networkOf(name);
    const other = own.sigma > 0 && family.networks.find((one) => one.kind === own.kind
      && Math.abs(one.sigma - settings.sigma) < 1e-6);
    return other ? other.name : name;
  }).filter((name, i, all) => all.indexOf(name) === i);
  networkBoxes(family, settings.networks, toggleNetwork);
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
  const of = networkOf(about)?.title ?? about;
  notice(/memory|allocat/i.test(message)
    ? `The browser has too little memory for this: ${message}. Choose fewer networks or draws.`
    : `${of}: ${message}. Reload the page to try again, or choose another network.`);
  say("Stopped.");
  progress();
  refresh();
}

function looked() {
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
  const frame = engine.frameAt(at);
  for (const panel of panels) {
    const { name } = panel.network;
    const series = run.series.get(name);
    if (!series) continue;
    panel.show(frame.pixels.get(name), run.start, run.size, brush.mask);
    const probabilities = engine.probabilities(name);
    if (probabilities) panel.showProbabilities(probabilities, run.settings.target);
    const last = series.objective.at(-1);
    panel.showNumbers(series.broken ? "The gradient was not finite: such steps move nothing."
      : last === undefined ? "" : `score ${last.toFixed(2)}${Number.isFinite(series.error.at(-1)) && series.error.at(-1) > 0 ? ` ± ${series.error.at(-1).toFixed(2)}` : ""}, distance ${series.distance.at(-1).toFixed(2)}`);
  }
  const lines = panels.map(({ network }, colour) => ({ ...run.series.get(network.name), colour }));
  draw(byId("objective"), lines.map(({ objective, error, colour }) => ({ values: objective, errors: error, colour })), settings.steps, at);
  draw(byId("distance"), lines.map(({ distance, colour }) => ({ values: distance, errors: null, colour })), settings.steps, at, settings.epsilon);
  const words = lines.map(({ objective, distance }, i) => `${panels[i].network.title}: ${objective.at(-1)?.toFixed(2) ?? "not yet"}, ${distance.at(-1).toFixed(2)}`).join("; ");
  byId("objective").setAttribute("aria-label", `Objective and distance now. ${words}`);
  byId("distance").setAttribute("aria-label", `Objective and distance now. ${words}`);
}

// Starting pictures.

async function useBlob(blob, name, what, crop) {
  try {
    await start.open(blob, name, what, crop);
  } catch (error) {
    notice(error.message);
    return false;
  }
  return true;
}

async function useShipped(name, crop) {
  const [kind, own] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
  const item = (kind === "seed" ? page.seeds : page.photographs).find((one) => one.name === own);
  try {
    const answer = await fetch(item.file);
    if (!answer.ok) throw new Error(`${item.file}: the server answers ${answer.status}`);
    if (!await useBlob(await answer.blob(), own.replace(/[^a-z0-9.-]+/gi, "-"), item.title, crop ?? item.crop)) return;
  } catch (error) {
    notice(`${item.title} cannot be loaded: ${error.message}.`);
    return;
  }
  Object.assign(settings, { start: name, crop: start.crop.map((share) => +share.toFixed(4)) });
  plays = false;
  anew();
}

async function useOwn(blob, what) {
  if (!blob) return;
  const name = (blob.name ?? what).replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "-").slice(0, 60) || "picture";
  if (!await useBlob(blob, name, blob.name ?? what)) return;
  Object.assign(settings, { start: null, crop: null });
  plays = false;
  anew();
}

async function webcam() {
  const dialog = byId("camera");
  const video = dialog.querySelector("video");
  let stream;
  try {
    if (!navigator.mediaDevices) throw new Error("it gives pages no camera here (only over https, or on this machine)");
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
  } catch (error) {
    notice(`No webcam: ${error.message}. Choose a picture instead.`);
    return;
  }
  video.srcObject = stream;
  dialog.showModal();
  dialog.onclose = () => stream.getTracks().forEach((track) => track.stop());
  byId("no-snap").onclick = () => dialog.close();
  byId("snap").onclick = () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth || 2, height: video.videoHeight || 2 });
    canvas.getContext("2d").drawImage(video, 0, 0);
    dialog.close();
    canvas.toBlob((blob) => useOwn(blob, "webcam"), "image/png");
  };
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
  const { run } = engine;
  if (!run) return;
  const name = byId("save-of").value || settings.networks[0];
  const network = run.networks.find((one) => one.name === name);
  const file = `${run.name}-to-${family.labels[run.settings.target].split(",")[0].replace(/\W+/g, "-")}-${name}`;
  const frame = engine.frameAt(Number(byId("scrub").value));
  say("Making the file.");
  await new Promise((done) => { setTimeout(done, 30); }); // that this is seen before the work
  if (how === "png") await savePicture(frame.pixels.get(name), run.size, file);
  if (how === "gif") saveAnimation(run.frames.map(({ pixels: own }) => own.get(name)), run.size, file);
  if (how === "record") {
    await saveRecord(run, network, network.sigma, page, file);
    if (run.changes.length) notice("Settings changed on the way: the record repeats the run with those of the end.");
  }
  say("Saved.");
}

function wire() {
  const on = (id, action, kind = "click") => byId(id).addEventListener(kind, action);
  on("play", () => (engine.playing || (plays && !engine.has(chosen())) ? pause() : play()));
  on("back", () => { plays = false; anew(); say("Back at the start."); });
  on("scrub", () => { following = Number(byId("scrub").value) === engine.run?.step; refresh(); }, "input");
  on("choose", () => byId("file").click());
  on("file", () => { useOwn(byId("file").files[0], "the file"); byId("file").value = ""; }, "change");
  on("webcam", webcam);
  on("family", () => useFamily(byId("family").value), "change");
  on("fast", () => usePreset("fast"));
  on("paper", () => usePreset("paper"));
  for (const name of ["seed", "momentum"]) {
    on(name, () => {
      const { value, min, max } = byId(name);
      const number = Math.min(Number(max), Math.max(Number(min), Number(value) || 0));
      byId(name).value = String(number);
      change({ [name]: name === "seed" ? Math.round(number) : number });
    }, "change");
  }
  for (const name of ["schedule", "sampling"]) on(name, () => change({ [name]: byId(name).value }), "change");
  on("noise-for-all", () => change({ noiseForAll: byId("noise-for-all").checked }), "change");
  on("backend", () => { settings.backend = byId("backend").value; remember(); openEngine(); }, "change");
  on("target-name", () => {
    const index = family.labels.indexOf(byId("target-name").value);
    if (index < 0) notice(`No class is called ${byId("target-name").value}: choose one of the list.`);
    else chooseTarget(index);
  }, "change");
  on("brush", () => {
    brush.on = !brush.on;
    byId("brush").setAttribute("aria-pressed", String(brush.on));
    document.body.classList.toggle("brushing", brush.on);
    for (const { now } of panels) now.tabIndex = brush.on ? 0 : -1;
    if (brush.on) say("Paint where the picture may change; with keys: arrows move, space paints.");
  });
  on("unmask", () => brush.clear());
  on("brush-size", () => { brush.radius = Number(byId("brush-size").value) / 2; }, "input");
  on("part", () => { if (byId("part").value) brush.part(byId("part").value); byId("part").value = ""; }, "change");
  for (const how of ["png", "gif", "record"]) on(`save-${how}`, () => save(how));
  on("copy-link", copyLink);
  window.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
  window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const file = event.dataTransfer.files[0];
    if (file) useOwn(file, "what was dropped");
    else notice("That was no file: drop a picture from your machine.");
  });
  window.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files][0];
    if (file) useOwn(file, "what was pasted");
  });
  window.addEventListener("hashchange", () => restore());
  window.addEventListener("resize", refresh);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
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

/**
 * Where the server does not isolate the page, a service worker does, and the page is opened again:
 * once, and not in a frame, which only its own page could isolate.
 *
 * @returns whether the page is about to be opened again.
 */
async function isolated() {
  const workers = navigator.serviceWorker;
  if (crossOriginIsolated || !workers || window.top !== window || sessionStorage.getItem("isolated")) return false;
  try {
    sessionStorage.setItem("isolated", "tried");
    await workers.register("isolation.js");
    await workers.ready;
  } catch {
    return false; // one thread computes, and the page says so
  }
  location.reload();
  return true;
}

async function main() {
  if (await isolated()) return;
  try {
    const answer = await fetch("page.json");
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    page = await answer.json();
  } catch (error) {
    notice(location.protocol === "file:" ? "Browsers let no page read files beside it: serve this folder, say with python -m http.server."
      : `page.json cannot be read (${error.message}): make the folder again with python -m pagjax.explore.`);
    return;
  }
  [family] = page.families;
  settings = {
    family: family.name, networks: family.first.slice(), target: family.target, ...preset(family, "fast"),
    sigma: family.sigma, seed: 0, noiseForAll: false, backend: "", start: `photograph:${page.photographs[0].name}`, crop: null,
  };
  if (typeof WebAssembly !== "object") {
    notice("This browser has no WebAssembly, in which networks run: choose a newer one.");
    return;
  }
  thumbnails(byId("photographs"), page.photographs.map((one) => ({ ...one, name: `photograph:${one.name}` })), useShipped);
  wire();
  engine.open(new URLSearchParams(location.hash.slice(1)).get("backend") === "wasm" ? "wasm" : "");
  await restore();
}

main();
