"""From panels to a labelled grid: which picture stands where, and what is said under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pagjax.figures.panels import Panel
from pagjax.figures.recipes import Figure
from pagjax.figures.rows import Row
from pagjax.figures.starts import FigureStarts
from pagjax.io.lettering.fonts import said

_ABREAST = 5  # seeds of a grid; more stand in further rows, so that pictures need not shrink


@dataclass(frozen=True)
class Cell:
    """One picture of a grid.

    Attributes:
        picture: shape ``[height, width, 3]`` in [0, 1].
        row: of the figure's table; None for a starting image.
        frames: the way to it, 8 bits ``[frames, height, width, 3]``; None for a starting image.
        name: said below a starting image, where nothing above the column says it.
    """

    picture: np.ndarray
    row: Row | None = None
    frames: np.ndarray | None = None
    name: str = ""

    @property
    def caption(self) -> str:
        """The judge's probability of the target, or without a judge the smoothed network's own."""
        if self.row is None:
            return self.name
        values = self.row.numbers.values
        told = f"own {values['probability']:.2f}"
        if "judge_robust_probability" in values:
            told = f"judge {values['judge_robust_probability']:.2f}"
        if "certified_radius" in values:
            told += f", R {int(100 * values['certified_radius']) / 100:.2f}"
        return told


@dataclass(frozen=True)
class Grid:
    """Cells with labels, row by row."""

    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]


def arrange(
    recipe: Figure,
    starts: FigureStarts,
    labels: Sequence[str],
    panels: Sequence[Panel],
    numbers: Sequence[Sequence[Row]],
) -> Grid:
    """Lays panels out as the figure wants them.

    Args:
        recipe: the figure.
        starts: its starting images.
        labels: class names.
        panels: one per variant.
        numbers: per panel, a row of numbers per picture.
    """
    cells = [
        [Cell(*made) for made in zip(panel.results, rows, panel.frames, strict=True)]
        for panel, rows in zip(panels, numbers, strict=True)
    ]
    targets = [said(labels[target]) for target in panels[0].targets]
    if recipe.layout == "seeds":
        return _seeds(starts.pictures, cells[0], targets)
    if recipe.layout == "targets":
        columns = len(panels[0].job.targets)
        rows = [
            (Cell(start), *cells[0][i * columns : (i + 1) * columns])
            for i, start in enumerate(starts.pictures)
        ]
        return Grid(starts.names, ("start", *targets[:columns]), tuple(rows))
    pairs = tuple(f"{name}\nto {to}" for name, to in zip(starts.names, targets, strict=True))
    columns_of = [[Cell(start) for start in starts.pictures], *cells]
    variants = tuple(variant.label for variant in recipe.variants)
    return Grid(pairs, ("start", *variants), tuple(zip(*columns_of, strict=True)))


def _seeds(pictures: np.ndarray, results: Sequence[Cell], targets: Sequence[str]) -> Grid:
    """Seeds above their results; where they stand in several rows, each class below its seed."""
    if len(targets) <= _ABREAST:
        above = tuple(map(Cell, pictures))
        return Grid(("seed", "result"), tuple(targets), (above, tuple(results)))
    seeds = [Cell(picture, name=name) for picture, name in zip(pictures, targets, strict=True)]
    bands = [slice(first, first + _ABREAST) for first in range(0, len(seeds), _ABREAST)]
    rows = [tuple(cells[band]) for band in bands for cells in (seeds, list(results))]
    return Grid(("seed", "result") * len(bands), ("",) * _ABREAST, tuple(rows))
