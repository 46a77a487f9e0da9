"""Every residual network in a file, and which of several is meant."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert.contents import Contents, StateDict

# How a network's first stage is named: components of a name, None for a number.
_FIRST_STAGES: tuple[tuple[str | None, ...], ...] = (
    ("layer1", None),  # torchvision and most others
    ("block1", "layer", None),  # wide ResNets of TRADES and RobustBench
    ("layer", "0", "block", None),  # DeepMind's
    ("encoder", "stages", "0", "layers", None),  # Hugging Face's
)
_STEMS = (
    "conv1.weight",
    "conv1.0.weight",
    "init_conv.weight",
    "embedder.embedder.convolution.weight",
)
# Longer names are nobody's layers.
_MOST_COMPONENTS = 40
_LONGEST_NAME = 1000
_MOST_LISTED = 20

_AVERAGED = re.compile(
    r"(^|[^a-z])(ema|swa|averaged?|avg|shadow|polyak)([^a-z]|$)|ema_?(model|net|state)|"
    r"(model|net|state|weights?)_?ema",
    re.IGNORECASE,
)
# Counters of batch norm that no inference needs.
COUNTERS = "num_batches_tracked"


@dataclass(frozen=True)
class Network:
    """One network's place in a file.

    Attributes:
        path: what comes before its tensors' names, with the dot at the end.
        container: the part of `path` that is keys of mappings around the tensors' own.
        stem: the name of its first convolution's kernel.
        state: its tensors, without `path` and without counters.
    """

    path: str
    container: str
    stem: str
    state: StateDict

    @property
    def name(self) -> str:
        """How a user names it; a dot is the file's top."""
        return self.path.removesuffix(".") or "."

    @property
    def prefix(self) -> str:
        """What comes before its tensors' names in their own mapping."""
        return self.path.removeprefix(self.container)


@dataclass(frozen=True)
class Selection:
    """The network that was meant.

    Attributes:
        network: it.
        copies: others in the file with the very same tensors.
        others: names of different networks in the file.
        default: whether nobody asked for it although there are `others`.
    """

    network: Network
    copies: tuple[Network, ...]
    others: tuple[str, ...]
    default: bool


@dataclass(frozen=True)
class Found:
    """What `find` finds.

    Attributes:
        networks: every network, in order of the length of their paths.
        owners: for each tensor of the file the path of the network it is part of, or None.
    """

    networks: tuple[Network, ...]
    owners: dict[str, str | None]


def find(contents: Contents) -> Found:
    """Every network with a stem and a first stage.

    A network inside another's names (an encoder beside its momentum encoder) keeps its tensors to
    itself. Costs as many steps as there are tensors.
    """
    tensors = contents.tensors
    starts = {start for name in tensors for start in _starts(name)}
    stems = {
        start: next(start + stem for stem in _STEMS if start + stem in tensors)
        for start in starts
        if any(start + stem in tensors for stem in _STEMS)
    }
    owners = {name: _owner(name, stems, contents) for name in tensors}
    states: dict[str, StateDict] = {start: {} for start in stems}
    for name, owner in owners.items():
        if owner is not None and not name.endswith(COUNTERS):
            states[owner][name.removeprefix(owner)] = tensors[name]
    networks = tuple(
        Network(
            path=start,
            container=start[: contents.containers[stems[start]]],
            stem=stems[start],
            state=states[start],
        )
        for start in sorted(states, key=lambda start: (len(start), start))
    )
    return Found(networks, owners)


def _owner(name: str, stems: dict[str, str], contents: Contents) -> str | None:
    """The longest path of a network above a tensor, in whose mapping it lies.

    Where the layers of a network are mappings themselves, all below its path is its own.
    """
    for start in reversed(list(levels(name))):
        if start in stems:
            container = contents.containers[stems[start]]
            if container > len(start) or contents.containers[name] == container:
                return start
    return None


def levels(name: str) -> Iterator[str]:
    """Every path above a tensor, the file's top first.

    Example:
        >>> list(levels("net.fc.bias"))
        ['', 'net.', 'net.fc.']
    """
    yield ""
    if len(name) <= _LONGEST_NAME:
        for dot in [match.end() for match in re.finditer(r"\.", name)][:_MOST_COMPONENTS]:
            yield name[:dot]


def select(found: Sequence[Network], wanted: str | None) -> Selection:
    """The one network of a file, or of several the one that is wanted.

    Identical copies count once. Of different ones exactly one may be the default: the network
    itself where all others are its running averages by name (EMA, SWA), for it is what training
    made and what a reader of the plain key gets. Nothing tells which of a teacher and a student, or
    of a query and a key encoder, was published, so these have no default.

    Args:
        found: from `networks`, at least one.
        wanted: a key, a prefix or both, with dots; None for the default.

    Returns:
        The `Selection`.

    Raises:
        CheckpointError: if it is not clear which network is meant; the message lists them.

    Example:
        >>> import numpy as np
        >>> raw, averaged = {"a": np.zeros(1)}, {"a": np.ones(1)}
        >>> found = [Network("model.", "model.", "a", raw), Network("ema.", "ema.", "a", averaged)]
        >>> select(found, None).network.name, select(found, "ema").network.name
        ('model', 'ema')
    """
    groups = _identical(found)
    if wanted is not None:
        groups_wanted = _identical(_matching(found, wanted))
        if len(groups_wanted) != 1:
            problem = "none" if not groups_wanted else f"{len(groups_wanted)} different ones"
            raise CheckpointError(f"weights {wanted!r}: {problem} of this name;{_listed(groups)}")
        chosen = groups_wanted[0][0]
    else:
        ordinary = [group for group in groups if not all(_AVERAGED.search(n.name) for n in group)]
        if len(groups) > 1 and len(ordinary) != 1:
            raise CheckpointError(
                f"the file holds {len(groups)} different networks{_difference(groups)}: name the "
                f"one you want with `weights=KEY`;{_listed(groups)}"
            )
        chosen = (ordinary or groups)[0][0]
    (mine,) = [group for group in groups if any(network is chosen for network in group)]
    others = tuple(group[0].name for group in groups if group is not mine)
    copies = tuple(network for network in mine if network is not chosen)
    return Selection(chosen, copies, others, default=wanted is None and bool(others))


def _starts(name: str) -> Iterator[str]:
    """Paths of networks of whose first stage a tensor's name speaks."""
    if len(name) > _LONGEST_NAME:
        return
    components = name.split(".")[: _MOST_COMPONENTS + 6]
    for place, component in enumerate(components):
        for stage in _FIRST_STAGES:
            if component == stage[0]:
                here = components[place : place + len(stage)]
                fits = len(here) == len(stage) and all(
                    part.isdigit() if wanted is None else part == wanted
                    for wanted, part in zip(stage, here, strict=True)
                )
                if fits:
                    yield "".join(f"{part}." for part in components[:place])


def _matching(found: Sequence[Network], wanted: str) -> list[Network]:
    """By its whole name, else by what it begins with, else by any components in a row."""
    name = f".{wanted.strip('.')}." if wanted.strip(".") else "."
    tests = (
        lambda path: path == name,
        lambda path: path.startswith(name),
        lambda path: name in path,
    )
    for fits in tests if name != "." else tests[:1]:
        matching = [network for network in found if fits(f".{network.path}")]
        if matching:
            return matching
    return []


def _identical(found: Sequence[Network]) -> list[list[Network]]:
    """Networks with the same tensors together, in order of their first."""
    if len(found) == 1:
        return [list(found)]
    groups: dict[str, list[Network]] = {}
    for network in found:
        groups.setdefault(_digest(network.state), []).append(network)
    return list(groups.values())


def _digest(state: StateDict) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name]
        digest.update(f"{name}\0{tensor.dtype}{tensor.shape}\0".encode(errors="replace"))
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _difference(groups: Sequence[Sequence[Network]]) -> str:
    """Of two networks, in how many tensors they differ."""
    if len(groups) != 2:
        return ""
    first, second = (group[0].state for group in groups)
    differing = [
        name
        for name in sorted(first.keys() | second.keys())
        if name not in first
        or name not in second
        or first[name].dtype != second[name].dtype
        or not np.array_equal(first[name], second[name])
    ]
    more = ", ..." if len(differing) > 3 else ""
    return f", which differ in {len(differing)} tensors ({', '.join(differing[:3])}{more})"


def _listed(groups: Sequence[Sequence[Network]]) -> str:
    """The file's networks, a line each."""
    lines = [
        f"\n  {network.name}: {len(network.state)} tensors, "
        f"key {network.container.removesuffix('.') or '(top)'!r}, "
        f"prefix {network.prefix!r}"
        + (f", the same as {group[0].name}" if network is not group[0] else "")
        for group in groups
        for network in group
    ]
    more = f"\n  and {len(lines) - _MOST_LISTED} more" if len(lines) > _MOST_LISTED else ""
    return " the file has" + "".join(lines[:_MOST_LISTED]) + more
