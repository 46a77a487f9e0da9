"""A training run's folder: its settings, and in the end its checkpoint and card."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from pagjax.checkpoints import card_tables, store
from pagjax.checkpoints.cards import Skipped
from pagjax.checkpoints.identity import weights_digest
from pagjax.io.data import identity
from pagjax.io.data.class_folders import Classes
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files import atomic
from pagjax.jobs import differing, environment, processes, records
from pagjax.networks.base import BaseNetwork, Description, base_network
from pagjax.networks.normalizer import NORMALIZERS
from pagjax.training import origins, own_files, record
from pagjax.training.evaluation import Exam, evaluate
from pagjax.training.settings import NamedSettings, Settings, TrainingError
from pagjax.training.step import State

PREDICTIONS = "predictions.npz"


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: what it leaves behind.
        name: of the network.
        recipe: its settings, and what the network is for.
    """

    folder: Path
    name: str
    recipe: NamedSettings


def begin(folder: Path, settings: Settings, *, overwrite: bool) -> None:
    """Makes the folder, or checks that it holds a run of the same settings.

    Args:
        folder: of the run, whose lock is held.
        settings: of the run.
        overwrite: whether the run that is there is forgotten, see `own_files.make_room`.

    Raises:
        TrainingError: if it holds another run, or something else.
        RefusedError: if its settings were edited so that they cannot be read.
    """
    own_files.make_room(folder, settings, overwrite=overwrite)
    path = folder / own_files.SETTINGS
    if not path.exists():
        atomic.write_json(path, settings.to_json())
        return
    try:
        theirs = Settings.from_json(records.read(path)).every()
    except (TypeError, TrainingError) as error:
        raise TrainingError(f"{path}: {error}: restore it, or choose another `out`") from error
    if shown := differing.told(settings.every(), theirs):
        raise TrainingError(
            f"{folder} holds a run of other settings ({shown}): "
            "repeat them, choose another `out`, or pass `overwrite`"
        )


def check_data(
    folder: Path,
    data: LabelledImages,
    test: LabelledImages,
    start: BaseNetwork | None,
    beside: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Refuses to go on with other images, or from another network, than the run was begun with.

    Runs of before say nothing of them; what they go on with is written down.

    Args:
        folder: of the run, whose lock is held.
        data, test: training images, and those that it is evaluated on.
        start: the network to start from.
        beside: digests of what else the procedure needs, by name.

    Raises:
        TrainingError: naming what changed.
        RefusedError: if the record was edited so that it cannot be read.
    """
    path = folder / own_files.DATA
    ours = {
        "training images": identity.of(data, times=False),
        "test images": identity.of(test, times=False),
        "network to start from": None if start is None else weights_digest(start),
    }
    ours |= beside
    if not path.exists():
        atomic.write_json(path, ours)
        return
    theirs = records.read(path)
    changed = [what for what in ours if ours[what] != theirs.get(what)]
    if changed:
        raise TrainingError(
            f"{folder} was begun with other {' and '.join(changed)}, by {path.name} in it: restore "
            "them, choose another `out`, or pass `overwrite`"
        )


def stored_side(side: int) -> int:
    """The side at which images wait for resized crops: an eighth larger, and even."""
    return 2 * math.ceil(side * 9 / 16)


def write_checkpoint(
    run: Run, state: State, classes: Classes
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes the averaged weights in half precision, to be used before they are evaluated.

    Returns:
        The variables as trained, and as written.
    """
    kept = jax.device_get(state.average)
    half = jax.tree.map(lambda leaf: np.asarray(leaf, np.float16), kept)
    if not all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(half)):
        raise TrainingError("weights that half precision cannot hold: train longer or more gently")
    described = _description(run, classes, {})
    path = run.folder / own_files.CHECKPOINT
    if processes.is_first() and not store.holds(path, described, half):
        store.save(path, described, half, overwrite=True)
    return kept, half


def finish(
    run: Run,
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
        run: the run.
        state: the last one.
        data: what was trained on.
        test: what is evaluated on.
        command: for the card.
        num_draws: noise draws of an image.
        report: told about progress.

    Returns:
        The card as a table; nothing in processes but the first.
    """
    settings, kept = run.recipe.settings, run.folder / own_files.EVALUATION
    trained, half = write_checkpoint(run, state, data.classes)
    description = _description(run, data.classes, {})
    as_trained = base_network(description, trained, settings.precision).logits_fn
    as_written = base_network(description, half, settings.precision).logits_fn
    exam = Exam(settings.sigma, num_draws, run.recipe.evaluate_epsilon)
    short = Exam(settings.sigma, 1)
    unrounded, _ = evaluate(as_trained, test, short, kept=kept / "trained", report=report)
    reached, raw = evaluate(as_written, test, exam, kept=kept / "written", report=report)
    if not processes.is_first():
        return ""
    parameters = sum(leaf.size for leaf in jax.tree.leaves(trained["params"]))
    made = _made(run, command, parameters, Skipped(len(data.skipped), len(test.skipped)))
    card = record.card(run.name, run.recipe.purpose, made, reached, unrounded)
    narrow = {key: _narrow(array) for key, array in {**raw, "targets": test.targets}.items()}

    def beside(checkpoint: Path) -> None:
        atomic.write_arrays(checkpoint / PREDICTIONS, narrow)
        card_tables.write(checkpoint, card)

    described = _description(run, data.classes, card.to_json())
    store.save(run.folder / own_files.CHECKPOINT, described, half, overwrite=True, beside=beside)
    record.draw_curves(run.folder)
    return card_tables.markdown(card)


def _made(run: Run, command: Sequence[str], parameters: int, skipped: Skipped) -> record.Made:
    lines = record.read(run.folder)
    return record.Made(
        settings=origins.portable(run.recipe.settings),
        command=command,
        environment={k: v for k, v in environment.describe().items() if k != "command"},
        seconds=record.total_of(line.seconds for line in lines),
        cpu_seconds=record.total_of(line.cpu_seconds for line in lines),
        parameters=parameters,
        skipped=skipped,
    )


def _description(run: Run, classes: Classes, origin: dict[str, Any]) -> Description:
    settings = run.recipe.settings
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
        origin={
            "source": "pagjax.train",
            "name": run.name,
            **origins.ancestors(settings),
            **origin,
        },
    )


def _narrow(array: np.ndarray) -> np.ndarray:
    """Counts and classes in as few bits as they need."""
    return array.astype(np.uint8) if array.min() >= 0 and array.max() < 256 else array
