"""What is seen of a training run as its steps go by: reports, looks at test images, saves."""

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

from pagjax.io.data.labelled_images import LabelledImages
from pagjax.jobs import processes
from pagjax.networks.convolutions.forms import Precision
from pagjax.networks.resnet import ResNet
from pagjax.training import optimisers, state_files
from pagjax.training.settings import Settings, TrainingError
from pagjax.training.step import Measured, State, Variables, frozen_logits

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


class Pace(NamedTuple):
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
    def of(cls, settings: Settings, num_images: int, stop_after: int | None) -> Pace:
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


class Watch:
    """Reports, looks at the test images and saves, as steps go by.

    Args:
        settings: of the run.
        pace: of the run.
        network: the Flax module.
        test: images for the accuracy that is reported after each epoch.
        folder: where the state is kept.
        report: told about progress.
    """

    def __init__(  # noqa: D107
        self,
        settings: Settings,
        pace: Pace,
        network: ResNet,
        test: LabelledImages,
        folder: Path,
        report: Report,
    ) -> None:
        self.settings, self.pace, self.test = settings, pace, test
        self.folder, self.report = folder, report
        self.trial_fn = _classifier(network, settings.precision)
        self.began = self.saved = self.reported = time.monotonic()
        self.first: int | None = None
        self.measured: list[Measured] = []

    def saw(self, number: int, state: State, seen: Measured) -> None:
        """What step `number` measured, and the state after it."""
        self.measured.append(seen)
        if self.first is None:
            self.first = number
        step, pace, settings = number + 1, self.pace, self.settings
        tries = step % pace.between_trials == 0 or step == pace.last
        full = len(self.measured) == STEPS_BETWEEN_REPORTS
        if not (tries or full or number == self.first):
            return
        loss, accuracy = _means(self.measured, step)
        now = time.monotonic()
        speed = len(self.measured) * settings.batch_size / (now - self.reported)
        trial = _trial(self.trial_fn, state, self.test, settings) if tries else None
        self.report(
            TrainingProgress(
                step=step,
                steps=pace.total,
                epoch=step / pace.per_epoch,
                loss=loss,
                accuracy=accuracy,
                rate=float(pace.rates(number)),
                images_per_second=None if number == self.first else speed,
                seconds=now - self.began,
                cpu_seconds=time.process_time(),
                test_accuracy=trial,
            )
        )
        self.measured, self.reported = [], time.monotonic()
        if step == pace.last or self.reported - self.saved > SECONDS_BETWEEN_SAVES:
            if processes.is_first():
                state_files.save(self.folder, state, settings.to_json())
            self.saved = time.monotonic()


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
