"""A grid on paper: PNG and PDF, every picture enlarged by whole pixels."""

from __future__ import annotations

import io
import math
import textwrap

import numpy as np

from pagjax.figures.grid import Grid

_CELL = 128  # least side of a picture on the page, in pixels
_DPI = 100
_GAP, _LEFT, _TOP, _CAPTION, _MARGIN = 10, 120, 78, 20, 14


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
    zoom = max(1, -(-_CELL // side))
    cell = zoom * side
    across, down = len(grid.column_labels), len(grid.cells)
    beside = [_wrapped(label) for label in grid.row_labels]
    # The labels' own width and not a guess: the longest class name is cut off otherwise.
    start = max(_LEFT, *(_MARGIN + _width(label, 10) + _GAP for label in beside))
    width = max(start + across * (cell + _GAP) + _MARGIN, _width(title, 13, "bold") + 2 * _MARGIN)
    lines = textwrap.wrap(footer, max(40, int((width - 2 * _MARGIN) / 6.9)))
    height = _TOP + down * (cell + _CAPTION + _GAP) + 14 * len(lines) + 2 * _MARGIN
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")

    def text(x: float, y: float, words: str, **style: object) -> None:
        figure.text(x / width, 1 - y / height, words, **style)  # type: ignore[arg-type]

    text(_MARGIN, _MARGIN, title, size=13, weight="bold", va="top")
    for column, label in enumerate(grid.column_labels):
        x = start + column * (cell + _GAP) + cell / 2
        most = max(6, int(cell / 7))  # letters of about seven pixels
        words = label if len(label) <= most else textwrap.fill(label.replace(", ", ",\n"), most)
        text(x, _TOP - 8, words, size=10, ha="center", va="bottom", linespacing=1.1)
    for row, cells in enumerate(grid.cells):
        top = _TOP + row * (cell + _CAPTION + _GAP)
        text(start - _GAP, top + cell / 2, beside[row], size=10, ha="right", va="center")
        for column, one in enumerate(cells):
            left = start + column * (cell + _GAP)
            box = (left / width, 1 - (top + cell) / height, cell / width, cell / height)
            axes = figure.add_axes(box)
            axes.imshow(np.clip(one.picture, 0, 1), interpolation="nearest", aspect="auto")
            axes.set_axis_off()
            if one.caption:
                text(
                    left + cell / 2,
                    top + cell + 4,
                    one.caption,
                    size=8.5,
                    color="0.35",
                    ha="center",
                    va="top",
                )
    bottom = _TOP + down * (cell + _CAPTION + _GAP) + _MARGIN
    for number, line in enumerate(lines):
        text(_MARGIN, bottom + 14 * number, line, size=8.5, color="0.35", va="top")
    drawn = {}
    for kind in ("png", "pdf"):
        buffer = io.BytesIO()
        # Without a date the same figure has the same bytes.
        metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
        drawn[kind] = buffer.getvalue()
    return drawn


def _wrapped(label: str) -> str:
    return "\n".join(piece for line in label.split("\n") for piece in textwrap.wrap(line, 15))


def _width(words: str, size: float, weight: str = "normal") -> int:
    """Pixels that the longest line of a text takes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(weight=weight)
    lines = [TextPath((0, 0), line, size=size, prop=font) for line in words.split("\n") if line]
    return max((math.ceil(path.get_extents().x1 * _DPI / 72) for path in lines), default=0)
