"""What a file does not tell of a network: try the candidates on labelled pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from pagjax.checkpoints.store import CheckpointError
from pagjax.io.data import folder_data
from pagjax.io.data.class_folders import Classes
from pagjax.io.files.errors import DataError
from pagjax.io.pictures import images
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
    `pagjax.io.data.class_folders.match`.

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
    networks: Iterable[tuple[str, BaseNetwork]],
    normalizers: Mapping[str, Normalizer],
    files: Sequence[Path],
    classes: np.ndarray,
    sigma: float,
) -> tuple[tuple[str, str], dict[str, float]]:
    """The normaliser and structure with which pictures are classified best, if clearly the best.

    "Clearly" is an exact sign test between the best and each other candidate, on the pictures that
    only one of the two gets right (McNemar 1947), at p < 0.001. One program is compiled for each
    structure, whatever the number of normalisers, and one network is held at a time.

    Args:
        networks: the same weights in every structure, by name, without a normaliser of their own.
        normalizers: by name; each is tried in each structure.
        files: pictures.
        classes: their class indices.
        sigma: noise level added to every picture once, in pixel units; what the network expects.

    Returns:
        The names of the chosen normaliser and structure, and the accuracy of every pair of them,
        joined by a comma where the structure has a name.

    Raises:
        CheckpointError: if no candidate is clearly the best.
    """
    if not files:
        raise CheckpointError("no pictures to probe with")
    right: dict[tuple[str, str], np.ndarray] = {}
    for structure, network in networks:
        for name, correct in _right(network, normalizers, files, classes, sigma).items():
            right[name, structure] = correct
    accuracy = {_joined(pair): float(values.mean()) for pair, values in right.items()}
    best = max(right, key=lambda pair: right[pair].mean())
    if any(pair != best and not _beats(right[best], right[pair]) for pair in right):
        shown = ", ".join(f"{name} {value:.1%}" for name, value in accuracy.items())
        both = "normaliser and structure" if len({pair[1] for pair in right}) > 1 else "normaliser"
        raise CheckpointError(
            f"the {both} cannot be told from {len(files)} pictures ({shown}): give more pictures, "
            "or name what you know (`normalizer`, and what is open of its structure)"
        )
    return best, accuracy


def _right(
    network: BaseNetwork,
    normalizers: Mapping[str, Normalizer],
    files: Sequence[Path],
    classes: np.ndarray,
    sigma: float,
) -> dict[str, np.ndarray]:
    """Which pictures a network gets right with each normaliser."""
    size = network.image_shape[:2]
    correct: dict[str, list[np.ndarray]] = {name: [] for name in normalizers}
    for first in range(0, len(files), BATCH):
        chunk = slice(first, first + BATCH)
        pictures = np.stack([images.read(file, size, resize=256 / 224) for file in files[chunk]])
        count = len(pictures)
        noise = jax.random.normal(jax.random.key(first), pictures.shape)
        noisy = jnp.asarray(pictures) + sigma * noise
        noisy = jnp.pad(noisy, ((0, BATCH - count), (0, 0), (0, 0), (0, 0)))  # one program
        for name, normalizer in normalizers.items():
            guesses = np.asarray(network.logits_fn(normalizer(noisy)).argmax(axis=-1))
            correct[name].append(guesses[:count] == classes[chunk])
    return {name: np.concatenate(parts) for name, parts in correct.items()}


def _beats(best: np.ndarray, other: np.ndarray) -> bool:
    only_best, only_other = int((best & ~other).sum()), int((other & ~best).sum())
    decided = only_best + only_other
    if decided == 0:
        return False
    test = stats.binomtest(only_best, decided, alternative="greater")
    return bool(test.pvalue <= SIGNIFICANCE)


def _joined(pair: tuple[str, str]) -> str:
    return ", ".join(name for name in pair if name)
