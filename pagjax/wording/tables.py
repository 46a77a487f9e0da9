"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> list[str]:
    """Rows whose columns stand below each other, two spaces apart.

    Args:
        rows: of as many cells each.
        numbers: whether all columns but the first end below each other instead.

    Example:
        >>> aligned([["log", "images"], ["sigma_0.25", "500"]], numbers=True)
        ['log         images', 'sigma_0.25     500']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if numbers and column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
