"""Contact sheets and animations, pixel for pixel."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from pagjax.io.lettering import fonts, lines
from pagjax.io.lettering.fonts import spaced
from pagjax.io.pictures.images import to_pillow

CELL = 160
# Of a page, in pixels: what viewers open, and what a page takes in memory.
MOST_SIDE, MOST_AREA = 16_000, 60_000_000
GAP = 8
MARGIN = 14
_INK, _FAINT, _PAPER = (20, 20, 20), (110, 110, 110), (255, 255, 255)
_TEXT, _SMALL = 14, 11  # heights of letters
_BESIDE, _LEAST_TITLE = 150, 200


def contact_sheets(
    rows: Sequence[Sequence[np.ndarray | None]],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    captions: Sequence[Sequence[str]],
    footer: str = "",
) -> Iterator[Image.Image]:
    """`contact_sheet` in pages, where one would have more than `MOST_SIDE` or `MOST_AREA` pixels.

    Args:
        rows, row_labels, column_labels, captions, footer: as there; the footer is on every page.

    Yields:
        Pages, the rows of the first columns first.
    """
    picture = next(cell for row in rows for cell in row if cell is not None)
    width, height = to_pillow(picture, enlarge_to=CELL).size
    longest = max(map(len, rows))
    across = min(longest, max(1, MOST_SIDE // (2 * (width + GAP))))
    most_height = min(MOST_SIDE, MOST_AREA // (across * (width + GAP)))
    down = max(1, most_height // (height + 18 + GAP) - 1)
    for left in range(0, longest, across):
        columns = slice(left, left + across)
        for top in range(0, len(rows), down):
            page = slice(top, top + down)
            cells = [row[columns] for row in rows[page]]
            if any(cell is not None for row in cells for cell in row):
                yield contact_sheet(
                    cells,
                    row_labels=row_labels[page],
                    column_labels=column_labels[columns],
                    captions=[notes[columns] for notes in captions[page]],
                    footer=footer,
                )


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray | None]],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    captions: Sequence[Sequence[str]] | None = None,
    title: str = "",
    footer: str = "",
) -> Image.Image:
    """A labelled grid of pictures, laid out as the paper's figure 2.

    Args:
        rows: float pictures ``[height, width, 3]`` in [0, 1], all of one size; None leaves a gap.
        row_labels: left of each row.
        column_labels: above each column.
        captions: under each picture, at most two lines.
        title: above the grid.
        footer: below it, in small type.

    Returns:
        A Pillow picture; small pictures are enlarged by whole pixels, without blur. Words in any
        script break between words and shrink before they are cut, see `pagjax.io.lettering`.
    """
    cells = [[None if p is None else to_pillow(p, enlarge_to=CELL) for p in row] for row in rows]
    width, height = next(cell.size for row in cells for cell in row if cell is not None)
    across, down = max(len(row) for row in cells), len(cells)
    beside = [lines.fitted(spaced(label), _BESIDE, _TEXT, most=6) for label in row_labels]
    left = MARGIN + max((_width(block) for block in beside), default=0) + GAP
    whole = max(left + across * (width + GAP) + MARGIN, MARGIN + _LEAST_TITLE)
    above = [lines.fitted(spaced(label), width, _TEXT) for label in column_labels]
    heading = lines.fitted(title, whole - 2 * MARGIN, _TEXT, bold=True)
    top = MARGIN + (heading.height + GAP if title else 0)
    top += max((block.height for block in above), default=0) + 4
    notes = [[spaced(note) for note in row] for row in captions or []]
    below = [[lines.fitted(note, width, _SMALL, most=2) for note in row] for row in notes]
    under = [max((block.height for block in row), default=0) + 4 for row in below] or [0] * down
    ys = [top + row * (height + GAP) + sum(under[:row]) for row in range(down)]
    end = lines.wrapped(footer, whole - 2 * MARGIN, _SMALL)
    bottom = ys[-1] + height + under[-1] + GAP
    size = (whole, bottom + lines.line_height(_SMALL) * len(end) + MARGIN)
    sheet = Image.new("RGB", size, _PAPER)
    _write(sheet, heading, MARGIN, MARGIN, _INK, at="left", bold=True)
    for column, block in enumerate(above):
        x = left + column * (width + GAP) + width // 2
        _write(sheet, block, x, top - 4 - block.height, _INK)
    for row, (y, pictures) in enumerate(zip(ys, cells, strict=True)):
        block = beside[row]
        _write(sheet, block, left - GAP, y + (height - block.height) // 2, _INK, at="right")
        for column, picture in enumerate(pictures):
            x = left + column * (width + GAP)
            if picture is not None:
                sheet.paste(picture, (x, y))
            if below:
                _write(sheet, below[row][column], x + width // 2, y + height + 2, _FAINT)
    _write(sheet, lines.Block(tuple(end), _SMALL), MARGIN, bottom, _FAINT, at="left")
    return sheet


def animation(frames: np.ndarray, *, seconds: float = 4.0) -> bytes:
    """A GIF that plays frames, 8 bits ``[n, height, width, 3]``, forth, holds, and starts again."""
    pictures = [to_pillow(frame / 255, enlarge_to=CELL) for frame in frames]
    pause = max(20, round(1000 * seconds / len(pictures)))
    durations = [pause] * (len(pictures) - 1) + [1500]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def png(picture: Image.Image) -> bytes:
    """A picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _width(block: lines.Block) -> int:
    return max((math.ceil(fonts.length(line, block.size)) for line in block.lines), default=0)


def _write(
    sheet: Image.Image,
    block: lines.Block,
    x: int,
    y: int,
    colour: tuple[int, int, int],
    *,
    at: Literal["left", "middle", "right"] = "middle",
    bold: bool = False,
) -> None:
    """Writes lines from `y` down, `x` at their left, middle or right."""
    draw = ImageDraw.Draw(sheet)
    before = {"left": 0.0, "middle": 0.5, "right": 1.0}[at]
    for number, line in enumerate(block.lines):
        along = x - before * fonts.length(line, block.size, bold)
        base = y + number * lines.line_height(block.size) + block.size
        for file, run in fonts.pieces(line):
            font = fonts.font(file, block.size, bold)
            draw.text((along, base), run, colour, font, anchor="ls")
            along += font.getlength(run)
