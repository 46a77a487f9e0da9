"""What some procedures need beside images and labels: a teacher's answers, classes' Gaussians."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from pagjax.alignment.bayes import bayes_classifier
from pagjax.checkpoints import shipped, store
from pagjax.checkpoints.identity import weights_digest
from pagjax.core.checks import LogitsFn
from pagjax.core.class_gaussians import ClassGaussian
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files import atomic
from pagjax.networks.base import BaseNetwork, base_network
from pagjax.seeds import store as statistics
from pagjax.training import surveys
from pagjax.training.evaluation import Exam, Report
from pagjax.training.settings import Settings, TrainingError
from pagjax.wording.names import normal


def _silent(what: str, done: int, total: int) -> None:
    """Tells nobody."""


class Material(NamedTuple):
    """What a run brings along.

    Attributes:
        soft_labels: probabilities that the teacher gives every training image, float32
            ``[images, classes]``; None without a teacher.
        bayes: the Bayes-optimal classifier under the run's noise; None where it is not asked for.
        report: told how far surveys of the training images are.
    """

    soft_labels: np.ndarray | None = None
    bayes: LogitsFn | None = None
    report: Report = _silent


NOTHING = Material()


class Wanted(NamedTuple):
    """Where a procedure's material comes from.

    Attributes:
        teacher: the network whose answers are targets, or None.
        gaussians: of the classes, with how many times finer images are than they; or None.
    """

    teacher: BaseNetwork | None
    gaussians: tuple[ClassGaussian, int] | None

    def digests(self) -> dict[str, str]:
        """What a run is known by, beside its images."""
        found = {}
        if self.teacher is not None:
            found["teacher"] = weights_digest(self.teacher)
        if self.gaussians is not None:
            found["class statistics"] = atomic.digest(*self.gaussians[0])
        return found


def wanted(settings: Settings, labels: tuple[str, ...]) -> Wanted:
    """What the run's procedure asks for, looked for and checked.

    Args:
        settings: of the run.
        labels: class names of the training images.

    Raises:
        TrainingError: naming what does not fit the run.
    """
    return Wanted(teacher_of(settings, labels), gaussians_of(settings, labels))


def teacher_of(settings: Settings, labels: tuple[str, ...]) -> BaseNetwork | None:
    """The network whose answers are targets, or None where the procedure has none.

    Raises:
        TrainingError: if it has other classes, another size, or was trained without noise.
    """
    if settings.procedure != "catrs" or settings.teacher is None:
        return None
    network = base_network(*store.restore(shipped.path(settings.teacher)))
    side, name = settings.image_size, f"teacher {settings.teacher}"
    unnamed = tuple(map(str, range(len(labels))))
    if network.labels != unnamed and [*map(normal, network.labels)] != [*map(normal, labels)]:
        raise TrainingError(f"{name}: its classes are not those of {settings.data}: choose another")
    if network.image_shape[:2] != (side, side):
        sides = "x".join(map(str, network.image_shape[:2]))
        raise TrainingError(
            f"{name}: it sees {sides} pixels, this run {side}x{side}: choose another"
        )
    if not network.training_sigma:
        raise TrainingError(
            f"{name}: it was trained without noise, or does not say with which: choose one trained "
            "with Gaussian augmentation"
        )
    return network


def gaussians_of(settings: Settings, labels: tuple[str, ...]) -> tuple[ClassGaussian, int] | None:
    """The classes' Gaussians and their factor, or None where the procedure asks for none.

    Raises:
        TrainingError: if there are none of these classes, or of another size.
    """
    if settings.procedure != "aligned":
        return None
    try:
        if settings.statistics is None:
            found = statistics.for_labels(labels, settings.image_size)
        else:
            found = statistics.load(settings.statistics)
        factor = found.scale_to(settings.image_size)
    except statistics.StatisticsError as error:
        raise TrainingError(str(error)) from error
    if found.labels != tuple(labels):
        raise TrainingError(
            f"statistics {settings.statistics}: they are of the classes "
            f"{', '.join(found.labels[:3])}, ..., not of {', '.join(labels[:3])}, ...: fit some "
            "with `python -m pagjax.fit_seeds`"
        )
    return found.densities(), factor


def gather(
    settings: Settings,
    data: LabelledImages,
    sources: Wanted,
    folder: Path,
    report: Report = _silent,
) -> Material:
    """All that the run's procedure needs; a teacher's answers are kept in the folder as they come.

    Args:
        settings: of the run.
        data: training images.
        sources: from `wanted`.
        folder: of the run's states.
        report: told how far the teacher is.
    """
    soft, teacher = None, sources.teacher
    if teacher is not None and teacher.training_sigma:
        exam = Exam(teacher.training_sigma, settings.teacher_draws, seed=settings.seed)
        counts = surveys.votes(
            teacher.logits_fn,
            data,
            settings.image_size,
            exam,
            what="teacher",
            kept=folder / surveys.FOLDER,
            report=report,
        )
        soft = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return without_teacher(settings, sources)._replace(soft_labels=soft, report=report)


def without_teacher(settings: Settings, sources: Wanted) -> Material:
    """What `gather` makes of everything but a teacher.

    Raises:
        TrainingError: if neither noise nor the Gaussians have any width.
    """
    if sources.gaussians is None:
        return NOTHING
    classes, factor = sources.gaussians
    try:
        bayes = bayes_classifier(classes, jnp.float32(settings.sigma), factor=factor)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    return Material(bayes=bayes)
