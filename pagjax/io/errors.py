"""The refusal of everything here; it names the file or field and the cure."""

from __future__ import annotations


class RefusedError(ValueError):
    """What is on disk, or was asked for, cannot be used; the message says what to change."""
