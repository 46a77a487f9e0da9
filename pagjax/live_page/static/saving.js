// What is saved: the picture, the trajectory, and the record with which the run is repeated.

import { notice } from "./controls.js";
import { animation } from "./gif.js";

const SHOWN = 256; // least side of a saved animation
const MOST_FRAMES = 60;

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const scaleOf = (size) => Math.max(1, Math.ceil(SHOWN / size));

function canvasOf(pixels, size, scale = 1) {
  const small = document.createElement("canvas");
  Object.assign(small, { width: size, height: size });
  small.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels), size, size), 0, 0);
  if (scale === 1) return small;
  const large = document.createElement("canvas");
  Object.assign(large, { width: size * scale, height: size * scale });
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, large.width, large.height);
  return large;
}

const png = (canvas) => new Promise((done) => { canvas.toBlob(done, "image/png"); });

async function savePicture(pixels, size, name) {
  download(await png(canvasOf(pixels, size, scaleOf(size))), `${name}.png`);
}

function saveAnimation(frames, size, name) {
  const every = Math.max(1, Math.ceil(frames.length / MOST_FRAMES));
  const chosen = frames.filter((_, i) => i % every === 0 || i === frames.length - 1);
  download(animation(chosen, size, scaleOf(size), 8), `${name}.gif`);
}

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** A mask as bits, rows one after the other, the first pixel in the highest bit. */
function packed(mask) {
  const bytes = new Uint8Array(Math.ceil(mask.length / 8));
  mask.forEach((value, i) => { if (value) bytes[i >> 3] |= 128 >> (i & 7); });
  return base64(bytes);
}

/**
 * The record of one network's run, for `python -m pagjax.synthesize --repeat`.
 *
 * @param run what main.js keeps of a run: start, size, settings, mask, step, changes.
 */
export async function recordOf(run, network, sigma, page) {
  const { settings, size } = run;
  const falls = settings.schedule === "linear";
  const blob = await png(canvasOf(run.start, size));
  const start = base64(new Uint8Array(await blob.arrayBuffer()));
  const steps = falls || run.step === 0 ? settings.steps : run.step;
  return {
    live_page: page.version,
    note: "Made in a browser. The noise there comes from another generator: a repetition agrees "
      + "in distribution, not bit for bit.",
    start_png: start,
    start_name: run.name,
    steps_done: run.step,
    settings_changed_at_steps: run.changes,
    job: {
      checkpoint: network.checkpoint,
      checkpoint_sha256: network.weights_sha256,
      image_size: [size, size],
      targets: [settings.target],
      sigma,
      epsilon: settings.epsilon,
      step_size: settings.stepSize,
      num_steps: steps,
      num_samples: settings.draws,
      sampling: settings.sampling,
      momentum: settings.momentum,
      schedule: settings.schedule,
      objective: "tcm",
      projection: "ball-then-box",
      noise: "fresh",
      keep: "last",
      clip: true,
      seed: settings.seed,
      mask: run.mask ? packed(run.mask) : null,
    },
  };
}

async function saveRecord(run, network, sigma, page, name) {
  const record = await recordOf(run, network, sigma, page);
  download(new Blob([JSON.stringify(record, null, 2)], { type: "application/json" }), `${name}.json`);
}

/** Saves what is known of a run for one network: the picture after `at` steps, all of them, or the record. */
export async function saveRun(how, engine, name, at, family, page) {
  const { run } = engine;
  const network = run.networks.find((one) => one.name === name);
  const file = `${run.name}-to-${family.labels[run.settings.target].split(",")[0].replace(/\W+/g, "-")}-${name}`;
  if (how === "png") await savePicture(engine.frameAt(at).pixels.get(name), run.size, file);
  if (how === "gif") saveAnimation(run.frames.map(({ pixels: own }) => own.get(name)), run.size, file);
  if (how === "record") {
    await saveRecord(run, network, network.sigma, page, file);
    if (run.changes.length) notice("Settings changed on the way: the record repeats the run with those of the end.");
  }
}
