"""The loop with a recipe's settings and the call's own as one list of keywords."""

from __future__ import annotations

import dataclasses
from typing import Any

import pagjax

_OF_RECIPE = {field.name for field in dataclasses.fields(pagjax.Recipe)}


def targeted(network, start, targets, key, **settings: Any) -> pagjax.TargetedResult:
    recipe = {name: settings.pop(name) for name in _OF_RECIPE & set(settings)}
    return pagjax.targeted_pgd(network, start, targets, key, pagjax.Recipe(**recipe), **settings)
