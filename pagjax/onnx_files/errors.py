"""The refusal of exports."""

from __future__ import annotations

from pagjax.io.files.errors import RefusedError


class ExportError(RefusedError):
    """A file that cannot be made as asked; the message says what to change."""
