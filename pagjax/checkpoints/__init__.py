"""Checkpoints: where they lie, and how they are read and written."""

from typing import TYPE_CHECKING

from pagjax.wording.public import lazily as _lazily

if TYPE_CHECKING:
    from pagjax.checkpoints import shipped as shipped
    from pagjax.checkpoints import store as store
    from pagjax.checkpoints.errors import CheckpointError as CheckpointError
    from pagjax.checkpoints.loading import load as load

# The list of shipped networks explains itself without JAX.
if not TYPE_CHECKING:
    __getattr__, __dir__ = _lazily(
        __name__,
        {"CheckpointError": "errors", "load": "loading", "shipped": "shipped", "store": "store"},
    )
__all__ = ("CheckpointError", "load", "shipped", "store")
