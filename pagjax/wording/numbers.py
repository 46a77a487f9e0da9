"""Numbers as people write them, read where their meaning is clear and refused where it is not.

Every refusal is a `ValueError` of one line that names the value and the cure.
"""

from __future__ import annotations

import decimal
import math
import re

UNITS = "in units of [0, 1]; 0.25, not 64 or 25%"
MOST_SIGMA = 2.0
MOST_COUNT = 2**31 - 1  # draws are numbered by 32-bit integers
SEEDS = 2**32  # jax.random.key keeps no more bits: a seed and the seed plus 2**32 draw the same

_DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_PLAIN = re.compile(_DECIMAL)
_RATIO = re.compile(rf"({_DECIMAL})\s*/\s*({_DECIMAL})")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:([,_])[0-9]{3})(?:\1[0-9]{3})*|[+-]?[0-9]+(?:_[0-9]+)+")
_LONGEST = 40  # characters of a number; the rest of a message stays readable


def real(text: str) -> float:
    """A finite number: decimals and ratios such as ``8/255``.

    Raises:
        ValueError: for anything else; of ``25%`` and ``0,25`` it says how they are written.

    Example:
        >>> real("0.25"), real("1e-3"), real("8/255") == 8 / 255
        (0.25, 0.001, True)
        >>> real("25%")
        Traceback (most recent call last):
        ValueError: 25%: write 0.25, without a percent sign
    """
    given = text.strip()
    shown = shorten(text)
    if len(given) <= _LONGEST:
        ratio = _RATIO.fullmatch(given)
        if ratio and float(ratio[2]) == 0:
            raise ValueError(f"{shown}: divides by zero")
        if ratio or _PLAIN.fullmatch(given):
            value = float(ratio[1]) / float(ratio[2]) if ratio else float(given)
            if math.isfinite(value):
                return value
            raise ValueError(f"{shown}: must be finite")
        if given.endswith("%") and _PLAIN.fullmatch(given[:-1].strip()):
            share = float(given[:-1]) / 100
            raise ValueError(f"{shown}: write {share:g}, without a percent sign")
        if _PLAIN.fullmatch(given.replace(",", ".", 1)):
            raise ValueError(f"{shown}: write {given.replace(',', '.', 1)}, with a decimal point")
        if given.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            raise ValueError(f"{shown}: must be finite")
    raise ValueError(f"{shown}: is no number")


def length(text: str, *, most: float = math.inf, above: bool = False) -> float:
    """An l2 length in pixel units of [0, 1], such as sigma, epsilon or a radius.

    Args:
        text: see `real`.
        most: what it may be at most.
        above: whether 0 is refused.

    Raises:
        ValueError: for no number, a negative one, or one above `most`.

    Example:
        >>> length("0.5"), length("127.5/255")
        (0.5, 0.5)
        >>> length("64", most=2)
        Traceback (most recent call last):
        ValueError: 64: must be at most 2, in units of [0, 1]; 0.25, not 64 or 25%
    """
    try:
        value = real(text)
    except ValueError as error:
        raise ValueError(f"{error} ({UNITS})") from None
    return check_length(shorten(text), value, most=most, above=above)


def check_length(what: str, value: float, *, most: float = math.inf, above: bool = False) -> float:
    """The value, where it can be an l2 length in pixel units of [0, 1].

    Raises:
        ValueError: where it cannot, beginning with `what`.
    """
    if not math.isfinite(value) or value < 0 or (above and value == 0):
        least = "above 0" if above else "at least 0"
        raise ValueError(f"{what}: must be finite and {least}, {UNITS}")
    if value > most:
        raise ValueError(f"{what}: must be at most {most:.4g}, {UNITS}")
    return value


def check_in_box(what: str, value: float, shape: tuple[int, ...]) -> float:
    """The value, where an l2 length in pixel units can be it: up to the diagonal of the box.

    Args:
        what: its name, for the message.
        value: the length.
        shape: of an image, ``(height, width, channels)``.

    Raises:
        ValueError: if it is above the diagonal, the square root of the number of values.

    Example:
        >>> check_in_box("epsilon", 8.0, (32, 32, 3))
        8.0
        >>> check_in_box("epsilon", 64.0, (32, 32, 3))
        Traceback (most recent call last):
        ValueError: epsilon 64 is longer than the box's diagonal at 32x32 pixels, 55.43: lengths \
are in units of [0, 1]; 0.25, not 64 or 25%
    """
    diagonal = math.sqrt(math.prod(shape))
    check_length(f"{what} {value:g}", value)
    if value > 1.0005 * diagonal:  # half a thousandth more, for one that somebody rounded
        size = "x".join(map(str, shape[:2]))
        raise ValueError(
            f"{what} {value:g} is longer than the box's diagonal at {size} pixels, {diagonal:.4g}: "
            f"lengths are {UNITS}"
        )
    return value


def whole(text: str, *, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number: ``100000``, ``1e5``, ``100_000``, ``100,000`` or ``100000.0``.

    Args:
        text: the number.
        least, most: its range, both included.

    Raises:
        ValueError: for anything else.

    Example:
        >>> whole("1e5"), whole("100,000"), whole("100_000")
        (100000, 100000, 100000)
        >>> whole("0.5")
        Traceback (most recent call last):
        ValueError: 0.5: must be a whole number
    """
    given = text.strip()
    shown = shorten(text)
    if len(given) <= _LONGEST and _GROUPED.fullmatch(given):
        given = given.replace(",", "").replace("_", "")
    if len(given) > _LONGEST or not _PLAIN.fullmatch(given):
        raise ValueError(f"{shown}: must be a whole number")
    value = decimal.Decimal(given)
    if value > most:
        raise ValueError(f"{shown}: must be at most {most:,}")
    if value < least:
        raise ValueError(f"{shown}: must be at least {least}")
    if value != value.to_integral_value():
        raise ValueError(f"{shown}: must be a whole number")
    return int(value)


def seed(text: str) -> int:
    """A seed, below 2**32.

    Example:
        >>> seed("4294967296")
        Traceback (most recent call last):
        ValueError: 4294967296: seeds lie from 0 to 4,294,967,295; the draws of larger ones repeat
    """
    value = whole(text, least=-(2**63))
    if not 0 <= value < SEEDS:
        raise ValueError(
            f"{shorten(text)}: seeds lie from 0 to {SEEDS - 1:,}; the draws of larger ones repeat"
        )
    return value


def share(text: str, *, zero: bool = False, one: bool = False) -> float:
    """A number between 0 and 1.

    Args:
        text: see `real`.
        zero, one: whether the ends belong.

    Raises:
        ValueError: for anything else.
    """
    value = real(text)
    if 0 < value < 1 or (zero and value == 0) or (one and value == 1):
        return value
    low = "at least 0" if zero else "above 0"
    raise ValueError(f"{shorten(text)}: must be {low} and {'at most' if one else 'below'} 1")


def shorten(text: str) -> str:
    """A value for a message: one line, printable, not longer than a few words."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text.strip())
    return plain if 0 < len(plain) <= _LONGEST else repr(plain[:_LONGEST])
