"""Lines of words in a given width: broken between words, smaller where that is not enough."""

from __future__ import annotations

from typing import NamedTuple

from pagjax.io.lettering.fonts import length

SMALLEST = 9


class Block(NamedTuple):
    """Lines and the height of their letters in pixels."""

    lines: tuple[str, ...]
    size: int

    @property
    def height(self) -> int:
        """Of all lines, in pixels."""
        return len(self.lines) * line_height(self.size)


def line_height(size: int) -> int:
    """From one line to the next, in pixels."""
    return round(1.3 * size)


def fitted(text: str, width: float, size: int, *, most: int = 3, bold: bool = False) -> Block:
    """A text in lines no wider than `width`.

    Lines break between words. Where a word is too wide, or there are too many lines, letters
    shrink; where even the smallest are too large, the text ends in three dots.

    Args:
        text: any.
        width: in pixels.
        size: height of the letters in pixels, and the largest tried.
        most: lines.
        bold: kind of letters.

    Example:
        >>> fitted("African elephant", 80, 15).lines
        ('African', 'elephant')
    """
    for smaller in range(size, min(size, SMALLEST) - 1, -1):
        lines = wrapped(text, width, smaller, bold=bold)
        if len(lines) <= most and all(length(line, smaller, bold) <= width for line in lines):
            return Block(tuple(lines), smaller)
    smallest = min(size, SMALLEST)
    lines = wrapped(text, width, smallest, bold=bold)
    kept = lines[:most]
    if len(lines) > most:
        kept[-1] += "..."
    return Block(tuple(_shortened(line, width, smallest, bold) for line in kept), smallest)


def wrapped(text: str, width: float, size: int, *, bold: bool = False) -> list[str]:
    """A text's words in lines no wider than `width`, where a single word allows that."""
    lines: list[str] = []
    for word in text.split():
        if lines and length(f"{lines[-1]} {word}", size, bold) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _shortened(line: str, width: float, size: int, bold: bool) -> str:
    if length(line, size, bold) <= width:
        return line
    kept = line.removesuffix("...")
    while kept and length(f"{kept}...", size, bold) > width:
        kept = kept[:-1]
    return f"{kept}..."
