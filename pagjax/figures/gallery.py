"""One static page of every figure in a folder, pictures inside, no script from elsewhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pagjax.figures import blind_table, told
from pagjax.figures.claims import Claim
from pagjax.figures.observations import Observation, hold
from pagjax.figures.places import BLIND_PAGE, PAGE, TITLE
from pagjax.figures.told import Told, Way
from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError

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
nav { margin-bottom: 1.5rem; }
nav a { display: inline-block; margin: 0 .6rem .3rem 0; }
a { color: inherit; }
.sheet { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: 1rem 0; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
.words td, .words th { vertical-align: top; }
.words td:nth-child(2) { min-width: 14rem; } .words td:nth-child(3) { white-space: nowrap; }
code { display: block; overflow-x: auto; padding: .5rem; font-size: .8rem;
  border: 1px solid var(--line); border-radius: 4px; white-space: pre; }
.ways { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
.way { width: 9rem; font-size: .8rem; color: var(--faint); }
.way canvas { width: 9rem; height: 9rem; image-rendering: pixelated; border-radius: 4px; }
.way input { width: 100%; }
.note { color: var(--faint); font-size: .9rem; }
@media (max-width: 40rem) {
  th, td { padding: .2rem .35rem; } .words td:nth-child(2) { min-width: 9rem; }
  .sheet { max-width: none; } nav a { padding: .3rem 0; } .way, .way canvas { width: 8rem; }
  .way canvas { height: 8rem; }
}
@media print {
  .ways { display: none; } section, tr { break-inside: avoid; } body { max-width: none; }
  .scroll, code { overflow: visible; } code { white-space: pre-wrap; }
  .sheet { max-height: 60vh; } table { font-size: .65rem; } th, td { padding: .15rem .3rem; }
}
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

_ABOUT = """
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
<p>Own logit and p are those of the network that made the pictures. High frequencies are the share
of the perturbation's spectral energy above a quarter of the Nyquist frequency. The correlation
length is the distance at which a perturbation no longer resembles itself. Features count how many
patches of that length the changed area holds: 1 for a single blob, thousands for noise.</p>
"""

_HEADINGS = {
    "variant": "",
    "pictures": "pictures",
    "distance": "l2 distance",
    "logit_start": "own logit, start",
    "logit": "own logit",
    "probability_start": "own p, start",
    "probability": "own p",
    "judge_robust_hit": "robust judge sees target",
    "judge_robust_probability": "its p",
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


def write(folder: Path) -> Path:
    """Writes the page of every figure in a folder, whole or not at all.

    All that stands in records is text there, and no file but the figures' own pictures is in it.

    Args:
        folder: holds ``figure-NN`` folders that the command wrote.

    Returns:
        The page's path.

    Raises:
        RefusedError: if there is no figure, or one's files or the table of the blind test were
            edited; naming file and field.
    """
    records = sorted(folder.glob(f"figure-*/{told.RECORD}"))
    if not records:
        raise RefusedError(f"{folder} holds no figure: make one with `python -m pagjax.figures 1`")
    figures = [told.read(path.parent) for path in records]
    links = "".join(
        f'<a href="#figure-{one.number}">{one.number}. {_text(one.title)}</a>' for one in figures
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{TITLE}</title>"
        f"<style>{_STYLE}</style></head><body>"
        f"<h1>{TITLE}</h1>"
        f"{_ABOUT.replace('@PAGJAX@', _home(folder))}<nav>{links}</nav>{_overview(figures)}"
        f"{_blind(folder)}"
        f"{''.join(map(_section, figures))}<script>{_SCRIPT}</script></body></html>"
    )
    atomic.write_bytes(folder / PAGE, page.encode("utf-8", "replace"))
    return folder / PAGE


def observations(told: list[dict[str, Any]]) -> list[tuple[list[int], Observation]]:
    """What the paper saw, held against the pictures of all figures that show the same.

    Args:
        told: records of figures.

    Returns:
        For every claim the figures' numbers, and what was found in them together.
    """
    return _observed(
        [
            (record["figure"], tuple(Claim(**claim) for claim in record["claims"]), record["rows"])
            for record in told
        ]
    )


def _observed(
    figures: Sequence[tuple[int, tuple[Claim, ...], Sequence[dict[str, Any]]]],
) -> list[tuple[list[int], Observation]]:
    alike: dict[tuple[Claim, ...], list[tuple[int, Sequence[dict[str, Any]]]]] = {}
    for number, claims, rows in figures:
        alike.setdefault(claims, []).append((number, rows))
    return [
        ([number for number, _ in same], hold(claim, [row for _, rows in same for row in rows]))
        for claims, same in alike.items()
        for claim in claims
    ]


def _text(words: str) -> str:
    return html.escape(words, quote=True)


def _overview(figures: Sequence[Told]) -> str:
    observed = _observed([(one.number, one.claims, one.rows) for one in figures])
    rows = "".join(
        f"<tr><td>{', '.join(map(_link, numbers))}</td><td>{_text(one.words)}</td>"
        f"<td>{one.verdict}</td><td>{_text(one.number)}</td></tr>"
        for numbers, one in observed
    )
    return (
        "<h2>Does what the paper saw hold for these networks?</h2>"
        '<p class="note">A claim is held against the 95% interval of a mean over the pictures of '
        "all figures that show the same; it is undecided where the interval reaches both sides of "
        "the line.</p>"
        '<div class="scroll"><table class="words"><thead><tr><th>figures</th><th>seen</th>'
        f"<th>here</th><th>number</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _blind(folder: Path) -> str:
    """What readers of the blind test named, and a link to it; nothing where there is neither."""
    table = blind_table.read(folder)
    page = (folder / BLIND_PAGE).is_file()
    if not (table or page):
        return ""
    link = f'<p><a href="{BLIND_PAGE}">Look for yourself</a>: the same test, in the browser.</p>'
    if not table:
        return f"<h2>Named without captions</h2>{link}"
    head, *lines = blind_table.cells(table)
    cells = "".join(
        f"<tr>{''.join(f'<td>{_text(word)}</td>' for word in line)}</tr>" for line in lines
    )
    return (
        "<h2>Named without captions</h2>"
        '<p class="note">Pictures of all networks in random order, without captions: how often '
        "readers named the target, and what judges and their panel say of exactly the same "
        f"pictures. Looked: {_text(', '.join(blind_table.readers(table)))}.</p>"
        f'<div class="scroll"><table><thead><tr>'
        f"{''.join(f'<th>{_text(word)}</th>' for word in head)}"
        f"</tr></thead><tbody>{cells}</tbody></table></div>{link if page else ''}"
    )


def _home(folder: Path) -> str:
    """The project's name, a link where the page lies in the repository's documentation."""
    beside = Path("..", "..", "README.md")
    return f'<a href="{beside.as_posix()}">pagjax</a>' if (folder / beside).is_file() else "pagjax"


def _link(number: int) -> str:
    return f'<a href="#figure-{number}">{number}</a>'


def _section(figure: Told) -> str:
    number, title = figure.number, _text(figure.title)
    ways = "".join(_way(picture, way) for picture, way in figure.ways)
    return (
        f'<section id="figure-{number}"><h2>Figure {number}. {title}</h2>'
        f"<p>{_text(figure.shows)}</p>"
        f'<div class="scroll"><img class="sheet" alt="Figure {number}: {title}" '
        f'src="{_address(*figure.picture)}">'
        f'</div><div class="ways">{ways}</div>'
        f'<div class="scroll">{_table(figure.means)}</div>'
        f'<p class="note">{_text(figure.settings)}</p>'
        f"<code>{_text(figure.command)}</code></section>"
    )


def _way(picture: tuple[str, bytes], way: Way) -> str:
    last, side, label = way.frames - 1, way.side, _text(way.label)
    return (
        f'<div class="way"><canvas width="{side}" height="{side}" '
        f'data-strip="{_address(*picture)}">'
        f'</canvas><input type="range" min="0" max="{last}" value="{last}" '
        f'autocomplete="off" aria-label="step of {label}">{label}</div>'
    )


def _table(rows: Sequence[dict[str, str]]) -> str:
    shown = [name for name in _HEADINGS if name in rows[0]]
    head = "".join(f"<th>{_HEADINGS[name]}</th>" for name in shown)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(_entry(row, name))}</td>" for name in shown) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _entry(row: dict[str, str], name: str) -> str:
    """A number in three digits, a share with its interval."""
    try:
        words = f"{float(row.get(name, '')):.3g}"
    except ValueError:
        return row.get(name, "")
    if row.get(f"{name}_low") and row.get(f"{name}_high"):
        words += f" ({float(row[f'{name}_low']):.2f} to {float(row[f'{name}_high']):.2f})"
    return words


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
