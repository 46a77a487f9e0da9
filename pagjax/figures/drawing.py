"""A grid on paper: PNG and PDF, every picture enlarged by whole pixels."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np

from pagjax.figures.grid import Grid
from pagjax.io.lettering import lines
from pagjax.io.lettering.fonts import families, legible, length, spaced

_CELL = 128  # least side of a picture on the page, in pixels
_DPI = 100
_GAP, _LEFT, _CAPTION, _MARGIN = 10, 60, 20, 14
_TEXT, _SMALL, _TITLE = 14, 12, 18  # heights of letters, in pixels
_BESIDE = 130  # most of a row's label, in pixels


def draw(grid: Grid, *, title: str, footer: str) -> dict[str, bytes]:
    """Draws a grid.

    Args:
        grid: cells of one size.
        title: above it.
        footer: below it, wrapped to its width.

    Returns:
        The figure's bytes as ``"png"`` and ``"pdf"``.
    """
    from matplotlib.figure import Figure

    side = max(grid.cells[0][0].picture.shape[:2])
    cell = max(1, -(-_CELL // side)) * side
    across, down = len(grid.column_labels), len(grid.cells)
    beside = [
        _joined([lines.fitted(spaced(part), _BESIDE, _TEXT) for part in label.split("\n")])
        for label in grid.row_labels
    ]
    above = [_joined([lines.fitted(spaced(label), cell, _TEXT)]) for label in grid.column_labels]
    # The labels' own width and not a guess: the longest class name is cut off otherwise.
    start = _MARGIN + _GAP + max(_LEFT, *(_width(block) for block in beside))
    width = start + across * (cell + _GAP) + _MARGIN
    heading = lines.fitted(title, width - 2 * _MARGIN, _TITLE, bold=True)
    ending = lines.wrapped(legible(footer), width - 2 * _MARGIN, _SMALL)
    first = 2 * _MARGIN + heading.height + max(block.height for block in above)
    height = first + down * (cell + _CAPTION + _GAP) + 2 * _MARGIN
    height += lines.line_height(_SMALL) * len(ending)
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")

    def text(x: float, y: float, block: lines.Block, **style: object) -> None:
        words = "\n".join(legible(line) for line in block.lines).replace("$", r"\$")
        style |= {"size": block.size * 72 / _DPI, "family": families(words), "linespacing": 1.15}
        figure.text(x / width, 1 - y / height, words, **style)  # type: ignore[arg-type]

    text(_MARGIN, _MARGIN, heading, weight="bold", va="top")
    for column, block in enumerate(above):
        x = start + column * (cell + _GAP) + cell / 2
        text(x, first - 9, block, ha="center", va="baseline")
    for row, cells in enumerate(grid.cells):
        top = first + row * (cell + _CAPTION + _GAP)
        text(start - _GAP, top + cell / 2, beside[row], ha="right", va="center")
        for column, one in enumerate(cells):
            left = start + column * (cell + _GAP)
            box = (left / width, 1 - (top + cell) / height, cell / width, cell / height)
            axes = figure.add_axes(box)
            axes.imshow(np.clip(one.picture, 0, 1), interpolation="nearest", aspect="auto")
            axes.set_axis_off()
            if one.caption:
                note = lines.fitted(one.caption, cell, _SMALL, most=1)
                middle = left + cell / 2
                text(middle, top + cell + 4, note, color="0.35", ha="center", va="top")
    bottom = first + down * (cell + _CAPTION + _GAP) + _MARGIN
    text(_MARGIN, bottom, lines.Block(tuple(ending), _SMALL), color="0.35", va="top")
    drawn = {}
    for kind in ("png", "pdf"):
        buffer = io.BytesIO()
        # Without a date the same figure has the same bytes.
        metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
        drawn[kind] = buffer.getvalue()
    return drawn


def _joined(blocks: Sequence[lines.Block]) -> lines.Block:
    """Blocks below each other, all in the smallest's letters."""
    size = min(block.size for block in blocks)
    return lines.Block(tuple(line for block in blocks for line in block.lines), size)


def _width(block: lines.Block) -> int:
    return max((math.ceil(length(line, block.size)) for line in block.lines), default=0)
