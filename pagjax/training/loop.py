"""The training loop: batches in, measurements out, state on disk every few minutes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from pagjax.core.mesh import place
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.jobs import processes
from pagjax.networks.resnet import ResNet
from pagjax.training import state_files, surveys
from pagjax.training.batch_statistics import measured_anew
from pagjax.training.data import batches, on_devices
from pagjax.training.evaluation import Report as SurveyReport
from pagjax.training.material import NOTHING, Material
from pagjax.training.settings import Settings, TrainingError
from pagjax.training.step import State, frozen_function, init, make_step, network_of
from pagjax.training.watch import Pace, Report, TrainingProgress, Watch

__all__ = ["Report", "TrainingProgress", "train"]


def train(
    settings: Settings,
    data: LabelledImages,
    test: LabelledImages,
    folder: Path,
    *,
    start: dict[str, object] | None = None,
    report: Report = lambda progress: None,
    stop_after: int | None = None,
    material: Material = NOTHING,
) -> State:
    """Trains from the last state in `folder`, or from the start, to the end of the schedule.

    Args:
        settings: of the run.
        data: training images.
        test: images for the accuracy that is reported after each epoch.
        folder: where the state is kept.
        start: variables to start from.
        report: told about progress.
        stop_after: steps after which to stop early, state saved.
        material: what the procedure needs beside the images.

    Returns:
        The last state. On several devices, of one process or of several, the batch is split among
        them and the weights are on all; each process reads its rows of a batch, and the first one
        keeps the state.
    """
    network = network_of(settings, len(data.labels))
    pace = Pace.of(settings, len(data), stop_after)
    mesh, split = placements(settings.batch_size)
    rows = _rows_here(split, settings.batch_size)
    state = init(settings, network, pace.per_epoch, start)
    state = state._replace(selection=surveys.begun(settings, len(data)))
    state = place(_restored(folder, state, settings), mesh)
    step_fn = make_step(settings, network, pace.per_epoch, material.bayes)
    watch = Watch(settings, pace, network, test, folder, report)
    due = surveys.steps(settings, pace.per_epoch, pace.total)
    ends = [step for step in due if int(state.step) < step < pace.last] + [pace.last]
    for end in ends:
        first = int(state.step)
        if first in due and first < pace.last:
            selection = _surveyed(
                settings, network, data, state, folder / surveys.FOLDER, material.report
            )
            state = place(state._replace(selection=selection), mesh)
        stream = batches(
            data,
            settings.batch_size,
            settings.seed,
            first,
            end,
            rows,
            soft_labels=material.soft_labels,
            shares=_shares(settings, state, due),
        )
        for number, batch in zip(range(first, end), stream, strict=True):
            state, seen = step_fn(state, *on_devices(batch, split))
            watch.saw(number, state, seen)
    if settings.average_from and pace.last == pace.total:
        shares = _shares(settings, state, due)
        average = measured_anew(
            settings, network, data, state.average, split, rows, material, shares
        )
        state = state._replace(average=average)
    return state


def _surveyed(
    settings: Settings,
    network: ResNet,
    data: LabelledImages,
    state: State,
    kept: Path,
    report: SurveyReport,
) -> surveys.Selection:
    """The selection by what the weights as they stand say of every training image."""
    step = int(state.step)
    variables, before = jax.tree.map(
        lambda leaf: leaf.addressable_data(0), (state.variables, state.selection)
    )
    return surveys.survey(
        settings,
        frozen_function(network, variables, settings.precision),
        data,
        before,
        first=step == round(settings.select_from * (len(data) // settings.batch_size)),
        seed=settings.seed + 2 * step,
        kept=kept,
        report=report,
    )


def _shares(settings: Settings, state: State, due: Sequence[int]) -> np.ndarray | None:
    """How likely each image is to be the next, once there was a survey."""
    if not due or int(state.step) < due[0]:
        return None
    return surveys.shares(settings, state.selection)


def _restored(folder: Path, state: State, settings: Settings) -> State:
    """The last state on disk, else the one given; what a kill left beside it is removed."""
    restored = state_files.restore(folder, state, settings.to_json())
    if processes.is_first():
        state_files.tidy(folder)
    return restored or state


def placements(batch_size: int) -> tuple[Mesh, NamedSharding]:
    """All devices, and how a batch is split among them.

    Raises:
        TrainingError: if they do not divide it.
    """
    devices = jax.devices()
    if batch_size % len(devices):
        raise TrainingError(
            f"`batch_size={batch_size}` cannot be split over {len(devices)} devices: "
            f"choose a multiple of {len(devices)}"
        )
    mesh = Mesh(np.array(devices), ("batch",))
    return mesh, NamedSharding(mesh, PartitionSpec("batch"))


def _rows_here(split: NamedSharding, batch_size: int) -> slice:
    """The rows of a batch that this process's devices hold."""
    held = split.addressable_devices_indices_map((batch_size,)).values()
    rows = [range(batch_size)[index[0]] for index in held if index is not None]
    return slice(min(part.start for part in rows), max(part.stop for part in rows))
