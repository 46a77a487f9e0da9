"""Which part of a picture is kept where its shape is not the one wanted."""

from __future__ import annotations

import math

Crop = tuple[float, ...]
"""A focus ``(x, y)`` or a box ``(left, top, right, bottom)``, as shares of width and height."""

CENTRE: Crop = (0.5, 0.5)
NAMED: dict[str, Crop] = {
    "centre": CENTRE,
    "top": (0.5, 0.0),
    "bottom": (0.5, 1.0),
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
}
FORMS = f"{', '.join(NAMED)}, x,y or left,top,right,bottom as shares of width and height in [0, 1]"


def parse(text: str) -> Crop:
    """The crop that a word or numbers mean.

    Args:
        text: one of `NAMED`; ``"x,y"``, the point that comes as near the middle as the borders
            allow; or ``"left,top,right,bottom"``, a box cut out first. Shares of width and height.

    Raises:
        ValueError: for anything else; the message says what is understood.

    Example:
        >>> parse("top"), parse("0.4,0.3"), parse("0,0,0.5,1")
        ((0.5, 0.0), (0.4, 0.3), (0.0, 0.0, 0.5, 1.0))
    """
    word = text.strip().lower()
    if word in NAMED:
        return NAMED[word]
    if word == "center":
        return CENTRE
    try:
        crop = tuple(float(number) for number in word.split(","))
    except ValueError:
        raise ValueError(f"crop {text!r}: one of {FORMS}") from None
    if len(crop) not in (2, 4) or not all(0 <= share <= 1 for share in crop):
        raise ValueError(f"crop {text!r}: one of {FORMS}")
    if len(crop) == 4 and not (crop[0] < crop[2] and crop[1] < crop[3]):
        raise ValueError(f"crop {text!r}: left must lie before right, and top above bottom")
    return crop


def box(crop: Crop, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The pixels that a box keeps of a picture of a width and a height, at least one; None: all.

    Example:
        >>> box((0, 0, 0.5, 1), (300, 200)), box((0.5, 0.2), (300, 200))
        ((0, 0, 150, 200), None)
    """
    if len(crop) != 4:
        return None
    width, height = size
    left, top = min(round(crop[0] * width), width - 1), min(round(crop[1] * height), height - 1)
    right, bottom = round(crop[2] * width), round(crop[3] * height)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def corner(crop: Crop, size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int]:
    """Left and top of a window of `wanted` width and height around a focus, inside the picture.

    Around the middle of what a box has cut out.

    Example:
        >>> corner((0.5, 0.0), (300, 200), (128, 128)), corner((0.9, 0.5), (300, 200), (128, 128))
        ((86, 0), (172, 36))
    """
    focus = crop if len(crop) == 2 else CENTRE
    left, top = (
        min(max(math.floor(share * whole - part / 2), 0), whole - part)
        for share, whole, part in zip(focus, size, wanted, strict=True)
    )
    return left, top
