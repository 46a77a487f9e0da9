// Computes: loads networks, takes steps, and says what it saw. The page itself only draws.

import { advance, combined, factor, norm } from "./loop.js";
import { draws } from "./random.js";

// Draws at once: as many as keep what a network holds between its passes small.
const PIXELS_AT_ONCE = 4 * 128 * 128;

const NEAR = 0.02; // l2 length over which a score is nearly linear
const OFF = 0.4;

let ort = null;
let backend = "wasm";
const networks = new Map(); // name -> {session, url}
let run = null; // {id, start, size, states: [{name, sigma, image, trace}], step, settings, mask, noise}
let playing = false;
let queue = Promise.resolve();

const post = (message, transfer = []) => self.postMessage(message, transfer);
const breath = () => new Promise((done) => { setTimeout(done, 0); });

/** Work goes one after the other; what fails is told and stops nothing else. */
function enqueue(work, about) {
  queue = queue.then(work).catch((error) => {
    playing = false;
    post({ type: "failed", about, message: String(error && error.message ? error.message : error) });
  });
}

async function gpuAdapter() {
  try {
    return (await navigator.gpu?.requestAdapter()) ?? null;
  } catch {
    return null;
  }
}

/** Opens the runtime: WebGPU where there is an adapter and it is wanted, else WebAssembly. */
async function open({ wanted }) {
  const adapter = wanted === "wasm" ? null : await gpuAdapter();
  let why = "";
  if (adapter === null && wanted !== "wasm") {
    why = "This browser offers no WebGPU here, so the processor computes (WebAssembly).";
  }
  backend = adapter === null ? "wasm" : "webgpu";
  ort = await import(`./runtime/ort.${backend}.min.mjs`);
  ort.env.logLevel = "error";
  ort.env.wasm.wasmPaths = new URL("./runtime/", self.location.href).href;
  const cores = navigator.hardwareConcurrency || 1;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(cores, 8) : 1;
  if (!self.crossOriginIsolated && cores > 1) {
    why += " The server does not isolate this page, so one thread computes.";
  }
  post({ type: "opened", backend, threads: ort.env.wasm.numThreads, why: why.trim() });
}

async function fetched(url, tell) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: the server answers ${answer.status}`);
  const total = Number(answer.headers.get("content-length")) || 0;
  const parts = [];
  let loaded = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    tell(loaded, total);
  }
  const content = new Uint8Array(loaded);
  let at = 0;
  for (const part of parts) {
    content.set(part, at);
    at += part.length;
  }
  return content;
}

/**
 * The slope of a network's score along its gradient, over the gradient's length: 1 where both passes
 * are right. Graphics drivers may compute wrongly without a word.
 */
async function slope(session, size, classes) {
  const dims = [size, size, 3];
  const middle = Float32Array.from({ length: size * size * 3 }, (_, i) => 0.5 + 0.2 * Math.sin(i * 0.37));
  const weights = new Float32Array(classes);
  weights[0] = 1;
  const given = {
    noise: new ort.Tensor("float32", new Float32Array(middle.length), [1, ...dims]),
    target_weights: new ort.Tensor("float32", weights, [classes]),
  };
  const at = async (image) => session.run({ image: new ort.Tensor("float32", image, dims), ...given });
  const gradient = Float32Array.from((await at(middle)).gradient.data);
  const length = norm(gradient);
  const moved = (far) => middle.map((value, i) => value + (far * gradient[i]) / length);
  const [up, down] = [await at(moved(NEAR)), await at(moved(-NEAR))];
  return (up.objective.data[0] - down.objective.data[0]) / (2 * NEAR * length);
}

async function load({ name, url, size, classes }) {
  if (networks.has(name)) {
    post({ type: "loaded", name });
    return;
  }
  const content = await fetched(url, (loaded, total) => post({ type: "loading", name, loaded, total }));
  const options = { executionProviders: [backend], graphOptimizationLevel: "all" };
  const session = await ort.InferenceSession.create(content, options);
  if (backend === "webgpu") {
    const found = await slope(session, size, classes);
    if (!(Math.abs(found - 1) < OFF)) throw new Error(`the gradient computed there is wrong (slope ${found.toFixed(2)})`);
  }
  networks.set(name, session);
  post({ type: "loaded", name });
}

/** Objective and gradient of one network at its picture, a few draws at a time. */
async function seen(state, noise, count) {
  const { size, settings } = run;
  const session = networks.get(state.name);
  if (!session) throw new Error(`network ${state.name} is not loaded`);
  const pixels = size * size * 3;
  const noisy = state.sigma > 0;
  const total = noisy ? count : 1;
  const atOnce = Math.max(1, Math.floor(PIXELS_AT_ONCE / (size * size)));
  const image = new ort.Tensor("float32", state.image, [size, size, 3]);
  const weights = new Float32Array(run.classes);
  weights[settings.target] = 1;
  const target = new ort.Tensor("float32", weights, [run.classes]);
  const chunks = [];
  for (let first = 0; first < total; first += atOnce) {
    const number = Math.min(atOnce, total - first);
    const scaled = new Float32Array(number * pixels);
    if (noisy) {
      for (let i = 0; i < scaled.length; i += 1) scaled[i] = state.sigma * noise[first * pixels + i];
    }
    const given = new ort.Tensor("float32", scaled, [number, size, size, 3]);
    const found = await session.run({ image, noise: given, target_weights: target });
    chunks.push({
      count: number,
      gradient: found.gradient.data,
      logits: found.logits.data,
      probabilities: found.probabilities.data,
    });
  }
  const pairs = settings.sampling === "antithetic" && noisy;
  return combined(chunks, settings.target, pairs ? 2 : 1, noisy);
}

/** 8-bit pixels with an opaque fourth channel, as canvases take them. */
function painted(image) {
  const pixels = new Uint8ClampedArray((image.length / 3) * 4);
  for (let i = 0, j = 0; i < image.length; i += 3, j += 4) {
    pixels[j] = Math.round(image[i] * 255);
    pixels[j + 1] = Math.round(image[i + 1] * 255);
    pixels[j + 2] = Math.round(image[i + 2] * 255);
    pixels[j + 3] = 255;
  }
  return pixels;
}

function begin(message) {
  playing = false;
  run = {
    ...message,
    step: 0,
    states: message.networks.map(({ name, sigma }) => ({
      name, sigma, image: message.start, trace: null,
    })),
  };
}

/** Looks without moving, so that probabilities stand there before the first step. */
async function look(wanted) {
  if (run.id !== wanted) return;
  const { id, size, settings } = run;
  const noise = draws("independent", settings.seed, -1, settings.draws, size * size * 3);
  for (const state of run.states) {
    const estimate = await seen(state, noise, settings.draws);
    if (run.id !== id) return;
    post({ type: "looked", id, name: state.name, ...told(estimate) });
  }
}

const told = ({ probabilities, objective, error, draws: number }) => ({
  probabilities, objective, error, draws: number,
});

async function step() {
  const { id, size, settings, start, mask } = run;
  const number = run.step;
  const noise = run.noise
    ? run.noise[number]
    : draws(settings.sampling, settings.seed, number, settings.draws, size * size * 3);
  const length = settings.stepSize * factor(settings.schedule, number, settings.steps);
  const how = { length, epsilon: settings.epsilon, momentum: settings.momentum };
  const results = [];
  const states = [];
  for (const state of run.states) {
    const estimate = await seen(state, noise, settings.draws);
    if (run.id !== id) return;
    const next = { ...state, ...advance(state, start, estimate.gradient, how, mask) };
    states.push(next);
    results.push({
      name: state.name,
      ...told(estimate),
      gradientNorm: norm(estimate.gradient),
      before: norm(state.image, start),
      distance: norm(next.image, start),
      pixels: painted(next.image),
      ...(run.exact ? { image: next.image.slice() } : {}),
    });
  }
  run.states = states;
  run.step = number + 1;
  post({ type: "stepped", id, step: run.step, results }, results.map(({ pixels }) => pixels.buffer));
}

async function play() {
  const { id } = run;
  while (playing && run.id === id && run.step < run.settings.steps) {
    await step();
    await breath(); // what was asked meanwhile is heard
  }
  if (run.id === id && run.step >= run.settings.steps) {
    playing = false;
    post({ type: "finished", id });
  }
}

self.onmessage = ({ data }) => {
  const { type } = data;
  if (type === "open") enqueue(() => open(data), "runtime");
  if (type === "slope") {
    enqueue(async () => post({ type, slope: await slope(networks.get(data.name), data.size, data.classes) }), type);
  }
  if (type === "load") enqueue(() => load(data), data.name);
  if (type === "begin") {
    begin(data); // at once: a run under way sees that it is no longer wanted
    if (data.looks) enqueue(() => look(data.id), "look");
  }
  if (type === "settings" && run) run.settings = { ...run.settings, ...data.settings };
  if (type === "mask" && run) run.mask = data.mask;
  if (type === "play" && run && !playing) {
    playing = true;
    enqueue(play, "step");
  }
  if (type === "pause") playing = false;
};
