"""Contact sheets and animations, pixel for pixel."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pagjax.images import to_pillow

CELL = 160
# Of a page, in pixels: what viewers open, and what a page takes in memory.
MOST_SIDE, MOST_AREA = 16_000, 60_000_000
GAP = 8
MARGIN = 14
_INK, _FAINT, _PAPER = (20, 20, 20), (110, 110, 110), (255, 255, 255)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


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
        captions: under each picture, one line.
        title: above the grid.
        footer: below it, in small type.

    Returns:
        A Pillow picture; small pictures are enlarged by whole pixels, without blur.
    """
    cells = [[None if p is None else to_pillow(p, enlarge_to=CELL) for p in row] for row in rows]
    width, height = next(cell.size for row in cells for cell in row if cell is not None)
    text, small = ImageFont.load_default(15), ImageFont.load_default(12)
    left = MARGIN + max((_length(label, text) for label in row_labels), default=0) + GAP
    top = MARGIN + (26 if title else 0) + 22
    caption = 18 if captions else 0
    across, down = max(len(row) for row in cells), len(cells)
    footer_lines = _wrapped(footer, small, left + across * (width + GAP) - MARGIN)
    size = (
        max(left + across * (width + GAP), MARGIN + _length(title, text) + GAP) + MARGIN,
        top + down * (height + caption + GAP) + 16 * len(footer_lines) + MARGIN,
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((MARGIN, MARGIN), title, _INK, text)
    for column, label in enumerate(column_labels):
        x = left + column * (width + GAP) + width // 2
        draw.text((x, top - 6), _shortened(label, text, width), _INK, text, anchor="ms")
    for row, pictures in enumerate(cells):
        y = top + row * (height + caption + GAP)
        draw.text((left - GAP, y + height // 2), row_labels[row], _INK, text, anchor="rm")
        for column, picture in enumerate(pictures):
            x = left + column * (width + GAP)
            if picture is not None:
                sheet.paste(picture, (x, y))
            if captions:
                note = _shortened(captions[row][column], small, width)
                draw.text((x + width // 2, y + height + 14), note, _FAINT, small, anchor="ms")
    for number, line in enumerate(footer_lines):
        y = size[1] - MARGIN - 16 * (len(footer_lines) - number)
        draw.text((MARGIN, y), line, _FAINT, small)
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


def _length(text: str, font: _Font) -> int:
    return round(font.getlength(text)) if text else 0


def _shortened(text: str, font: _Font, width: int) -> str:
    if _length(text, font) <= width:
        return text
    while text and _length(text + "...", font) > width:
        text = text[:-1]
    return text + "..."


def _wrapped(text: str, font: _Font, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and _length(f"{lines[-1]} {word}", font) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
