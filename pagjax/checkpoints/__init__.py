"""Checkpoints: where they lie, how they are read and written, and how PyTorch's become ours."""

from typing import TYPE_CHECKING

from pagjax.wording.public import lazily as _lazily

if TYPE_CHECKING:
    from pagjax.checkpoints.errors import CheckpointError as CheckpointError
    from pagjax.checkpoints.loading import load as load

# The list of shipped networks explains itself without JAX.
__getattr__, __dir__ = _lazily(__name__, {"CheckpointError": "errors", "load": "loading"})
__all__ = ("CheckpointError", "load")
