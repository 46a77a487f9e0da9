"""What is left of a figure on disk: drawing, tables, ways from start to result, record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pagjax.alignment.measurements import as_csv
from pagjax.figures import drawing, grid, places
from pagjax.figures.cast import Named
from pagjax.figures.observations import hold
from pagjax.figures.panels import Panel
from pagjax.figures.recipes import Figure
from pagjax.figures.rows import Means, Row
from pagjax.io.files import atomic, replacing
from pagjax.io.lettering.fonts import said, spaced
from pagjax.io.pictures import sheets
from pagjax.io.pictures.images import to_pillow
from pagjax.jobs import environment, state


def settings(made: Sequence[Panel], judges: Mapping[str, Named]) -> str:
    """What all cells share, in a sentence."""
    job = made[-1].job
    counts = {panel.job.num_samples for panel in made if panel.job.sigma}
    draws = f"N = {counts.pop()}, " if len(counts) == 1 else ""
    way = "momentum, " if job.momentum else ""
    steps = f"{job.num_steps} steps of {job.step_size:.3g}"
    if job.schedule == "linear":
        steps = f"{job.num_steps} steps falling from {job.step_size:.3g} to 0"
    said = f"epsilon {job.epsilon:.3g}, {steps}, {way}{job.image_size[0]} pixels, "
    said += f"{draws}seed {job.seed}. "
    if "robust" in judges:
        said += f"Judge: {judges['robust'].name}, asked about pictures that it did not make"
        made_some = any(panel.job.checkpoint == judges["robust"].name for panel in made)
        said += "; own is what the maker itself gives." if made_some else "."
        names = ", ".join(dict.fromkeys(judge.name for judge in judges.values()))
        if ", " in names:
            said += f" Panel: {names}; none judges its own pictures, or its kin's."
        return said
    return said + "No judge: own is the smoothed probability that the maker itself gives."


def write(
    recipe: Figure,
    arranged: grid.Grid,
    rows: Sequence[Row],
    means: Sequence[Means],
    settings: str,
    command: str,
    folder: Path,
) -> Path:
    """Makes a figure's files beside an earlier one's, then replaces those; gives their folder."""
    title = f"Figure {recipe.number}. {recipe.title}"
    home, begun = folder, folder / state.NAME
    replacing.remove_state(begun)
    folder = begun / replacing.RESULT
    for kind, content in drawing.draw(arranged, title=title, footer=settings).items():
        atomic.write_bytes(folder / f"figure.{kind}", content)
    table = [row.to_json() for row in rows]
    atomic.write_bytes(folder / "numbers.csv", as_csv(table))
    atomic.write_bytes(folder / "means.csv", as_csv([one.to_json() for one in means]))
    numbers = [row.numbers for row in rows]
    record = {
        "figure": recipe.number,
        "title": recipe.title,
        "shows": recipe.shows,
        "claims": [asdict(claim) for claim in recipe.claims],
        "observations": [asdict(hold(claim, numbers)) for claim in recipe.claims],
        "settings": settings,
        "command": command,
        "ways": _write_ways(arranged, folder),
        "rows": table,
        "environment": environment.describe(),
    }
    atomic.write_json(folder / "record.json", record)
    replacing.install(begun, remove=places.names_of_figure())
    return home


def _write_ways(arranged: grid.Grid, folder: Path) -> list[dict[str, object]]:
    """The ways from start to result of the first pictures, one a row of the grid and then more."""
    last = [cells[-1] for cells in arranged.cells] + list(arranged.cells[-1][:-1][::-1])
    ways: list[dict[str, object]] = []
    for cell in last:
        if cell.frames is None or cell.row is None or len(ways) == places.WAYS:
            continue
        name = f"ways/{len(ways) + 1}.png"
        side_by_side = np.concatenate(list(cell.frames), axis=1)
        atomic.write_bytes(folder / name, sheets.png(to_pillow(side_by_side / 255)))
        row = cell.row
        label = f"{spaced(row.start)} to {said(row.target)}, {row.numbers.variant}"
        count, side = cell.frames.shape[:2]
        ways.append({"file": name, "label": label, "frames": count, "side": side})
    return ways
