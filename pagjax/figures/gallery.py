"""One static page of every figure in a folder, pictures inside, no script from elsewhere."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
from pathlib import Path
from typing import Any

from pagjax.runs import files

PAGE = "index.html"

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --faint: #63636b; --paper: #fff; --line: #ddd; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --faint: #a0a0aa; --paper: #17171b; --line: #3a3a42; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin: 0 0 .5rem; }
section { border-top: 1px solid var(--line); padding: 1.5rem 0; }
nav a { display: inline-block; margin: 0 .6rem .3rem 0; }
a { color: inherit; }
.sheet { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: 1rem 0; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
code { display: block; overflow-x: auto; padding: .5rem; font-size: .8rem;
  border: 1px solid var(--line); border-radius: 4px; white-space: pre; }
.ways { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
.way { width: 9rem; font-size: .8rem; color: var(--faint); }
.way canvas { width: 9rem; height: 9rem; image-rendering: pixelated; border-radius: 4px; }
.way input { width: 100%; }
.note { color: var(--faint); font-size: .9rem; }
@media print { .ways { display: none; } section { break-inside: avoid; } body { max-width: none; } }
"""

_SCRIPT = """
for (const way of document.querySelectorAll(".way")) {
  const strip = new Image(), canvas = way.querySelector("canvas");
  const slider = way.querySelector("input"), side = canvas.width;
  const show = () => canvas.getContext("2d").drawImage(
    strip, slider.value * side, 0, side, canvas.height, 0, 0, side, canvas.height);
  slider.addEventListener("input", show);
  strip.addEventListener("load", show);
  strip.src = canvas.dataset.strip;
}
"""

_HEADINGS = {
    "variant": "",
    "pictures": "pictures",
    "distance": "l2 distance",
    "logit_start": "own logit, start",
    "logit": "own logit",
    "probability_start": "own p, start",
    "probability": "own p",
    "judge_robust_hit": "judge sees target",
    "judge_robust_probability": "judge p",
    "judge_vanilla_hit": "vanilla judge sees it",
    "judge_vanilla_blurred_hit": "the same, blurred",
    "high_frequencies": "high frequencies",
    "certified_radius": "certified radius",
}


def write(folder: Path) -> Path:
    """Writes the page of every figure in a folder, whole or not at all.

    Args:
        folder: holds ``figure-NN`` folders that the command wrote.

    Returns:
        The page's path.

    Raises:
        ValueError: if there is no figure.
    """
    records = sorted(folder.glob("figure-*/record.json"))
    if not records:
        raise ValueError(f"{folder} holds no figure: make one with `python -m pagjax.figures 1`")
    told = [json.loads(path.read_text(encoding="utf-8")) for path in records]
    sections = [_section(path.parent, record) for path, record in zip(records, told, strict=True)]
    links = "".join(
        f'<a href="#figure-{record["figure"]}">{record["figure"]}. {html.escape(record["title"])}'
        "</a>"
        for record in told
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Perceptually-aligned gradients, figure by figure</title>"
        f"<style>{_STYLE}</style></head><body>"
        "<h1>Perceptually-aligned gradients, figure by figure</h1>"
        "<p>The figures of Kaur, Cohen and Lipton (2019), drawn by pagjax. The judge is an "
        "adversarially trained network that made none of the pictures; the number under a picture "
        "is the probability that it assigns to the target, and intervals hold 95%. A vanilla judge "
        "is no evidence: adversarial grain carries over from one vanilla network to another, so it "
        "is reported only as a warning beside the robust one. Own logit and p are those of the "
        "network that made the pictures. "
        "High frequencies are the share of the perturbation's spectral energy above a quarter of "
        "the Nyquist frequency.</p>"
        f"<nav>{links}</nav>{''.join(sections)}<script>{_SCRIPT}</script></body></html>"
    )
    files.write_bytes(folder / PAGE, page.encode())
    return folder / PAGE


def _section(folder: Path, record: dict[str, Any]) -> str:
    number, title = record["figure"], html.escape(record["title"])
    picture = _address((folder / "figure.png").read_bytes())
    ways = "".join(_way(folder, way) for way in record["ways"])
    return (
        f'<section id="figure-{number}"><h2>Figure {number}. {title}</h2>'
        f"<p>{html.escape(record['shows'])}</p>"
        f'<div class="scroll"><img class="sheet" alt="Figure {number}: {title}" src="{picture}">'
        f'</div><div class="ways">{ways}</div>'
        f'<div class="scroll">{_table(folder / "means.csv")}</div>'
        f'<p class="note">{html.escape(record["settings"])}</p>'
        f"<code>{html.escape(record['command'])}</code></section>"
    )


def _way(folder: Path, way: dict[str, Any]) -> str:
    strip = _address((folder / way["file"]).read_bytes())
    last, side = way["frames"] - 1, way["side"]
    label = html.escape(way["label"])
    return (
        f'<div class="way"><canvas width="{side}" height="{side}" data-strip="{strip}">'
        f'</canvas><input type="range" min="0" max="{last}" value="{last}" '
        f'aria-label="step of {label}">{label}</div>'
    )


def _table(path: Path) -> str:
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    shown = [name for name in _HEADINGS if name in rows[0]]
    head = "".join(f"<th>{_HEADINGS[name]}</th>" for name in shown)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_entry(row, name))}</td>" for name in shown) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _entry(row: dict[str, str], name: str) -> str:
    """A number in three digits, a share with its interval."""
    try:
        told = f"{float(row[name]):.3g}"
    except ValueError:
        return row[name]
    if row.get(f"{name}_low"):
        told += f" ({float(row[f'{name}_low']):.2f} to {float(row[f'{name}_high']):.2f})"
    return told


def _address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
