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
from pagjax.networks.base import Description, base_network
from pagjax.networks.normalizer import NORMALIZERS
from pagjax.runs import environment, files, processes
from pagjax.training import record
from pagjax.training.data import LabelledImages
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


def variables_of(init: str | None) -> dict[str, Any] | None:
    """The variables of the checkpoint to start from, where there is one."""
    if init is None:
        return None
    description, variables = store.restore(shipped.path(init))
    return base_network(description, variables).variables


def portable(settings: Settings) -> dict[str, Any]:
    """Settings as a card tells them: names in place of paths, and a digest of where it started."""
    values = settings.to_json()
    if Path(settings.data).is_dir():
        values["data"] = Path(settings.data).absolute().name
    if settings.init is not None and settings.init not in shipped.names():
        _, variables = store.restore(shipped.path(settings.init))
        digest = files.digest(*jax.tree.leaves(variables))
        values["init"] = f"{Path(settings.init).absolute().name}, sha256 {digest[:16]}"
    return values


def stored_side(side: int) -> int:
    """The side at which images wait for resized crops: an eighth larger, and even."""
    return 2 * math.ceil(side * 9 / 16)


def write_checkpoint(
    folder: Path, name: str, recipe: Recipe, state: State, labels: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes the averaged weights in half precision, to be used before they are evaluated.

    Returns:
        The variables as trained, and as written.
    """
    kept = jax.device_get(state.average)
    half = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), kept)
    if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(half)):
        raise TrainingError("weights that half precision cannot hold: train longer or more gently")
    described = _description(name, recipe.settings, labels, {})
    if processes.is_first():
        store.save(folder / _CHECKPOINT, described, half, overwrite=True)
    return kept, half


def finish(
    folder: Path,
    name: str,
    recipe: Recipe,
    state: State,
    labels: Sequence[str],
    test: LabelledImages,
    *,
    command: Sequence[str],
    num_draws: int,
    report: Callable[[str, int, int], None],
) -> str:
    """Writes the checkpoint, evaluates it as written, and writes its card.

    A killed evaluation goes on where it was. Several processes share it out; the first one writes.

    Returns:
        The card as a table; nothing in processes but the first.
    """
    settings = recipe.settings
    trained, half = write_checkpoint(folder, name, recipe, state, labels)
    description = _description(name, settings, labels, {})
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
        portable(settings),
        reached,
        unrounded,
        command=command,
        environment={k: v for k, v in environment.describe().items() if k != "command"},
        lines=record.read(folder),
        parameters=sum(leaf.size for leaf in jax.tree.leaves(trained["params"])),
        purpose=recipe.purpose,
    )
    described = _description(name, settings, labels, values)
    checkpoint = store.save(folder / _CHECKPOINT, described, half, overwrite=True)
    narrow = {key: _narrow(array) for key, array in {**raw, "targets": test.targets}.items()}
    files.write_arrays(checkpoint / PREDICTIONS, narrow)
    record.write_card(checkpoint, values)
    record.draw_curves(folder)
    return record.card_table(values)


def _description(
    name: str, settings: Settings, labels: Sequence[str], origin: dict[str, Any]
) -> Description:
    return Description(
        architecture=f"{settings.stem} stem, {settings.block} blocks "
        f"{'/'.join(map(str, settings.stage_sizes))}, width {settings.width}",
        config=settings.config,
        num_classes=len(labels),
        normalizer=NORMALIZERS[settings.normalizer],
        image_size=(settings.image_size, settings.image_size),
        labels=tuple(labels),
        training_sigma=settings.sigma,
        origin={"source": "pagjax.train", "name": name, **origin},
    )


def _narrow(array: np.ndarray) -> np.ndarray:
    """Counts and classes in as few bits as they need."""
    return array.astype(np.uint8) if array.min() >= 0 and array.max() < 256 else array
