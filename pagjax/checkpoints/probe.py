"""Which normaliser a network was trained with: try the candidates on labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from pagjax import images
from pagjax.checkpoints.store import CheckpointError
from pagjax.networks import Normalizer
from pagjax.networks.base import BaseNetwork

BATCH = 20
SIGNIFICANCE = 1e-3


def labelled_pictures(
    folder: str | Path, labels: Sequence[str] | None, num_classes: int
) -> tuple[list[Path], np.ndarray]:
    """Pictures in one folder per class, and their class indices.

    A folder's name is a class's label, its index, or, where neither fits and there are as many
    folders as classes, its place in alphabetical order.

    Args:
        folder: the folder of folders.
        labels: class names in order, if known.
        num_classes: number of logits.

    Returns:
        Files and their class indices.

    Raises:
        CheckpointError: if folders and classes cannot be matched.
    """
    folders = sorted(path for path in Path(folder).iterdir() if path.is_dir())
    names = [path.name for path in folders]
    if labels is not None and set(names) <= set(labels):
        indices = [list(labels).index(name) for name in names]
    elif names and all(name.isdigit() and int(name) < num_classes for name in names):
        indices = [int(name) for name in names]
    elif len(names) == num_classes:
        indices = list(range(num_classes))
    else:
        raise CheckpointError(
            f"{folder}: {len(names)} class folders for {num_classes} classes: name them by label "
            "or by index"
        )
    files: list[Path] = []
    classes: list[int] = []
    for path, index in zip(folders, indices, strict=True):
        found = images.find([path])
        files += found
        classes += [index] * len(found)
    return files, np.array(classes)


def choose(
    network: BaseNetwork,
    candidates: dict[str, Normalizer],
    files: Sequence[Path],
    classes: np.ndarray,
    sigma: float,
) -> tuple[str, dict[str, float]]:
    """The normaliser with which a network classifies the pictures best, if it is clearly the best.

    "Clearly" is an exact sign test between the best and each other candidate, on the pictures that
    only one of the two gets right (McNemar 1947), at p < 0.001.

    Args:
        network: without a normaliser of its own.
        candidates: normalisers by name.
        files: pictures.
        classes: their class indices.
        sigma: noise level added to every picture once, in pixel units; what the network expects.

    Returns:
        The chosen name, and every candidate's accuracy.

    Raises:
        CheckpointError: if no candidate is clearly the best.
    """
    size = network.image_shape[:2]
    correct: dict[str, list[np.ndarray]] = {name: [] for name in candidates}
    for first in range(0, len(files), BATCH):
        chunk = slice(first, first + BATCH)
        pictures = np.stack([images.read(file, size, resize=256 / 224) for file in files[chunk]])
        noise = jax.random.normal(jax.random.key(first), pictures.shape)
        noisy = jnp.asarray(pictures) + sigma * noise
        for name, normalizer in candidates.items():
            guesses = np.asarray(network.logits_fn(normalizer(noisy)).argmax(axis=-1))
            correct[name].append(guesses == classes[chunk])
    right = {name: np.concatenate(parts) for name, parts in correct.items()}
    accuracy = {name: float(values.mean()) for name, values in right.items()}
    best = max(accuracy, key=lambda name: accuracy[name])
    for name, values in right.items():
        only_best = int((right[best] & ~values).sum())
        only_other = int((values & ~right[best]).sum())
        decided = only_best + only_other
        if name != best and (
            decided == 0
            or stats.binomtest(only_best, decided, alternative="greater").pvalue > SIGNIFICANCE
        ):
            shown = ", ".join(f"{name} {value:.1%}" for name, value in accuracy.items())
            raise CheckpointError(
                f"the normaliser cannot be told from {len(files)} pictures ({shown}): give more "
                "pictures, or name it with --normalizer"
            )
    return best, accuracy
