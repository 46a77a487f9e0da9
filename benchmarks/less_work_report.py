"""What `benchmarks/less_work.py` left in a folder, as tables, a figure and sheets; no network."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_INTERVALS = [[name, f"{name}_low", f"{name}_high"] for name in ("logit", "of_paper", "transfer")]
FIELDS = ["network", "recipe", "gradients", "count", *_INTERVALS[0], *_INTERVALS[1], "judge"]
FIELDS += _INTERVALS[2]
PICTURE_FIELDS = ("network", "recipe", "gradients", "picture", "target", "logit")
_CALLED = "called by "
_ON_A_SHEET = 10


def called(judge: str) -> str:
    """The name under which a run keeps what a judge calls its pictures.

    Example:
        >>> called("networks/robust")
        'called by robust'
    """
    return _CALLED + Path(judge).name


def run_file(out: Path, network: str, recipe: str, first: int) -> Path:
    """Where the pictures of one network, recipe and batch are kept."""
    plain = "-".join("".join(c if c.isalnum() else " " for c in recipe).split())
    return out / "runs" / Path(network).name / f"{plain}-{first:05d}.npz"


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes an ``.npz``, whole or not at all."""
    from pagjax.io.files import atomic

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic.write_bytes(path, buffer.getvalue())


def is_done(file: Path, settings: str, numbers: np.ndarray) -> bool:
    """Whether a run is on disk; one of other settings or pictures is refused."""
    if not file.exists():
        return False
    with np.load(file, allow_pickle=False) as held:
        same = str(held["settings"]) == settings and np.array_equal(held["numbers"], numbers)
    if not same:
        raise SystemExit(f"{file} is of other settings, weights or pictures: choose another --out")
    return True


def runs(out: Path) -> Iterator[tuple[Path, dict[str, np.ndarray]]]:
    """Every run in the folder, with its network's and recipe's place in the file's path."""
    for file in sorted((out / "runs").glob("*/*.npz")):
        with np.load(file, allow_pickle=False) as held:
            yield file, {name: held[name] for name in held.files}


def draw(out: Path) -> None:
    """Writes both tables, the figure and a sheet for each network; prints how fast compares."""
    from pagjax.io.files import atomic

    found = [(*_named(file), run) for file, run in runs(out)]
    if not found:
        raise SystemExit(f"{out} holds no runs")
    pictures = by_picture(found)
    rows = summary(pictures)
    judges = sorted({name for row in pictures for name in row if name.startswith(_CALLED)})
    atomic.write_bytes(out / "pictures.csv", table(pictures, [*PICTURE_FIELDS, *judges]))
    atomic.write_bytes(out / "less-work.csv", table(rows, FIELDS))
    for network in dict.fromkeys(name for name, _, _ in found):
        own = [(recipe, run) for name, recipe, run in found if name == network]
        atomic.write_bytes(out / f"{network}.png", sheet(own))
    print("\n".join(verdicts(rows)), flush=True)
    atomic.write_bytes(out / "less-work.png", figure(rows))


def _named(file: Path) -> tuple[str, str]:
    return file.parent.name, file.stem.rsplit("-", 1)[0]


def by_picture(found: Sequence[tuple[str, str, dict[str, np.ndarray]]]) -> list[dict[str, Any]]:
    """One row for each picture at each point: its logit, and what judges call it."""
    rows = []
    for network, recipe, run in found:
        judges = [name for name in run if name.startswith(_CALLED)]
        for point, gradients in enumerate(run["gradients"]):
            for index, number in enumerate(run["numbers"]):
                row: dict[str, Any] = {
                    "network": network,
                    "recipe": recipe,
                    "gradients": int(gradients),
                    "picture": int(number),
                    "target": str(run["labels"][index]),
                    "logit": round(float(run["logits"][point, index]), 5),
                }
                rows.append({**row, **{name: str(run[name][point, index]) for name in judges}})
    return rows


def summary(pictures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over pictures with 95% intervals; logits also as shares of the paper recipe's last."""
    from pagjax.alignment.intervals import mean_interval

    points: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in pictures:
        points.setdefault((row["network"], row["recipe"], row["gradients"]), []).append(row)
    rows = []
    for (network, recipe, gradients), own in sorted(points.items()):
        last = max((g for n, r, g in points if (n, r) == (network, "paper")), default=None)
        logit = mean_interval(np.array([row["logit"] for row in own]))
        row = {"network": network, "recipe": recipe, "gradients": gradients, "count": len(own)}
        row |= _rounded(logit._asdict(), "logit")
        if last is not None:
            reference = {r["picture"]: r["logit"] for r in points[network, "paper", last]}
            pairs = [
                (r["logit"], reference[r["picture"]]) for r in own if r["picture"] in reference
            ]
            if len(pairs) > 1:
                row |= _rounded(ratio_interval(*np.array(pairs).T), "of_paper")
        judges = [name for name in own[0] if name.startswith(_CALLED)]
        for judge in judges:
            hits = sum(r[judge] == r["target"] for r in own if judge in r)
            transfer = wilson(hits, sum(judge in r for r in own))
            rows.append(
                {**row, "judge": judge.removeprefix(_CALLED), **_rounded(transfer, "transfer")}
            )
        if not judges:
            rows.append(row)
    return rows


def wilson(hits: int, trials: int, z: float = 1.959964) -> dict[str, float]:
    """A share and its 95% interval (Wilson 1927).

    Example:
        >>> {name: round(value, 4) for name, value in wilson(90, 100).items()}
        {'value': 0.9, 'low': 0.8256, 'high': 0.9448}
    """
    share, weight = hits / trials, z**2 / trials
    centre = (share + weight / 2) / (1 + weight)
    margin = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return {"value": share, "low": max(0.0, centre - margin), "high": min(1.0, centre + margin)}


def ratio_interval(ours: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """The ratio of two means over the same pictures and its 95% interval, linearised.

    Reference: Cochran (1977), section 6.3, with Student's quantile.

    Example:
        >>> reference = np.array([1.0, 2.0, 4.0])
        >>> ratio_interval(1.5 * reference, reference)
        {'value': 1.5, 'low': 1.5, 'high': 1.5}
    """
    from pagjax.alignment.intervals import mean_interval

    ratio = float(ours.mean() / reference.mean())
    error = mean_interval(ours - ratio * reference)
    margin = (error.high - error.low) / 2 / abs(float(reference.mean()))
    return {"value": ratio, "low": ratio - margin, "high": ratio + margin}


def _rounded(interval: dict[str, float], name: str) -> dict[str, float]:
    names = {"value": name, "low": f"{name}_low", "high": f"{name}_high"}
    return {names[part]: round(value, 4) for part, value in interval.items()}


def verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """For each network and judge, the last of `fast` beside the last of `paper`."""
    lasts: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        lasts[row["network"], row.get("judge", ""), row["recipe"]] = row
    lines = []
    for (network, judge, recipe), fast in lasts.items():
        paper = lasts.get((network, judge, "paper"))
        if recipe != "fast" or paper is None or "of_paper" not in fast:
            continue
        line = (
            f"{network}: fast {fast['logit']} of paper {paper['logit']}, ratio {fast['of_paper']} "
            f"({fast['of_paper_low']} to {fast['of_paper_high']}) for "
            f"{fast['gradients']} of {paper['gradients']} gradients, {fast['count']} pictures"
        )
        if judge:
            low, high = paper["transfer_low"], paper["transfer_high"]
            within = "within" if low <= fast["transfer"] <= high else "outside"
            line += f"; {judge}: {fast['transfer']}, {within} paper's {low} to {high}"
        lines.append(line)
    return lines


def table(rows: Sequence[dict[str, Any]], fields: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def sheet(found: Sequence[tuple[str, dict[str, np.ndarray]]]) -> bytes:
    """The first pictures: starts, then a row for each recipe."""
    from pagjax.io.pictures import sheets

    batches: dict[str, list[dict[str, np.ndarray]]] = {}
    for recipe, run in found:
        batches.setdefault(recipe, []).append(run)
    count = min(_ON_A_SHEET, *(len(_joined(own, "labels")) for own in batches.values()))
    one = next(iter(batches.values()))
    rows, logits = {"start": _joined(one, "start")[:count]}, {"start": [""] * count}
    for recipe, own in batches.items():
        rows[recipe] = _joined(own, "images", last=True)[:count]
        logits[recipe] = [f"{value:.2f}" for value in _joined(own, "logits", last=True)[:count]]
    return sheets.png(
        sheets.contact_sheet(
            [[picture / 255 for picture in pictures] for pictures in rows.values()],
            row_labels=list(rows),
            column_labels=[str(label) for label in _joined(one, "labels")[:count]],
            captions=[logits[name] for name in rows],
            footer="Each column a picture and its target; below each its smoothed target logit.",
        )
    )


def _joined(runs: Sequence[dict[str, np.ndarray]], name: str, last: bool = False) -> np.ndarray:
    """An array of several batches of pictures; of the last point if asked."""
    return np.concatenate([run[name][-1] if last else run[name] for run in runs])


def figure(rows: Sequence[dict[str, Any]]) -> bytes:
    """Logit, and each judge's transfer, against gradients; bars are 95% intervals."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    networks = list(dict.fromkeys(row["network"] for row in rows))
    judges = list(dict.fromkeys(row["judge"] for row in rows if "judge" in row))
    drawing = Figure(figsize=(5 * len(networks), 3.6 * (1 + len(judges))), layout="constrained")
    recipes = list(dict.fromkeys(row["recipe"] for row in rows))
    colours = {recipe: f"C{number}" for number, recipe in enumerate(recipes)}
    axes = drawing.subplots(1 + len(judges), len(networks), squeeze=False)
    for column, network in enumerate(networks):
        for line, judge in enumerate([None, *judges]):
            own = [row for row in rows if row["network"] == network]
            own = [row for row in own if row.get("judge") == (judge or own[0].get("judge"))]
            if not own:  # this judge was not asked about this network
                axes[line, column].set_visible(False)
                continue
            _plot(axes[line, column], own, "transfer" if judge else "logit", colours)
            label = "smoothed target logit" if judge is None else f"{judge}\ncalls it the target"
            axes[line, column].set_ylabel(label)
            axes[line, column].set_title(network)
    lines = [Line2D([], [], color=colour, marker="o", ms=3) for colour in colours.values()]
    drawing.legend(lines, recipes, loc="outside lower center", ncols=len(recipes))
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _plot(
    axis: Any, rows: Sequence[dict[str, Any]], measured: str, colours: dict[str, str]
) -> None:
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        points = [row for row in rows if row["recipe"] == recipe]
        values = np.array([row[measured] for row in points])
        bars = np.abs(
            [[row[f"{measured}_{end}"] for row in points] for end in ("low", "high")] - values
        )
        spent = [row["gradients"] for row in points]
        axis.errorbar(spent, values, bars, marker="o", ms=3, capsize=2, color=colours[recipe])
    axis.set_xscale("log")
    axis.set_xlabel("network gradients an image")
