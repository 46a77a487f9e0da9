// What is known of a run at one of its steps: pictures, bars, numbers, curves.

import { byId } from "./controls.js";
import { draw } from "./curves.js";

/** Draws a run as it was after `at` steps, with the numbers of now. */
export function show(engine, panels, at, settings, mask) {
  const { run } = engine;
  const frame = engine.frameAt(at);
  for (const panel of panels) {
    const { name } = panel.network;
    const series = run.series.get(name);
    if (!series) continue;
    panel.show(frame.pixels.get(name), run.start, run.size, mask);
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
