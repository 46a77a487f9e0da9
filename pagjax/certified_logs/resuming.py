"""Where a log begins or goes on: what it holds must be this job's, of these images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pagjax.certified_logs import logs, sense, settings
from pagjax.certified_logs.job import LogJob
from pagjax.io.data import identity, published_order
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files import atomic
from pagjax.io.pictures.images import Preprocessing
from pagjax.networks.base import BaseNetwork


def preprocessing_of(log: Path) -> Preprocessing | None:
    """How the images of a log that was begun are brought to size; None where there is no log."""
    found = settings.peek(log) if log.exists() else None
    if found is None:
        return None
    return "cohen" if found.preprocessing == "cohen" else "cover"


def preprocessing_for(network: BaseNetwork, logs: Sequence[Path]) -> Preprocessing:
    """What logs were begun with, else what suits the network: Cohen's for ImageNet's."""
    stem, side = network.description.config.stem, network.image_shape[0]
    of_imagenet = side >= 200 and (stem == "imagenet" or len(network.labels) == 1000)
    usual: Preprocessing = "cohen" if of_imagenet else "cover"
    begun = map(preprocessing_of, logs)
    return next((how for how in begun if how is not None), usual)


def numbered(data: LabelledImages, logs: Sequence[Path]) -> LabelledImages:
    """Images by their published numbers, unless a log was begun by those that they came with."""
    as_they_came = identity.listing(data)
    for told in (settings.peek(log) for log in logs if log.exists()):
        if told is None or told.of_data is None or told.of_data.listing_sha256 == as_they_came:
            return data
    return published_order.in_published_order(data)


def begin(
    log: Path,
    job: LogJob,
    data: LabelledImages | None = None,
    of_data: settings.Data | None = None,
) -> set[int]:
    """Begins a log, or takes up one of the same job.

    Args:
        log: its file; what a kill left of an unfinished line is removed.
        job: its settings, which are written beside it first.
        data: the images, with which what the log says is compared; None does not.
        of_data: their digests, to be kept beside a new log.

    Returns:
        Numbers of the images that it has already.

    Raises:
        LogError: if the file is another job's or none, or a line cannot be right.
        RefusedError: if the settings were edited.
    """
    if not log.exists():
        settings.write(log, job, of_data)
        atomic.write_bytes(log, logs.header(job.columns).encode())
        return set()
    settings.check(log, job, data)
    content = log.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        atomic.write_bytes(log, whole or logs.header(job.columns).encode())
    found = logs.read(log)
    before = tuple(name for name in job.columns if name != logs.VOTES)
    if found.columns not in (job.columns, before):
        raise logs.LogError(f"{log}, line 1: columns {' '.join(found.columns)}: another log's")
    for at, reason in found.left_out:
        if not reason.startswith(sense.REPEATS):
            raise logs.LogError(f"{log}, line {at}: {reason}: mend it, or pass `overwrite`")
    if data is not None:
        _check_lines(log, found, data)
    return {line.number for line in found.lines}


def _check_lines(log: Path, found: logs.Log, data: LabelledImages) -> None:
    """Refuses lines that cannot be of these images."""
    for at, line in zip(found.places, found.lines, strict=True):
        known = 0 <= line.number < len(data)
        if not known or line.label != int(data.targets[line.number]):
            now = int(data.targets[line.number]) if known else "none"
            raise logs.LogError(
                f"{log}, line {at}: image {line.number} was of class {line.label}, now {now}: the "
                "data changed, or was numbered otherwise; choose another `out`, or pass `overwrite`"
            )
        if not -1 <= line.prediction < len(data.labels):
            raise logs.LogError(
                f"{log}, line {at}: predict {str(line.prediction)[:20]} is no class of "
                f"{len(data.labels)}: remove the line, or pass `overwrite`"
            )
