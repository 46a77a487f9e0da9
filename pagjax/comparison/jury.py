"""Who judges pictures of others, under which noise, and who is partial to whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from pagjax.alignment import Judge
from pagjax.checkpoints.ancestry import ancestors
from pagjax.checkpoints.identity import weights_digest
from pagjax.io.files import atomic
from pagjax.networks.base import BaseNetwork

BLUR = 2
ROBUST, VANILLA = "robust", "vanilla"
MADE = "it made them"


def kinds(count: int) -> list[str]:
    """What the numbers of so many robust judges are called; the first is the headline.

    Example:
        >>> kinds(3)
        ['robust', 'robust_2', 'robust_3']
    """
    return [ROBUST if number == 1 else f"{ROBUST}_{number}" for number in range(1, count + 1)]


def judges(networks: Mapping[str, BaseNetwork], *, low_pass: str) -> list[Judge]:
    """Networks as judges, all of them on the panel, and the vanilla one behind a blur beside it.

    A network trained under noise judges under it, by its smoothed probabilities. One that comes
    twice has one voice on the panel.

    Args:
        networks: by what their numbers are called, see `kinds`; the vanilla one is ``"vanilla"``.
        low_pass: what the numbers of the vanilla one behind a blur are called.
    """
    found: list[Judge] = []
    voices: set[str] = set()
    for kind, network in networks.items():
        digest, sigma = weights_digest(network), network.training_sigma or 0.0
        found.append(Judge(kind, network.logits_fn, sigma, on_panel=digest not in voices))
        voices.add(digest)
        if kind == VANILLA:
            found.append(Judge(low_pass, network.logits_fn, sigma, BLUR))
    return found


def partial_to(judge: BaseNetwork, maker: BaseNetwork) -> str:
    """Why a network should not judge another's pictures; empty where nothing speaks against it.

    It is the same network, or one was trained on from the other, or both from a third, however many
    trainings ago. That stands in checkpoints; of others' networks it is not known.

    Example, with all that is looked at:
        >>> from types import SimpleNamespace as Named
        >>> mother, child = (
        ...     Named(variables=np.ones(number), description=Named(origin=origin))
        ...     for number, origin in enumerate(
        ...         [{"name": "mother"}, {"name": "child", "settings": {"init": "mother"}}]
        ...     )
        ... )
        >>> partial_to(mother, child)
        'their maker was trained on from it'
    """
    if weights_digest(judge) == weights_digest(maker):
        return MADE
    of_maker, of_judge = ancestors(maker.description), ancestors(judge.description)
    if any(_is(judge, told) for told in of_maker):
        return "their maker was trained on from it"
    if any(_is(maker, told) for told in of_judge):
        return "it was trained on from their maker"
    if set(of_judge) & set(of_maker):
        return "it and their maker were trained on from the same network"
    return ""


def _is(network: BaseNetwork, told: str) -> bool:
    """Whether a network is the one that is told of: by digest where one is told, else by name."""
    name, comma, digest = told.partition(", sha256 ")
    if not comma:
        return bool(name) and _origin(network).get("name") == name
    # The digest is of the weights as stored, which may be in half precision.
    stored = [atomic.digest(*map(np.asarray, jax.tree.leaves(network.variables)))]
    half = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), network.variables)
    stored.append(atomic.digest(*jax.tree.leaves(half)))
    return bool(digest) and any(own.startswith(digest) for own in stored)


def _origin(network: BaseNetwork) -> Mapping[str, Any]:
    origin = network.description.origin
    return origin if isinstance(origin, Mapping) else {}
