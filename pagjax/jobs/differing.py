"""Which settings of an unfinished job are not those of the one that would go on with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def names(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The names of settings that are recorded otherwise.

    Args:
        ours: settings, compared as the JSON values that they are written as.
        theirs: as recorded; what else they say does not count.

    Example:
        >>> names({"sigma": 0.5, "radii": (0.0, 1.0)}, {"sigma": 0.25, "radii": [0.0, 1.0]})
        ['sigma']
    """
    plain = json.loads(json.dumps(ours))
    return [name for name in plain if plain[name] != theirs.get(name)]


def told(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """The same with both values, for people; nothing where none differs.

    Example:
        >>> told({"sigma": 0.5, "seed": 0}, {"sigma": 0.25, "seed": 0})
        'sigma: 0.25, now 0.5'
    """
    plain = json.loads(json.dumps(ours))
    shown = (f"{name}: {theirs.get(name)!r}, now {plain[name]!r}" for name in names(ours, theirs))
    return "; ".join(shown)
