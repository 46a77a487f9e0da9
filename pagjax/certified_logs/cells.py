"""What a cell of a log says: counts, radii, yes and no, and times in their published forms."""

from __future__ import annotations

import math
import re

_WHOLE = re.compile(r"([+-]?[0-9]{1,18})(?:\.0*)?")
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_TIME = re.compile(
    r"(?:(?P<d>-?[0-9]{1,9})d)?(?:(?P<h>[0-9]{1,9}):(?P<m>[0-9]{1,9}):)?"
    r"(?P<s>[0-9]{1,18}(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?)"
)
_YES_NO = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
_MOST = 2**31 - 1


def whole(name: str, text: str, least: int) -> int:
    """A whole number, also as ``3.0``.

    Raises:
        ValueError: for another, one below `least`, or one too large for any data set.
    """
    found = _WHOLE.fullmatch(text)
    value = int(found[1]) if found else least - 1
    if not least <= value <= _MOST:
        raise ValueError(f"{name} {text[:40]!r}")
    return value


def radius(text: str) -> float:
    """A certified radius.

    Raises:
        ValueError: if it is no number, negative, or not finite.
    """
    value = float(text) if _REAL.fullmatch(text) else math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"radius {text[:40]}")
    return value


def yes_or_no(name: str, text: str) -> bool:
    """0, 1, 0.0, 1.0, True or False.

    Raises:
        ValueError: for anything else.
    """
    if text.casefold() not in _YES_NO:
        raise ValueError(f"{name} {text[:40]!r}")
    return _YES_NO[text.casefold()]


def seconds(text: str) -> float:
    """A time: seconds, ``h:mm:ss[.ffffff]``, or either after days as ``1d``.

    Raises:
        ValueError: for anything else.

    Example:
        >>> seconds("15.4"), seconds("0:01:02.5"), seconds("1d0:00:02")
        (15.4, 62.5, 86402.0)
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"time {text[:40]!r}")
    days, hours, minutes, rest = (float(part or 0) for part in found.group("d", "h", "m", "s"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
