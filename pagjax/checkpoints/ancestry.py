"""What a network was trained on from, as its checkpoint tells it."""

from __future__ import annotations

from collections.abc import Mapping

from pagjax.networks.base import Description

ANCESTORS = "ancestors"
"""Under which a description's origin holds them; before 0.2 the settings' `init` alone told."""


def ancestors(description: Description) -> tuple[str, ...]:
    """The networks that one was trained on from, the last one first.

    Args:
        description: of the network.

    Returns:
        Of each its name, and a digest of its weights where it was not a shipped one.

    Example:
        >>> from types import SimpleNamespace as Described
        >>> ancestors(Described(origin={"ancestors": ["mother", "grandmother"]}))
        ('mother', 'grandmother')
        >>> ancestors(Described(origin={"settings": {"init": "mother"}}))
        ('mother',)
    """
    origin = description.origin if isinstance(description.origin, Mapping) else {}
    settings, told = origin.get("settings"), origin.get(ANCESTORS)
    if not isinstance(told, list):
        told = [settings.get("init")] if isinstance(settings, Mapping) else []
    return tuple(name for name in told if isinstance(name, str) and name)
