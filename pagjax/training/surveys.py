"""What a network says of every training image under noise: a teacher's answers, or its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from pagjax.core.checks import LogitsFn
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.training.evaluation import Exam, Report, count_votes
from pagjax.training.procedures.options import weights_of_counts
from pagjax.training.settings import Settings, TrainingError

FOLDER = "surveys"


class Selection(NamedTuple):
    """Which training images are trained on, and how often.

    Attributes:
        stays: of every image, whether it is trained on.
        right: of every image, how many of `weigh_draws` draws were recognised at the last survey.
    """

    stays: Array
    right: Array


def votes(
    logits_fn: LogitsFn,
    data: LabelledImages,
    side: int,
    exam: Exam,
    *,
    what: str,
    kept: Path | None,
    report: Report,
) -> np.ndarray:
    """Votes of a smoothed network on the images as they are, without augmentation.

    Args:
        logits_fn: images ``[n, side, side, 3]`` to logits.
        data: images, of this side or larger.
        side: that the network sees.
        exam: noise level, draws and seed.
        what: for the progress bar; a file of `kept`.
        kept: folder of what is done so far, see `pagjax.training.evaluation.evaluate`.
        report: told about progress.

    Returns:
        Counts, shape ``[images, classes]``.
    """
    if data.side != side:
        whole = data
        data = replace(
            whole,
            side=side,
            held=None,
            files=None,
            read=lambda numbers: list(whole.images(numbers)),
        )
    return count_votes(logits_fn, data, exam, what=what, kept=kept, report=report)


def begun(settings: Settings, count: int) -> Selection | tuple[()]:
    """The selection before the first survey, all images alike; nothing where there are none."""
    if settings.procedure != "acr":
        return ()
    return Selection(jnp.ones(count, bool), jnp.zeros(count, jnp.int32))


def steps(settings: Settings, per_epoch: int, total: int) -> list[int]:
    """The numbers of the steps before which there is a survey.

    Example:
        >>> steps(Settings("cifar10", procedure="acr", select_from=2, weigh_every=3), 5, 45)
        [10, 25, 40]
    """
    if settings.procedure != "acr":
        return []
    first = round(settings.select_from * per_epoch)
    every = round(settings.weigh_every * per_epoch) or total
    return list(range(first, total, every))


def survey(
    settings: Settings,
    logits_fn: LogitsFn,
    data: LabelledImages,
    before: Selection,
    *,
    first: bool,
    seed: int,
    kept: Path | None,
    report: Report,
) -> Selection:
    """The selection by what the network says of each image now.

    At the first survey, images of which less than `least_share` of `select_draws` draws are
    recognised are left out for good; at each, the others are weighed anew.

    Args:
        settings: of the run.
        logits_fn: the network as it stands.
        data: training images.
        before: the selection so far.
        first: whether this is the first one.
        seed: of the noise; the next number is used too.
        kept: folder of what an interrupted survey has done.
        report: told about progress.

    Raises:
        TrainingError: if no image stays.

    Reference: Sun, Mao, Mueller and Vechev (2025).
    """

    def right(num_draws: int, seed: int, what: str) -> np.ndarray:
        exam = Exam(settings.sigma, num_draws, seed=seed)
        found = votes(
            logits_fn, data, settings.image_size, exam, what=what, kept=kept, report=report
        )
        return found[np.arange(len(data)), data.targets].astype(np.int32)

    stays = np.asarray(before.stays)
    if first:
        counted = right(settings.select_draws, seed, "which images are hard")
        stays = counted >= settings.least_share * settings.select_draws
        if not stays.any():
            raise TrainingError(
                f"no training image is right in {settings.least_share:.0%} of its draws: raise "
                "`select_from`, or lower `least_share`"
            )
    counts = np.asarray(before.right)
    if settings.weigh_every:
        counts = right(settings.weigh_draws, seed + 1, "how easy images are")
    return Selection(jnp.asarray(stays), jnp.asarray(counts))


def shares(settings: Settings, selection: Any) -> np.ndarray:
    """How likely each training image is to be the next, float64 of sum 1."""
    stays = np.asarray(selection.stays)
    weights = np.ones(len(stays))
    if settings.weigh_every:
        weights = np.asarray(weights_of_counts(settings.weigh_draws))[np.asarray(selection.right)]
    weights = np.where(stays, weights, 0.0)
    return np.asarray(weights / weights.sum())
