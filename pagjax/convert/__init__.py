"""Checkpoints of other libraries, read without running what is in them, as networks of pagjax."""

from typing import TYPE_CHECKING

from pagjax.wording.public import lazily as _lazily

if TYPE_CHECKING:
    from pagjax.convert.conversion import Conversion as Conversion
    from pagjax.convert.conversion import convert as convert
    from pagjax.convert.conversion import read_labels as read_labels

# The command explains itself without JAX.
if not TYPE_CHECKING:
    __getattr__, __dir__ = _lazily(
        __name__, {"Conversion": "conversion", "convert": "conversion", "read_labels": "conversion"}
    )
__all__ = ("Conversion", "convert", "read_labels")
