"""What a job cannot do as asked."""

from __future__ import annotations

from pagjax.io.files.errors import RefusedError


class JobError(RefusedError):
    """A job that cannot be done as asked; the message says what to change."""
