"""What is said on the page of figures, how it looks, and the little that moves on it."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --faint: #63636b; --paper: #fff; --line: #ddd; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --faint: #a0a0aa; --paper: #17171b; --line: #3a3a42; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin: 0 0 .5rem; }
.scroll + h2 { margin-top: 2rem; }
section { border-top: 1px solid var(--line); padding: 1.5rem 0; }
nav { margin-bottom: 1.5rem; }
nav a { display: inline-block; margin: 0 .6rem .3rem 0; }
a { color: inherit; }
.sheet { display: block; background: #fff; border-radius: 4px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: 1rem 0; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
tbody th { font-weight: normal; } td:first-child { white-space: nowrap; }
.words td:first-child { white-space: normal; }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
.words td, .words th { vertical-align: top; }
.words td:nth-child(2) { min-width: 14rem; } .words td:nth-child(3) { white-space: nowrap; }
td small { display: block; color: var(--faint); white-space: nowrap; }
code { display: block; overflow-x: auto; padding: .5rem; font-size: .8rem;
  border: 1px solid var(--line); border-radius: 4px; white-space: pre; }
.ways { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
.way { max-width: 100%; font-size: .8rem; color: var(--faint); }
.way canvas { display: block; width: 100%; image-rendering: pixelated; border-radius: 4px; }
.way input { width: 100%; }
.note { color: var(--faint); font-size: .9rem; }
@media (max-width: 40rem) {
  th, td { padding: .2rem .35rem; } nav a { display: block; padding: .3rem 0; }
  .words thead { display: none; } .words, .words tbody { display: block; }
  .words tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .words td { border: 0; padding: 0 .5rem 0 0; display: inline; }
  .words td:nth-child(2) { display: block; } .words td:first-child::before { content: "Figure "; }
}
@media print {
  .ways { display: none; } section, tr { break-inside: avoid; } body { max-width: none; }
  .scroll, code { overflow: visible; } code { white-space: pre-wrap; }
  .sheet { max-width: 100%; max-height: 60vh; }
  table { font-size: .65rem; } th, td { padding: .15rem .3rem; }
}
"""

SCRIPT = """
for (const way of document.querySelectorAll(".way")) {
  const strip = new Image(), canvas = way.querySelector("canvas");
  const slider = way.querySelector("input"), side = canvas.width;
  const show = () => canvas.getContext("2d").drawImage(
    strip, slider.value * side, 0, side, canvas.height, 0, 0, side, canvas.height);
  slider.addEventListener("input", show);
  strip.addEventListener("load", show);
  strip.src = canvas.dataset.strip;
}
if (location.protocol !== "file:")
  for (const link of document.querySelectorAll("[data-served]")) link.href = link.dataset.served;
"""

ABOUT = """
<p>The figures of Kaur, Cohen and Lipton (2019),
<a href="https://arxiv.org/abs/1910.08640">Are Perceptually-Aligned Gradients a General Property of
Robust Classifiers?</a>, drawn by @PAGJAX@. Under every picture stands
the probability that a judge assigns to the target; intervals hold 95%. Drag a slider from the
result back to the start.</p>
<p><strong>Which judge is asked decides what is found.</strong> The headline is the robust
judge: an adversarially trained network of another architecture that took no part in making the
picture. A vanilla judge
stands beside it as a warning: adversarial grain carries over from one vanilla network to another,
so that it finds the target in pictures in which nobody else does. The same vanilla judge of blurred
pictures, from which the grain is gone, is a check.</p>
<p>One judge can be wrong in its own way, so there is <strong>a panel</strong>: the robust judge, a
second robust one that was trained with Gaussian noise and judges under it, and the vanilla one.
Its p is the mean of theirs, beside it stand the share of them that see the target and the share of
its pairs that name the same class, whichever it is. No network is asked about its own pictures, nor
about those of a network that was trained on from it, so the panel of some networks is smaller, and
panels of different networks compare less well than the robust judge, to whom all claims are held.
What people name without captions is the last word: see the blind test.</p>
<p>Where a judge's p has come to 1, its log-odds tell pictures apart: the log of the target's
probability over that of all other classes together, 0 where they are even.
Own logit and p are those of the network that made the pictures. High frequencies are the share
of the perturbation's spectral energy above a quarter of the Nyquist frequency. The correlation
length is the distance at which a perturbation no longer resembles itself. Features count how many
patches of that length the changed area holds: 1 for a single blob, thousands for noise.</p>
"""

HEADINGS = {
    "variant": "",
    "pictures": "pictures",
    "distance": "l2 distance",
    "logit_start": "own logit, start",
    "logit": "own logit",
    "probability_start": "own p, start",
    "probability": "own p",
    "judge_robust_hit": "robust judge sees target",
    "judge_robust_probability": "its p",
    "judge_robust_log_odds": "its log-odds",
    **{f"judge_robust_{number}_hit": f"robust judge {number}" for number in range(2, 6)},
    "judge_vanilla_hit": "vanilla judge (warning)",
    "judge_vanilla_blurred_hit": "the same, blurred",
    "panel_probability": "panel's p",
    "panel_share": "of the panel see it",
    "panel_agreement": "of its pairs agree",
    "high_frequencies": "high frequencies",
    "correlation_length": "correlation length, pixels",
    "features": "features",
    "certified_radius": "certified radius",
}
