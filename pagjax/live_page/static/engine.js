// The page's side of the worker: which networks are there, and the run with all that was seen of it.

const MOST_BYTES = 96 * 2 ** 20; // of pictures kept of a trajectory
const DRAWS_SHOWN = 16; // probabilities are means over the last so many draws

export class Engine {
  /** @param tell {notice, progress, ready, stepped, looked, finished}: what happens. */
  constructor(tell) {
    this.tell = tell;
    this.loaded = new Set();
    this.asked = new Set();
    this.run = null;
    this.playing = false;
    this.numbers = 0;
    this.progress = new Map();
  }

  open(wanted) {
    this.worker?.terminate();
    this.loaded.clear();
    this.asked.clear();
    this.progress.clear();
    this.playing = false;
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.heard(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.tell.failed("worker", event.message || "the worker did not start");
    };
    this.worker.postMessage({ type: "open", wanted });
  }

  load(networks, { size, labels }) {
    for (const { name, file } of networks) {
      if (this.asked.has(name)) continue;
      this.asked.add(name);
      this.progress.set(name, 0);
      this.worker.postMessage({ type: "load", name, url: file, size, classes: labels.length });
    }
    this.tell.progress();
  }

  has(networks) {
    return networks.every(({ name }) => this.loaded.has(name));
  }

  /** A new run from its start; what an older one still says is not heard. */
  begin({ start, floats, size, classes, networks, settings, mask, name }) {
    this.numbers += 1;
    this.playing = false;
    this.run = {
      id: this.numbers, start, size, settings: { ...settings }, mask, name, networks, step: 0, changes: [],
      frames: [{ step: 0, pixels: new Map(networks.map((one) => [one.name, start])) }],
      series: new Map(networks.map((one) => [one.name, { objective: [], error: [], distance: [0], recent: [] }])),
    };
    const needed = networks.map(({ name: own, sigma }) => ({ name: own, sigma }));
    this.worker.postMessage({
      type: "begin", id: this.run.id, start: floats, size, classes, networks: needed, settings, mask,
      looks: this.has(networks),
    });
  }

  change(settings) {
    if (!this.run) return;
    if (this.run.step > 0 && this.run.changes.at(-1) !== this.run.step) this.run.changes.push(this.run.step);
    Object.assign(this.run.settings, settings);
    for (const series of this.run.series.values()) if ("target" in settings) series.recent = [];
    this.worker.postMessage({ type: "settings", settings });
  }

  paint(mask) {
    if (!this.run) return;
    if (this.run.step > 0 && this.run.changes.at(-1) !== this.run.step) this.run.changes.push(this.run.step);
    this.run.mask = mask;
    this.worker.postMessage({ type: "mask", mask });
  }

  play() {
    if (!this.run || this.playing) return;
    this.playing = true;
    this.worker.postMessage({ type: "play" });
  }

  pause() {
    this.playing = false;
    this.worker.postMessage({ type: "pause" });
  }

  heard(data) {
    const { type } = data;
    if (type === "opened") this.tell.opened(data);
    if (type === "loading") {
      this.progress.set(data.name, data.total ? data.loaded / data.total : 0.5);
      this.tell.progress();
    }
    if (type === "loaded") {
      this.loaded.add(data.name);
      this.progress.set(data.name, 1);
      this.tell.progress();
      this.tell.ready(data.name);
    }
    if (type === "failed") {
      this.playing = false;
      if (this.asked.delete(data.about)) this.progress.delete(data.about);
      this.tell.failed(data.about, data.message);
    }
    if (!this.run || data.id !== this.run.id) return;
    if (type === "looked" && this.run.step === 0) {
      this.saw(data);
      this.tell.looked(data.name);
    }
    if (type === "stepped") this.stepped(data);
    if (type === "finished") {
      this.playing = false;
      this.tell.finished();
    }
  }

  /** Takes one estimate into the mean over the last draws. */
  saw({ name, probabilities, draws }) {
    const { recent } = this.run.series.get(name);
    recent.push({ probabilities, draws });
    while (recent.length > 1 && recent.slice(1).reduce((sum, one) => sum + one.draws, 0) >= DRAWS_SHOWN) recent.shift();
  }

  probabilities(name) {
    const { recent } = this.run.series.get(name);
    if (!recent.length) return null;
    const total = recent.reduce((sum, one) => sum + one.draws, 0);
    return Array.from(recent[0].probabilities, (_, c) => (
      recent.reduce((sum, one) => sum + one.draws * one.probabilities[c], 0) / total));
  }

  stepped({ step, results }) {
    const { run } = this;
    run.step = step;
    if (step === 1) for (const series of run.series.values()) series.recent = [];
    for (const result of results) {
      const series = run.series.get(result.name);
      series.objective.push(result.objective);
      series.error.push(result.error);
      series.distance.push(result.distance);
      this.saw(result);
      if (!Number.isFinite(result.gradientNorm)) series.broken = true;
    }
    run.frames.push({ step, pixels: new Map(results.map(({ name, pixels }) => [name, pixels])) });
    const bytes = run.frames.length * results.length * run.size * run.size * 4;
    if (bytes > MOST_BYTES) run.frames = run.frames.filter((_, i) => i % 2 === 0 || i === run.frames.length - 1);
    this.tell.stepped();
  }

  /** The kept picture nearest before a step. */
  frameAt(step) {
    return this.run.frames.findLast((frame) => frame.step <= step) ?? this.run.frames[0];
  }
}
