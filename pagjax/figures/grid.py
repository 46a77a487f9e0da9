"""From panels to a labelled grid: which picture stands where, and what is said under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pagjax.figures.panels import Panel
from pagjax.figures.recipes import Recipe
from pagjax.figures.starts import Starts
from pagjax.io.lettering.fonts import said

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One picture of a grid.

    Attributes:
        picture: shape ``[height, width, 3]`` in [0, 1].
        row: the picture's numbers; None for a starting image.
        frames: the way to it, 8 bits ``[frames, height, width, 3]``; None for a starting image.
    """

    picture: np.ndarray
    row: Row | None = None
    frames: np.ndarray | None = None

    @property
    def caption(self) -> str:
        """The judge's probability of the target, or without a judge the smoothed network's own."""
        if self.row is None:
            return ""
        told = f"own {self.row['probability']:.2f}"
        if "judge_robust_probability" in self.row:
            told = f"judge {self.row['judge_robust_probability']:.2f}"
        if "certified_radius" in self.row:
            told += f", R {int(100 * self.row['certified_radius']) / 100:.2f}"
        return told


@dataclass(frozen=True)
class Grid:
    """Cells with labels, row by row."""

    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]


def arrange(
    recipe: Recipe,
    starts: Starts,
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
        above = tuple(map(Cell, starts.pictures))
        return Grid(("seed", "result"), tuple(targets), (above, tuple(cells[0])))
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
