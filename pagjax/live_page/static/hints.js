// What a visitor is to be told of the settings, and of failures.

import { byId } from "./controls.js";
import { forLoop, PRESETS, presetOf } from "./settings.js";

/** What presets, sigma and the error bars of these settings are to be told of. */
export function hints(settings, family, chosen) {
  const networkOf = (name) => family.networks.find((one) => one.name === name);
  const name = presetOf(settings, family);
  for (const one of PRESETS) byId(one).setAttribute("aria-pressed", String(one === name));
  const noisy = chosen.filter(({ sigma }) => sigma > 0);
  const others = noisy.filter(({ name: own }) => Math.abs(networkOf(own).sigma - settings.sigma) > 1e-6);
  byId("sigma-hint").classList.toggle("warns", others.length > 0);
  byId("sigma-hint").textContent = others.length
    ? `No chosen network was trained at sigma ${settings.sigma}: ${others.map(({ name: own }) => `${networkOf(own).title} at ${networkOf(own).sigma}`).join(", ")}. It may paint less well.`
    : noisy.length ? "Networks trained without noise run without it." : "These networks run without noise: sigma does nothing.";
  const groups = forLoop(settings).sampling === "antithetic" ? settings.draws / 2 : settings.draws;
  byId("error-note").textContent = groups < 2 ? "(no error from one pair)" : "± standard error";
}

/** What failed, and what to do about it. */
export function failure(of, message) {
  return /memory|allocat/i.test(message)
    ? `The browser has too little memory for this: ${message}. Choose fewer networks or draws.`
    : `${of}: ${message}. Reload the page to try again, or choose another network.`;
}
