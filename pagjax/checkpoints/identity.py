"""Which network this is: digests of its weights and of what it does with them."""

from __future__ import annotations

import jax

from pagjax.io.files import atomic
from pagjax.networks.base import BaseNetwork

_FUNCTION = ("config", "normalizer", "num_classes")


def weights_digest(network: BaseNetwork) -> str:
    """SHA-256 of a network's weights, as hex."""
    return atomic.digest(*jax.tree.leaves(network.variables))


def network_digest(network: BaseNetwork) -> str:
    """SHA-256, as hex, of all that determines what a network says: weights and description.

    A network converted again with another normaliser has the same weights, and is another.
    """
    values = network.description.to_json()
    told = {name: values[name] for name in values if name not in ("architecture", "origin")}
    return atomic.digest_json([weights_digest(network), told])


def function_digest(network: BaseNetwork) -> str:
    """SHA-256 of what a network does with its weights: its shape and its normaliser, as hex."""
    values = network.description.to_json()
    return atomic.digest_json({name: values[name] for name in _FUNCTION})
