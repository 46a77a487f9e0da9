"""Normalisers that a file carries as buffers: mean and sd, and whether the publisher clamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert.contents import StateDict
from pagjax.convert.finding import Network
from pagjax.networks import Normalizer
from pagjax.networks.normalizer import for_colour

# Buffers of normalisers by their last names: (mean, sd). Madry Lab's clamps, whoever holds it.
_CLAMPED = ("new_mean", "new_std")
_PAIRS = (_CLAMPED, ("mu", "sigma"), ("mean", "std"))
_NAMES = {name for pair in _PAIRS for name in pair}


@dataclass(frozen=True)
class Stored:
    """A file's own normaliser.

    Attributes:
        mean, sd: as stored.
        clamp: whether they are Madry Lab's, whose layer clamps images to [0, 1] first.
        place: the path of the module that holds them.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    clamp: bool
    place: str

    def normalizer(self) -> Normalizer:
        """For three channels.

        Raises:
            CheckpointError: for numbers that normalise nothing, or pixels of 0 to 255.
        """
        mean, sd = (tuple(round(v, 7) for v in values) for values in (self.mean, self.sd))
        try:
            return for_colour(Normalizer(mean, sd, self.clamp))
        except ValueError as error:
            raise CheckpointError(
                f"the file's own normaliser ({self.place or 'at its top'}): {error}; name another "
                "with `normalizer`"
            ) from error


def is_buffer(name: str, tensor: np.ndarray) -> bool:
    """Whether a tensor is half of a normaliser."""
    return name.rsplit(".", 1)[-1] in _NAMES and tensor.size in (1, 3)


def of_network(network: Network, tensors: StateDict) -> list[Stored]:
    """The normalisers that stand nearest before a network: none, one, or several that differ.

    A pair of buffers concerns the networks beside the module that holds it and below; of nested
    ones the innermost counts. Copies with the same numbers are one.

    Args:
        network: from `pagjax.convert.finding`.
        tensors: all tensors of the file.

    Raises:
        CheckpointError: where Madry Lab's mean stands without its sd, or the other way round.

    Example:
        >>> import numpy as np
        >>> place = "model.normalizer."
        >>> tensors = {f"{place}new_mean": np.full(3, 0.5), f"{place}new_std": np.full(3, 0.25)}
        >>> network = Network("model.model.", "model.", "model.model.conv1.weight", {})
        >>> of_network(network, tensors)[0].normalizer()
        Normalizer(mean=(0.5, 0.5, 0.5), sd=(0.25, 0.25, 0.25), clamp=True)
    """
    best: dict[tuple[object, ...], Stored] = {}
    nearest = -1
    for stored in _pairs(tensors):
        scope = _scope(stored.place, network.path)
        inside = scope.startswith(network.path)
        if not inside and not network.path.startswith(scope):
            continue
        distance = min(len(scope), len(network.path))
        if distance > nearest:
            best, nearest = {}, distance
        if distance == nearest:
            best.setdefault((stored.mean, stored.sd, stored.clamp), stored)
    return list(best.values())


def _pairs(tensors: StateDict) -> Iterator[Stored]:
    for name, tensor in tensors.items():
        if not is_buffer(name, tensor):
            continue
        place, last = _split(name)
        for mean_name, sd_name in _PAIRS:
            other = tensors.get(place + (sd_name if last == mean_name else mean_name))
            paired = other is not None and other.size in (1, 3)
            if last == mean_name and paired:
                assert other is not None
                yield Stored(_numbers(tensor), _numbers(other), last == _CLAMPED[0], place)
            elif last in _CLAMPED and last in (mean_name, sd_name) and not paired:
                raise CheckpointError(
                    f"{name} is half of a normaliser: {place}new_mean and {place}new_std belong "
                    "together"
                )


def _scope(place: str, path: str) -> str:
    """Of which networks a module is the normaliser: those in the module around it."""
    if path.startswith(place):
        return place
    return _split(place.removesuffix("."))[0]


def _split(name: str) -> tuple[str, str]:
    before, dot, last = name.rpartition(".")
    return before + dot, last


def _numbers(tensor: np.ndarray) -> tuple[float, ...]:
    return tuple(np.ravel(tensor).astype(np.float64).tolist())
