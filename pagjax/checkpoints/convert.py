"""A published PyTorch checkpoint becomes a pagjax one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pagjax import torch_files
from pagjax._version import __version__
from pagjax.checkpoints import folders, layouts, probe, store, torch_resnets
from pagjax.checkpoints.layouts import Layout
from pagjax.checkpoints.store import CheckpointError
from pagjax.io import label_lists
from pagjax.io.errors import DataError
from pagjax.io.label_lists import Labels
from pagjax.networks import NORMALIZERS, Normalizer
from pagjax.networks.base import Description, base_network

IMAGE_SIZES = {"imagenet": 224, "cifar": 32}


@dataclass(frozen=True)
class Conversion:
    """What `convert` did.

    Attributes:
        path: the checkpoint written.
        description: what it says of itself.
        layout: whose layout was recognised.
        normalizer: the name of the normaliser.
        warnings: what the file could not tell, for people.
    """

    path: Path
    description: Description
    layout: str
    normalizer: str
    warnings: tuple[str, ...]


def convert(
    source: str | Path,
    destination: str | Path,
    *,
    normalizer: str | None = None,
    image_size: int | None = None,
    labels: Sequence[str] | None = None,
    sigma: float | None = None,
    probe_folder: str | Path | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Converts a PyTorch checkpoint, without PyTorch and without running anything it contains.

    Args:
        source: a file of torch's zip, legacy or tar format, or safetensors, in the layout of Cohen,
            Salman, Madry Lab, robust-models-transfer, RobustBench, akamaster, torchvision or timm.
        destination: the checkpoint directory to write, whole or not at all.
        normalizer: a name from `pagjax.networks.NORMALIZERS`; None takes the layout's usual one.
        image_size: side in pixels; None takes 224, or 32 for CIFAR networks.
        labels: class names in the order of the outputs, if known; those of
            `pagjax.io.label_lists.read` bring WordNet ids and notes with them.
        sigma: noise level of training in pixel units of [0, 1], if known.
        probe_folder: labelled pictures, one folder per class, by which to choose the normaliser.
        overwrite: whether `destination` may be replaced.

    Returns:
        A `Conversion`.

    Raises:
        pagjax.torch_files.TorchFileError: if the file cannot be read.
        CheckpointError: if it holds no network that pagjax has, or an option does not fit; the
            message lists everything that is wrong.
    """
    folders.check_destination(Path(destination).absolute(), overwrite=overwrite)
    if normalizer is not None and normalizer not in NORMALIZERS:
        raise CheckpointError(f"normaliser {normalizer!r}: choose one of {', '.join(NORMALIZERS)}")
    if normalizer is not None and probe_folder is not None:
        raise CheckpointError("a normaliser and a probe folder: give one of them")
    if sigma is not None and not (np.isfinite(sigma) and sigma >= 0):
        raise CheckpointError(f"sigma {sigma}: must be finite and at least 0")
    file = torch_files.read(source)
    layout = layouts.recognise(file.content)
    architecture = torch_resnets.identify(layout.state)
    variables = torch_resnets.convert(layout.state, architecture)
    names, warnings = _normalizer_candidates(layout, architecture.config.stem, normalizer)
    side = image_size or IMAGE_SIZES[architecture.config.stem]
    origin: dict[str, Any] = {
        "source": Path(source).name,
        "sha256": file.sha256,
        "container": file.container,
        "layout": layout.name,
        "prefix": layout.prefix,
        "facts": layout.facts,
        "inert_globals": list(file.skipped),
        "converter": f"pagjax {__version__}",
    }
    try:
        description = Description(
            architecture=architecture.name,
            config=architecture.config,
            num_classes=architecture.num_classes,
            normalizer=_normalizer(names[0], layout),
            image_size=(side, side),
            labels=None if labels is None else tuple(labels),
            training_sigma=sigma,
            origin=origin,
            wordnet_ids=getattr(labels, "wordnet_ids", None),
        )
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    chosen = names[0]
    if probe_folder is not None:
        files, classes = probe.labelled_pictures(
            probe_folder, labels, architecture.num_classes, description.wordnet_ids
        )
        plain = base_network(dataclasses.replace(description, normalizer=Normalizer()), variables)
        candidates = {name: _normalizer(name, layout) for name in names}
        chosen, accuracy = probe.choose(plain, candidates, files, classes, sigma or 0.0)
        origin |= {"probe": {"pictures": len(files), "accuracy": accuracy}}
        warnings = []
    description = dataclasses.replace(
        description,
        normalizer=_normalizer(chosen, layout),
        origin={**origin, "normalizer": chosen},
    )
    warnings += getattr(labels, "notes", ())
    path = store.save(destination, description, variables, overwrite=overwrite)
    return Conversion(path, description, layout.name, chosen, tuple(warnings))


def read_labels(path: str | Path) -> Labels:
    """Class names from a file, see `pagjax.io.label_lists.read`.

    Raises:
        CheckpointError: if it is no list of class names.
    """
    try:
        return label_lists.read(path)
    except DataError as error:
        raise CheckpointError(str(error)) from error


STORED = "as stored in the file"


def _normalizer_candidates(
    layout: Layout, stem: str, normalizer: str | None
) -> tuple[list[str], list[str]]:
    """Names of normalisers, the layout's usual one first, and what to warn of."""
    family = "imagenet" if stem == "imagenet" else "cifar10"
    if normalizer is not None:
        return [normalizer], []
    if layout.normalizer_buffers is not None:
        return [STORED], []
    if layout.name.startswith("akamaster"):
        return ["imagenet", "cifar10", "none"], []
    names = [family, f"{family}-centered"]
    if layout.ambiguous_normalizer:
        return names, [
            f"the file does not say which normaliser it was trained with: took {names[0]}, right "
            f"for Cohen et al.; many SmoothAdv networks need --normalizer {names[1]}, and a wrong "
            "one costs nearly all accuracy. --probe DIR decides by labelled pictures."
        ]
    if layout.normalizer_family == "clamped":
        return [f"{family}-clamped"], [f"no normaliser in the file: took {family}-clamped"]
    return [*names, "none"], [
        f"no normaliser in the file: took {family}; --normalizer names others"
    ]


def _normalizer(name: str, layout: Layout) -> Normalizer:
    if name != STORED:
        return NORMALIZERS[name]
    assert layout.normalizer_buffers is not None
    mean, sd = (
        tuple(round(value, 7) for value in (values * 3 if len(values) == 1 else values))
        for values in layout.normalizer_buffers
    )
    return Normalizer(mean, sd, clamp=layout.normalizer_family == "clamped")
