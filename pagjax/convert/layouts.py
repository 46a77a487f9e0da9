"""Where the network lies in a published PyTorch checkpoint, and whose layout that is.

A file's content goes in, the bare state dict of one residual network comes out, with what was
around it. Facts about the layouts are those of the publishers' own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pagjax.checkpoints.store import CheckpointError
from pagjax.convert import finding, naming, stored_normalizers, weights, whole_modules
from pagjax.convert.contents import Contents, flatten, is_module
from pagjax.convert.contents import StateDict as StateDict
from pagjax.convert.finding import Network, Selection
from pagjax.convert.stored_normalizers import Stored
from pagjax.convert.torch_resnets import relative

COHEN = "Cohen et al. / Salman et al. (locuslab/smoothing)"
MADRY = "MadryLab/robustness"
TRANSFER = "microsoft/robust-models-transfer"
AKAMASTER = "akamaster/pytorch_resnet_cifar10"
ROBUSTBENCH = "RobustBench"
HUGGING_FACE = "Hugging Face transformers"
PLAIN = "torchvision / timm"
WIDE = "WideResNet of TRADES / RobustBench"
OTHER = "a state dict of unknown publisher"
MODULE = "a whole module"


@dataclass(frozen=True)
class Layout:
    """A recognised checkpoint.

    Attributes:
        name: whose layout it is, for people.
        state: the network's own tensors under torchvision's names, without prefix and counters.
        container: the keys of the file under which the state dict lies; "" is its top.
        prefix: what was stripped from the names there.
        selection: which network of the file it is, and what others there are.
        classifier: the name of its last layer in the file, where it is no usual one.
        normalizers: normalisers stored in the file; more than one only where they differ.
        structure: what a whole module says of its structure, see `pagjax.convert.undecided`.
        facts: small entries beside the network (epoch, arch, accuracy), JSON values.
        warnings: what was taken by default or may be a mistake, for people.
        notes: what else they should know of the file.
    """

    name: str
    state: StateDict
    container: str
    prefix: str
    selection: Selection
    classifier: str | None = None
    normalizers: tuple[Stored, ...] = ()
    structure: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ambiguous_normalizer(self) -> bool:
        """Whether networks of this layout come with one of two normalisers that no file names."""
        return self.name == COHEN

    @property
    def normalizer_buffers(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and sd as stored in the file, or None."""
        return (self.normalizers[0].mean, self.normalizers[0].sd) if self.normalizers else None


def recognise(content: Any, wanted: str | None = None) -> Layout:
    """Finds the network in a checkpoint's content, whatever keys and prefixes are around it.

    Args:
        content: what `pagjax.convert.torch_files.read` gives: nested dicts with NumPy arrays.
        wanted: which of several networks: a key, a prefix or both; see
            `pagjax.convert.finding.select` for what None takes.

    Returns:
        The `Layout`.

    Raises:
        CheckpointError: if no residual network is there, if there are several and it is not clear
            which is meant, if its classifier is missing or has several layers, or if its tensors
            cannot be weights.

    Example:
        >>> import numpy as np
        >>> names = ("conv1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias")
        >>> shapes = ((8, 3, 3, 3), (8, 8, 3, 3), (9, 8), (9,))
        >>> arrays = {f"1.module.{n}": np.ones(s) for n, s in zip(names, shapes)}
        >>> layout = recognise({"epoch": 90, "arch": "resnet50", "state_dict": arrays})
        >>> layout.container, layout.prefix, sorted(layout.state)[:2]
        ('state_dict', '1.module.', ['conv1.weight', 'fc.bias'])
    """
    if not isinstance(content, Mapping | list | tuple) and not is_module(content):
        _refuse_kind(content)
    contents = flatten(content)
    if not contents.tensors:
        _refuse_empty(content)
    found = finding.find(contents)
    if not found.networks:
        raise CheckpointError(_no_network(contents))
    selection = finding.select(found.networks, wanted)
    network = selection.network
    weights.check(
        {
            name: tensor
            for name, tensor in network.state.items()
            if not stored_normalizers.is_buffer(name, tensor)
        }
    )
    state, classifier = naming.canonical(network, contents, found.owners)
    state = {k: v for k, v in state.items() if not stored_normalizers.is_buffer(k, v)}
    weights.check(state)
    _check_channels(contents.tensors[network.stem], network.stem)
    normalizers = stored_normalizers.of_network(network, contents.tensors)
    structure, told = whole_modules.read(network, contents)
    beside = _beside(selection, found.owners, classifier, contents)
    return Layout(
        name=_publisher(network, normalizers, state, bool(beside), bool(told)),
        state=state,
        container=network.container.removesuffix("."),
        prefix=network.prefix,
        selection=selection,
        classifier=classifier,
        normalizers=tuple(normalizers),
        structure=structure,
        facts={**_facts(content), "keys_beside_the_network": beside[:8]},
        warnings=(*_warnings(selection, classifier, beside), *told),
        notes=() if classifier is None else (f"took {classifier} as the classifier",),
    )


def _publisher(
    network: Network, normalizers: list[Stored], state: StateDict, beside: bool, module: bool
) -> str:
    """Whose code wrote a file; a guess only where nothing depends on it."""
    prefix = network.prefix
    if any(stored.clamp for stored in normalizers) or (
        not normalizers and prefix in ("module.model.", "module.model.model.")
    ):
        return TRANSFER if prefix.endswith("model.model.") else MADRY
    if normalizers:
        return ROBUSTBENCH
    if module:
        return MODULE
    if prefix in ("1.", "1.module.") and not beside:
        return COHEN
    if any(name.startswith(naming.HUGGING_FACE) for name in network.state):
        return HUGGING_FACE
    has_projection = any(".shortcut.0." in key or ".downsample.0." in key for key in state)
    if prefix == "module." and "linear.weight" in state and not has_projection:
        return AKAMASTER
    if "block1.layer.0.conv1.weight" in state:
        return WIDE
    if prefix == "model.":
        return ROBUSTBENCH
    if prefix or network.container or "linear.weight" in state:
        return OTHER
    return PLAIN


def _warnings(selection: Selection, classifier: str | None, beside: list[str]) -> list[str]:
    warnings = []
    network = selection.network
    if selection.default:
        warnings.append(
            f"the file also holds other weights ({_named(selection.others)}): took {network.name}; "
            f"`weights={selection.others[0]}` takes the other"
        )
    if classifier is not None and not classifier.startswith(network.container):
        warnings.append(f"took {classifier}, outside of {network.name}, as its classifier")
    if beside:
        warnings.append(
            f"left out {len(beside)} tensors beside the network ({_named(tuple(beside[:3]))}): if "
            "they take part in its function, as a denoiser before it does, this is another function"
        )
    return warnings


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _beside(
    selection: Selection,
    owners: dict[str, str | None],
    classifier: str | None,
    contents: Contents,
) -> list[str]:
    """Names of tensors in the network's mapping that are of no network and no normaliser."""
    container = selection.network.container
    used = {f"{classifier}.weight", f"{classifier}.bias"}
    return sorted(
        name.removeprefix(container)
        for name, tensor in contents.tensors.items()
        if name.startswith(container)
        and contents.containers[name] == len(container)
        and name not in used
        and tensor.size > 1
        and not stored_normalizers.is_buffer(name, tensor)
        and owners[name] is None
    )


def _check_channels(stem: np.ndarray, name: str) -> None:
    if stem.ndim != 4:
        raise CheckpointError(f"{name} has {stem.ndim} axes: expected the kernel of a convolution")
    if stem.shape[1] != 3:
        kind = "greyscale" if stem.shape[1] == 1 else f"{stem.shape[1]}-channel"
        raise CheckpointError(
            f"{name} takes {kind} images (its kernel is {stem.shape}): pagjax has networks for RGB "
            "images, of 3 channels"
        )


def _refuse_kind(content: Any) -> None:
    shown = repr(content) if type(content).__name__ == "Placeholder" else type(content).__name__
    raise CheckpointError(
        f"the file holds a {shown}, not a dict of tensors: save the model's state_dict() and "
        "convert that"
    )


def _refuse_empty(content: Any) -> None:
    if not isinstance(content, Mapping):
        _refuse_kind(content)
    names = ", ".join(repr(key) for key in list(content)[:8])
    raise CheckpointError(
        f"no tensors under any key of the file, which has {names}: save the model's state_dict() "
        "and convert that"
    )


# Endings of names by which layers are told that hold no plain weights, and what they are.
_ENCODED = (
    (
        ("weight_orig", "weight_mask"),
        "pruned layers (torch.nn.utils.prune.remove ends that)",
    ),
    (("weight_g", "original0"), "a network with weight normalisation (remove it first)"),
    (("_packed_params", "zero_point"), "a quantised network (save the floating-point one)"),
)


def _no_network(contents: Contents) -> str:
    names = list(contents.tensors)
    shown = ", ".join(name[:80] for name in names[:5]) + (", ..." if len(names) > 5 else "")
    encoded = [kind for ends, kind in _ENCODED if any(name.endswith(ends) for name in names)]
    kind = encoded[0] if encoded else relative(contents.tensors)
    what = f"; it looks like {kind}" if kind else ""
    return (
        f"no residual network found among {len(names)} tensors ({shown}){what}: expected a stem "
        "named conv1.weight and stages named layer1.0 or block1.layer.0 under some prefix, or "
        "Hugging Face's names"
    )


def _facts(content: Any) -> dict[str, Any]:
    """Scalars that stand beside the network, as JSON values."""
    facts = {}
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(value, (np.number, np.ndarray)) and np.size(value) == 1:
            value = np.asarray(value).item()
        if isinstance(key, str) and isinstance(value, (bool, int, float, str)):
            facts[key[:80]] = value[:200] if isinstance(value, str) else value
        if len(facts) == 20:
            break
    return facts
