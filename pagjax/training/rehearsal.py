"""How long a training run would take here: a step and a forward pass, timed on a small batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from pagjax.core.mesh import place
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.training import optimisers, surveys
from pagjax.training.data import Batch, batches, on_devices
from pagjax.training.loop import placements
from pagjax.training.material import Material
from pagjax.training.settings import Settings
from pagjax.training.step import frozen_function, init, make_step, network_of

BATCH = 32  # of each device


class Rehearsal(NamedTuple):
    """What a run would take.

    Attributes:
        steps: of the run.
        seconds: of all of them, from one small step; test images and compilation not counted.
        forward_passes: of the surveys of training images, before and between the steps.
        survey_seconds: of those.
    """

    steps: int
    seconds: float
    forward_passes: int
    survey_seconds: float

    def told(self) -> str:
        """In a line, for people."""
        line = f"{self.steps:,} steps, about {_span(self.seconds)} on this machine"
        if self.forward_passes:
            line += (
                f"; and {self.forward_passes:,} forward passes for what a network says of the "
                f"training images, about {_span(self.survey_seconds)}"
            )
        return line


def rehearse(
    settings: Settings, data: LabelledImages, start: dict[str, Any] | None, material: Material
) -> Rehearsal:
    """Times the run's own step on the last steps' terms, in which every attack is under way.

    Args:
        settings: of the run.
        data: training images.
        start: variables to start from.
        material: what the procedure needs; a teacher's answers are made up.
    """
    devices = jax.device_count()
    size = min(BATCH * devices, settings.batch_size, len(data) // devices * devices)
    mesh, split = placements(size)
    small = replace(settings, batch_size=size)
    per_epoch = max(1, len(data) // settings.batch_size)
    network = network_of(small, len(data.labels))
    state = init(small, network, per_epoch, start)
    total = optimisers.total_steps(settings, per_epoch)
    state = place(state._replace(step=state.step + (total - 1)), mesh)
    images, labels, *_ = next(batches(data, size, settings.seed, 0, 1))
    soft = None
    if settings.procedure == "catrs":
        soft = np.full((size, len(data.labels)), 1 / len(data.labels), np.float32)
    batch = on_devices(Batch(images, labels, soft), split)
    step_fn = make_step(small, network, per_epoch, material.bayes)
    logits_fn = jax.jit(frozen_function(network, state.variables, settings.precision))
    side = settings.image_size
    seen = jax.device_put(images[:, :side, :side].astype(np.float32) / 255, split)
    forward = _second_time(lambda: logits_fn(seen))
    step = _second_time(lambda: step_fn(jax.tree.map(lambda leaf: leaf + 0, state), *batch))
    passes = _survey_passes(settings, len(data), per_epoch, total)
    return Rehearsal(
        steps=total,
        seconds=step * total * settings.batch_size / size,
        forward_passes=passes,
        survey_seconds=forward * passes / size,
    )


def _survey_passes(settings: Settings, count: int, per_epoch: int, total: int) -> int:
    due = len(surveys.steps(settings, per_epoch, total))
    draws = settings.teacher_draws if settings.procedure == "catrs" else 0
    if due:
        draws += settings.select_draws + due * bool(settings.weigh_every) * settings.weigh_draws
    return count * draws


def _second_time(run: Callable[[], Any]) -> float:
    """Seconds of a call that need not compile."""
    jax.block_until_ready(run())
    began = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - began


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 1):.0f} seconds"
