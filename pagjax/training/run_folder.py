"""A training run's folder: its settings, and in the end its checkpoint and card."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from pagjax.checkpoints import shipped, store
from pagjax.io.class_folders import Classes
from pagjax.io.labelled_images import LabelledImages
from pagjax.networks.base import BaseNetwork, Description, base_network
from pagjax.networks.normalizer import NORMALIZERS
from pagjax.runs import environment, files, processes
from pagjax.training import record
from pagjax.training.evaluation import evaluate
from pagjax.training.recipes import Recipe
from pagjax.training.settings import Settings, TrainingError
from pagjax.training.step import State

_SETTINGS, _CHECKPOINT, _EVALUATION = "settings.json", "checkpoint", "evaluation"
PREDICTIONS = "predictions.npz"


def begin(folder: Path, settings: Settings, *, overwrite: bool) -> None:
    """Makes the folder, or checks that it holds a run of the same settings."""
    if overwrite and folder.exists():
        if not (folder / _SETTINGS).exists() and any(folder.iterdir()):
            raise TrainingError(f"{folder} is no training run: not overwriting it")
        shutil.rmtree(folder)
    path = folder / _SETTINGS
    if path.exists():
        found = Settings.from_json(json.loads(path.read_text(encoding="utf-8")))
        theirs, ours = found.to_json(), settings.to_json()
        differing = [name for name in ours if ours[name] != theirs[name]]
        if differing:
            shown = "; ".join(f"{n}: {theirs[n]!r}, now {ours[n]!r}" for n in differing)
            raise TrainingError(
                f"{folder} holds a run of other settings ({shown}): "
                "repeat them, choose another --out, or pass --overwrite"
            )
    files.write_json(path, settings.to_json())


def network_of_init(init: str | None) -> BaseNetwork | None:
    """The checkpoint to start from, where there is one."""
    return None if init is None else base_network(*store.restore(shipped.path(init)))


def stored_side(side: int) -> int:
    """The side at which images wait for resized crops: an eighth larger, and even."""
    return 2 * math.ceil(side * 9 / 16)


def write_checkpoint(
    folder: Path, name: str, recipe: Recipe, state: State, classes: Classes
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes the averaged weights in half precision, to be used before they are evaluated.

    Returns:
        The variables as trained, and as written.
    """
    kept = jax.device_get(state.average)
    half = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), kept)
    if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(half)):
        raise TrainingError("weights that half precision cannot hold: train longer or more gently")
    described = _description(name, recipe.settings, classes, {})
    if processes.is_first():
        store.save(folder / _CHECKPOINT, described, half, overwrite=True)
    return kept, half


def finish(
    folder: Path,
    name: str,
    recipe: Recipe,
    state: State,
    data: LabelledImages,
    test: LabelledImages,
    *,
    command: Sequence[str],
    num_draws: int,
    report: Callable[[str, int, int], None],
) -> str:
    """Writes the checkpoint, evaluates it as written, and writes its card.

    A killed evaluation goes on where it was. Several processes share it out; the first one writes.

    Args:
        folder: of the run.
        name: of the network.
        recipe: of the run.
        state: the last one.
        data: what was trained on.
        test: what is evaluated on.
        command: for the card.
        num_draws: noise draws of an image.
        report: told about progress.

    Returns:
        The card as a table; nothing in processes but the first.
    """
    settings = recipe.settings
    trained, half = write_checkpoint(folder, name, recipe, state, data.classes)
    description = _description(name, settings, data.classes, {})
    measure = partial(evaluate, data=test, sigma=settings.sigma, report=report)
    unrounded, _ = measure(
        base_network(description, trained, settings.precision).logits_fn,
        num_draws=1,
        kept=folder / _EVALUATION / "trained",
    )
    reached, raw = measure(
        base_network(description, half, settings.precision).logits_fn,
        num_draws=num_draws,
        epsilon=recipe.evaluate_epsilon,
        kept=folder / _EVALUATION / "written",
    )
    if not processes.is_first():
        return ""
    values = record.card(
        name,
        settings.to_json(),
        reached,
        unrounded,
        command=command,
        environment={k: v for k, v in environment.describe().items() if k != "command"},
        lines=record.read(folder),
        parameters=sum(leaf.size for leaf in jax.tree.leaves(trained["params"])),
        purpose=recipe.purpose,
    )
    skipped = {"training": len(data.skipped), "test": len(test.skipped)}
    if any(skipped.values()):
        values["skipped_images"] = skipped
    described = _description(name, settings, data.classes, values)
    checkpoint = store.save(folder / _CHECKPOINT, described, half, overwrite=True)
    narrow = {key: _narrow(array) for key, array in {**raw, "targets": test.targets}.items()}
    files.write_arrays(checkpoint / PREDICTIONS, narrow)
    record.write_card(checkpoint, values)
    record.draw_curves(folder)
    return record.card_table(values)


def _description(
    name: str, settings: Settings, classes: Classes, origin: dict[str, Any]
) -> Description:
    return Description(
        architecture=f"{settings.stem} stem, {settings.block} blocks "
        f"{'/'.join(map(str, settings.stage_sizes))}, width {settings.width}",
        config=settings.config,
        num_classes=len(classes.labels),
        normalizer=NORMALIZERS[settings.normalizer],
        image_size=(settings.image_size, settings.image_size),
        labels=classes.labels,
        wordnet_ids=classes.wordnet_ids,
        training_sigma=settings.sigma,
        origin={"source": "pagjax.train", "name": name, **origin},
    )


def _narrow(array: np.ndarray) -> np.ndarray:
    """Counts and classes in as few bits as they need."""
    return array.astype(np.uint8) if array.min() >= 0 and array.max() < 256 else array
