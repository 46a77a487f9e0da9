"""What the settings of a recorded job can be: a record may have been edited."""

from __future__ import annotations

from typing import Any

from pagjax.core.objectives import BY_NAME


def _all(values: Any, kind: type, least: int = 0) -> bool:
    """Whether this is a list, not empty, of texts or of whole numbers of at least `least`."""
    if not isinstance(values, (list, tuple)) or not values:
        return False
    return all(_is_count(v, least) if kind is int else isinstance(v, kind) for v in values)


def _is_count(value: Any, least: int) -> bool:
    return type(value) is int and least <= value < 2**31


def _is_length(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e9


_COUNTS = ("num_steps", "num_samples", "batch_size")
_OPTIONAL = ("chunk_size", "last_num_samples", "settles_after")
_CHOICES: dict[str, tuple[Any, ...]] = {
    "objective": tuple(BY_NAME),
    "projection": ("ball-then-box", "nearest"),
    "noise": ("fresh", "fixed"),
    "keep": ("last", "best"),
    "clip": (True, False),
    "sampling": ("independent", "antithetic", "latin-hypercube"),
    "schedule": ("constant", "linear"),
}


def unlike(name: str, value: Any) -> str | None:
    """What a recorded setting of a job must be, in words; None where it is that.

    Example:
        >>> unlike("num_steps", 10**30), unlike("num_steps", 300)
        ('a whole number of at least 1 and below 2^31', None)
    """
    if name in _CHOICES:
        right = any(type(value) is type(one) and value == one for one in _CHOICES[name])
        return None if right else f"one of {', '.join(map(str, _CHOICES[name]))}"
    if name in _COUNTS or (name in _OPTIONAL and value is not None):
        return None if _is_count(value, 1) else "a whole number of at least 1 and below 2^31"
    if name in ("sigma", "epsilon", "step_size", "momentum"):
        return None if _is_length(value) else "a finite number of at least 0"
    if name == "seed":
        return None if type(value) is int and abs(value) < 2**63 else "a whole number"
    if name in ("images", "images_sha256"):
        return None if _all(value, str) else "a list of texts"
    if name == "targets":
        return None if _all(value, int) else "a list of class indices"
    if name == "image_size":
        return None if _all(value, int, 1) and len(value) == 2 else "a height and a width"
    if name == "pairs":
        is_list = isinstance(value, (list, tuple)) and bool(value)
        right = is_list and all(_all(pair, int) and len(pair) == 2 for pair in value)
        return None if right else "a list of pairs"
    if name == "mask":
        return None if value is None or isinstance(value, str) else "a text, or null"
    if name in ("checkpoint", "checkpoint_sha256"):
        return None if isinstance(value, str) else "a text"
    return None
