"""The figures of Kaur, Cohen and Lipton (2019), with any base networks, and numbers beside them."""

from typing import TYPE_CHECKING

from pagjax.wording.public import lazily as _lazily

if TYPE_CHECKING:
    from pagjax.figures import cast as cast
    from pagjax.figures import make as make
    from pagjax.figures import recipes as recipes

# The command explains itself without JAX.
if not TYPE_CHECKING:
    __getattr__, __dir__ = _lazily(__name__, {"cast": "cast", "make": "make", "recipes": "recipes"})
__all__ = ("cast", "make", "recipes")
