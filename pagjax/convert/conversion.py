"""A published PyTorch checkpoint becomes a pagjax one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pagjax._version import __version__
from pagjax.checkpoints import folders, store
from pagjax.checkpoints.store import CheckpointError
from pagjax.convert import layouts, probe, torch_files, torch_resnets, undecided
from pagjax.convert.layouts import Layout
from pagjax.convert.torch_resnets import Architecture
from pagjax.io.data import label_lists
from pagjax.io.data.label_lists import Labels
from pagjax.io.files.errors import DataError
from pagjax.networks import Normalizer
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
        warnings: what the file could not tell and nobody decided, for people.
        notes: what else people should know.
    """

    path: Path
    description: Description
    layout: str
    normalizer: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()


# Each is a thing that a file may not tell; the command and a notebook name the few that they know.
def convert(
    source: str | Path,
    destination: str | Path,
    *,
    weights: str | None = None,
    normalizer: str | Normalizer | None = None,
    structure: Mapping[str, Any] | None = None,
    image_size: int | None = None,
    labels: Sequence[str] | None = None,
    sigma: float | None = None,
    probe_folder: str | Path | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Converts a PyTorch checkpoint, without PyTorch and without running anything it contains.

    Args:
        source: a file of torch's zip, legacy or tar format, or safetensors, that holds a residual
            network under any keys and prefixes, as a state dict or as a whole module.
        destination: the checkpoint directory to write, whole or not at all.
        weights: which of several networks in the file: a key, a prefix or both.
        normalizer: a name from `pagjax.networks.NORMALIZERS`, numbers such as ``"0.5/0.25"`` (see
            `pagjax.networks.normalizer.parse`), ``"stored"`` or ``"stored-clamped"`` for the file's
            own mean and sd, or a `Normalizer`; None takes the layout's usual one.
        structure: what the tensors do not tell, by the names of `torch_resnets.choices`, such as
            ``{"stem_stride": 1, "max_pool": True, "stride_on": "1x1"}``; what is missing there is
            as in the publisher's code, or else the usual, with a warning.
        image_size: side in pixels; None takes 224, or 32 for CIFAR networks.
        labels: class names in the order of the outputs, if known; those of
            `pagjax.io.data.label_lists.read` bring WordNet ids and notes with them.
        sigma: noise level of training in pixel units of [0, 1], if known.
        probe_folder: labelled pictures, one folder per class, by which to choose the normaliser and
            the structure among those that were not given.
        overwrite: whether `destination` may be replaced.

    Returns:
        A `Conversion`.

    Raises:
        pagjax.convert.torch_files.TorchFileError: if the file cannot be read.
        CheckpointError: if it holds no network that pagjax has, or an option does not fit; the
            message lists everything that is wrong.
    """
    folders.check_destination(Path(destination).absolute(), overwrite=overwrite)
    _check_arguments(image_size, sigma)
    file = torch_files.read(source)
    layout = layouts.recognise(file.content, weights)
    architecture = torch_resnets.identify(layout.state)
    variables = torch_resnets.convert(layout.state, architecture)
    normalizers = undecided.normalizers(layout, architecture, normalizer)
    structures = undecided.structures(layout, architecture, structure or {})
    side = image_size or IMAGE_SIZES[architecture.config.stem]
    try:
        description = Description(
            architecture=architecture.name,
            config=architecture.config,
            num_classes=architecture.num_classes,
            normalizer=normalizers.default,
            image_size=(side, side),
            labels=None if labels is None else tuple(labels),
            training_sigma=sigma,
            origin=_origin(Path(source).name, file, layout),
            wordnet_ids=getattr(labels, "wordnet_ids", None),
        )
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    shapes = _shapes(description, architecture, structures)
    warnings = (*layout.warnings, *normalizers.warnings, *structures.warnings)
    chosen = _Chosen(next(iter(normalizers.values)), next(iter(shapes)))
    if probe_folder is not None:
        _check_something_is_open(normalizers, shapes, normalizer is not None)
        chosen = _by_pictures(probe_folder, labels, normalizers, shapes, variables)
        # What is left is what pictures cannot tell, such as a clamp.
        kept = normalizers.warnings if len(normalizers.values) == 1 else ()
        warnings = (*layout.warnings, *kept)
    description = dataclasses.replace(
        shapes[chosen.structure],
        normalizer=normalizers.values[chosen.normalizer],
        origin={**description.origin, **chosen.told(structures)},
    )
    warnings += getattr(labels, "notes", ())
    path = store.save(destination, description, variables, overwrite=overwrite)
    notes = (*layout.notes, *architecture.notes, *normalizers.notes, *structures.notes)
    return Conversion(path, description, layout.name, chosen.normalizer, warnings, notes)


class _Chosen(NamedTuple):
    """A normaliser and a structure by their names, and what pictures said, where any were asked."""

    normalizer: str
    structure: str
    probe: dict[str, Any] | None = None

    def told(self, structures: undecided.Structures) -> dict[str, Any]:
        """What the checkpoint says of the choice."""
        probed = {} if self.probe is None else {"probe": self.probe}
        by_pictures = {"by": "probe"} if probed else {}
        return {
            **probed,
            "normalizer": self.normalizer,
            "structure": {
                choice: {**entry, "value": structures.values[self.structure][choice]}
                | (by_pictures if entry["by"] == undecided.DEFAULT else {})
                for choice, entry in structures.decided.items()
            },
        }


def _by_pictures(
    folder: str | Path,
    labels: Sequence[str] | None,
    normalizers: undecided.Normalizers,
    shapes: Mapping[str, Description],
    variables: Mapping[str, Any],
) -> _Chosen:
    """The normaliser and the structure that get most of labelled pictures right."""
    first = next(iter(shapes.values()))
    files, classes = probe.labelled_pictures(folder, labels, first.num_classes, first.wordnet_ids)
    networks = ((key, base_network(each, variables)) for key, each in shapes.items())
    sigma = first.training_sigma or 0.0
    names, accuracy = probe.choose(networks, normalizers.values, files, classes, sigma)
    return _Chosen(*names, {"pictures": len(files), "accuracy": accuracy})


def _check_arguments(image_size: int | None, sigma: float | None) -> None:
    if sigma is not None and not (np.isfinite(sigma) and sigma >= 0):
        raise CheckpointError(f"sigma {sigma}: must be finite and at least 0")
    if image_size is not None and image_size < 1:
        raise CheckpointError(f"image size {image_size}: must be at least 1 pixel")


def _origin(source: str, file: torch_files.TorchFile, layout: Layout) -> dict[str, Any]:
    return {
        "source": source,
        "sha256": file.sha256,
        "container": file.container,
        "layout": layout.name,
        "weights": layout.selection.network.name,
        "other_weights": list(layout.selection.others[:20]),
        "key": layout.container,
        "prefix": layout.prefix,
        "classifier": layout.classifier,
        "facts": layout.facts,
        "inert_globals": list(file.skipped),
        "converter": f"pagjax {__version__}",
    }


def _shapes(
    description: Description, architecture: Architecture, structures: undecided.Structures
) -> dict[str, Description]:
    """The description with each structure that can be, without a normaliser."""
    shapes: dict[str, Description] = {}
    problem: ValueError | None = None
    for key, values in structures.values.items():
        try:
            chosen = torch_resnets.choose(architecture, **values)
        except ValueError as error:  # values that do not go together
            problem = error
            continue
        shapes[key] = dataclasses.replace(
            description,
            architecture=chosen.name,
            config=chosen.config,
            normalizer=Normalizer(),
        )
    if not shapes:
        raise CheckpointError(str(problem)) from problem
    return shapes


def _check_something_is_open(
    normalizers: undecided.Normalizers, shapes: Mapping[str, Description], given: bool
) -> None:
    if given and len(normalizers.values) * len(shapes) == 1:
        raise CheckpointError(
            "a normaliser and a probe folder: nothing else is open in this file, so give one of "
            "them"
        )


def read_labels(path: str | Path) -> Labels:
    """Class names from a file, see `pagjax.io.data.label_lists.read`.

    Raises:
        CheckpointError: if it is no list of class names.
    """
    try:
        return label_lists.read(path)
    except DataError as error:
        raise CheckpointError(str(error)) from error
