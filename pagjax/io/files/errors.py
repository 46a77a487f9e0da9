"""The refusals of everything here; they name the file or field and the cure."""

from __future__ import annotations


class RefusedError(ValueError):
    """What is on disk, or was asked for, cannot be used; the message says what to change."""


class DataError(RefusedError):
    """Data, a folder, a list or a setting that cannot be used as asked; the message says why."""


class ImageError(DataError):
    """A picture that cannot be used; the message names the file and says why."""


def shown(names: list[str], most: int = 5) -> str:
    """Names for a message, the first few and how many more.

    Example:
        >>> shown(["cat", "dog", "cow"], most=2)
        "'cat', 'dog' and 1 more"
    """
    told = ", ".join(repr(name) for name in names[:most])
    return told + (f" and {len(names) - most:,} more" if len(names) > most else "")
