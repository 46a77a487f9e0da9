"""The training loop: batches in, measurements out, state on disk every few minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from pagjax.core.mesh import place
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.jobs import processes
from pagjax.networks.convolutions.forms import Precision
from pagjax.networks.resnet import ResNet
from pagjax.training import optimisers, state_files
from pagjax.training.batch_statistics import measured_anew
from pagjax.training.data import batches
from pagjax.training.settings import Settings, TrainingError
from pagjax.training.step import (
    Measured,
    State,
    Variables,
    frozen_logits,
    init,
    make_step,
    network_of,
)

STEPS_BETWEEN_REPORTS = 25
SECONDS_BETWEEN_SAVES = 180.0
MOST_TRIALS = 40
_TRIAL_IMAGES = 1000
_TRIAL_BATCH = 100


@dataclass(frozen=True)
class TrainingProgress:
    """What is known after some steps.

    Attributes:
        step, steps: taken, and of the run.
        epoch: as a fraction.
        loss, accuracy: means since the last report, on what was trained on.
        rate: learning rate.
        images_per_second: since the last report; None at the first, which compiles.
        seconds: since this process began training, pauses included.
        cpu_seconds: of all cores, spent by this process.
        test_accuracy: of the averaged weights on the first test images, one draw each, at the end
            of an epoch, or of several where a run has more than `MOST_TRIALS`; None between.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    accuracy: float
    rate: float
    images_per_second: float | None
    seconds: float
    cpu_seconds: float
    test_accuracy: float | None


Report = Callable[[TrainingProgress], None]


def train(
    settings: Settings,
    data: LabelledImages,
    test: LabelledImages,
    folder: Path,
    *,
    start: dict[str, object] | None = None,
    report: Report = lambda progress: None,
    stop_after: int | None = None,
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

    Returns:
        The last state. On several devices, of one process or of several, the batch is split among
        them and the weights are on all; each process reads its rows of a batch, and the first one
        keeps the state.
    """
    network = network_of(settings, len(data.labels))
    pace = _Pace.of(settings, len(data), stop_after)
    per_epoch = pace.per_epoch
    mesh, split = _placements(settings.batch_size)
    rows = _rows_here(split, settings.batch_size)
    state = init(settings, network, per_epoch, start)
    state = place(_restored(folder, state, settings), mesh)
    step_fn = make_step(settings, network, per_epoch)
    trial_fn = _classifier(network, settings.precision)
    first = int(state.step)
    began = saved = reported = time.monotonic()
    measured: list[Measured] = []
    for number, batch in zip(
        range(first, pace.last),
        batches(data, settings.batch_size, settings.seed, first, pace.last, rows),
        strict=True,
    ):
        placed = [jax.make_array_from_process_local_data(split, part) for part in batch]
        state, seen = step_fn(state, *placed)
        measured.append(seen)
        step = number + 1
        tries = step % pace.between_trials == 0 or step == pace.last
        if tries or len(measured) == STEPS_BETWEEN_REPORTS or number == first:
            loss, accuracy = _means(measured, step)
            now = time.monotonic()
            speed = len(measured) * settings.batch_size / (now - reported)
            trial = _trial(trial_fn, state, test, settings) if tries else None
            report(
                TrainingProgress(
                    step=step,
                    steps=pace.total,
                    epoch=step / per_epoch,
                    loss=loss,
                    accuracy=accuracy,
                    rate=float(pace.rates(number)),
                    images_per_second=None if number == first else speed,
                    seconds=now - began,
                    cpu_seconds=time.process_time(),
                    test_accuracy=trial,
                )
            )
            measured, reported = [], time.monotonic()
            if step == pace.last or reported - saved > SECONDS_BETWEEN_SAVES:
                if processes.is_first():
                    state_files.save(folder, state, settings.to_json())
                saved = time.monotonic()
    if settings.average_from and pace.last == pace.total:
        average = measured_anew(settings, network, data, state.average, split, rows)
        state = state._replace(average=average)
    return state


class _Pace(NamedTuple):
    """When a run does what.

    Attributes:
        per_epoch: steps an epoch.
        rates: learning rate by the number of the step.
        total: steps of the run.
        last: the step after which this process stops.
        between_trials: steps from one look at the test images to the next.
    """

    per_epoch: int
    rates: Callable[[int], Any]
    total: int
    last: int
    between_trials: int

    @classmethod
    def of(cls, settings: Settings, num_images: int, stop_after: int | None) -> _Pace:
        """Of a run on so many images."""
        per_epoch = num_images // settings.batch_size
        if per_epoch == 0:
            raise TrainingError(
                f"{num_images} training images do not fill a batch of {settings.batch_size}: "
                "choose a smaller `batch_size`"
            )
        total = optimisers.total_steps(settings, per_epoch)
        between_trials = per_epoch * max(1, math.ceil(settings.epochs / MOST_TRIALS))
        last = total if stop_after is None else min(total, stop_after)
        rates = optimisers.schedule(settings, per_epoch)
        return cls(per_epoch, rates, total, last, between_trials)


def _restored(folder: Path, state: State, settings: Settings) -> State:
    """The last state on disk, else the one given; what a kill left beside it is removed."""
    restored = state_files.restore(folder, state, settings.to_json())
    if processes.is_first():
        state_files.tidy(folder)
    return restored or state


def _means(measured: Sequence[Measured], step: int) -> tuple[float, float]:
    """Mean loss and accuracy of steps up to this one."""
    loss, accuracy = map(float, np.mean(jax.device_get(measured), axis=0))
    if not math.isfinite(loss):
        raise TrainingError(f"the loss is {loss} at step {step}: lower `peak_rate`, or start anew")
    return loss, accuracy


def _classifier(network: ResNet, precision: Precision) -> Callable[[Variables, Array], Array]:
    @jax.jit
    def classify(variables: Variables, images: Array) -> Array:
        return jnp.argmax(frozen_logits(network, variables, precision)(images), axis=-1)

    return classify


def _placements(batch_size: int) -> tuple[Mesh, NamedSharding]:
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


def _trial(
    trial_fn: Callable[..., Array], state: State, test: LabelledImages, settings: Settings
) -> float:
    """Accuracy of the averaged weights on the first test images, under one draw of the noise."""
    count = min(_TRIAL_IMAGES, len(test)) // _TRIAL_BATCH * _TRIAL_BATCH or len(test)
    size = min(_TRIAL_BATCH, count)
    average = jax.tree.map(lambda leaf: leaf.addressable_data(0), state.average)

    def right(first: int) -> int:
        images = jnp.asarray(test.images(np.arange(first, first + size)), jnp.float32) / 255
        noise = jax.random.normal(jax.random.key(first), images.shape)
        predicted = trial_fn(average, images + settings.sigma * noise)
        return int(np.sum(np.asarray(predicted) == test.targets[first : first + size]))

    return sum(processes.shared_out(right, range(0, count, size))) / count
