"""A static page on which visitors drag a picture towards a class, computed in their browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pagjax.live_page.notebook import show as show


def __getattr__(name: str) -> Any:
    if name == "show":
        from pagjax.live_page.notebook import show

        return show
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
