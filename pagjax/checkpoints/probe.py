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
from pagjax.io import folder_data
from pagjax.io.class_folders import Classes
from pagjax.io.errors import DataError
from pagjax.networks import Normalizer
from pagjax.networks.base import BaseNetwork

BATCH = 20
SIGNIFICANCE = 1e-3


def labelled_pictures(
    folder: str | Path,
    labels: Sequence[str] | None,
    num_classes: int,
    wordnet_ids: Sequence[str] | None = None,
) -> tuple[list[Path], np.ndarray]:
    """Pictures in one folder per class, and their class indices.

    A folder is called by a class's label, its index or its WordNet id, see
    `pagjax.io.class_folders.match`.

    Args:
        folder: the folder of folders.
        labels: class names in order, if known.
        num_classes: number of logits.
        wordnet_ids: of the classes in order, if known.

    Returns:
        Files and their class indices.

    Raises:
        CheckpointError: if folders and classes cannot be matched.
    """
    names = tuple(map(str, range(num_classes))) if labels is None else tuple(labels)
    classes = Classes(names, None if wordnet_ids is None else tuple(wordnet_ids))
    try:
        # Where the pictures lie in splits, those that were not trained on.
        found = folder_data.find(Path(folder), "val", classes, None)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    return found.files, np.array(found.targets)


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
