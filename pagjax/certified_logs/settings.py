"""The settings beside a log: by them a job knows its log again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pagjax.certified_logs.job import LogJob, settings_file
from pagjax.certified_logs.logs import LogError
from pagjax.io.data import identity
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files import atomic
from pagjax.jobs import differing, environment, records

# What logs of before were begun with, where they do not say: as it was, or nobody knows.
_BEFORE: dict[str, Any] = {
    "preprocessing": "cover",
    "class_name": None,
    "platform": None,
    "sound": False,
}
_UNKNOWN = ("network_sha256",)


class Data(NamedTuple):
    """Which images a log is of.

    Attributes:
        listing_sha256: of all images' names and classes.
        content_sha256: of the files of those that could be read.
        damaged: numbers of those that could not; they may be mended.
    """

    listing_sha256: str
    content_sha256: str
    damaged: tuple[int, ...]

    @classmethod
    def of(cls, data: LabelledImages, damaged: Mapping[int, Any]) -> Data:
        """Of images, and of those of them that cannot be read."""
        numbers = tuple(sorted(damaged))
        return cls(identity.listing(data), identity.content(data, without=numbers), numbers)


def plain(job: LogJob) -> dict[str, Any]:
    """A job as JSON values."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(job)))
    return values


def write(log: Path, job: LogJob, of_data: Data | None) -> None:
    """Writes a job's settings beside its log."""
    told = {} if of_data is None else {"data": of_data._asdict()}
    atomic.write_json(settings_file(log), {"job": plain(job), **told, **environment.describe()})


def check(log: Path, job: LogJob, data: LabelledImages | None) -> None:
    """Refuses a log of another job, or of images that have changed since.

    Args:
        log: its file, beside which its settings are.
        job: the job that would go on with it.
        data: its images; None does not look at them.

    Raises:
        LogError: naming what differs.
        RefusedError: naming file and field, if the settings were edited.
    """
    path = settings_file(log)
    if not path.is_file():
        raise LogError(f"{log} has no settings beside it to go on from: choose another `out`")
    recorded = records.read(path)
    theirs, ours = records.field(path, recorded, "job", dict), plain(job)
    theirs = {name: ours[name] for name in _UNKNOWN} | _BEFORE | theirs
    if shown := differing.told(ours, theirs):
        raise LogError(
            f"{log} was begun with other settings ({shown}): repeat them, choose another `out`, "
            "or pass `overwrite`"
        )
    if data is not None and "data" in recorded:
        _check_data(log, recorded, data)


def _check_data(log: Path, recorded: Mapping[str, Any], data: LabelledImages) -> None:
    path = settings_file(log)
    listed = records.field(path, recorded, "data.listing_sha256", str)
    held = records.field(path, recorded, "data.content_sha256", str)
    damaged = records.field(path, recorded, "data.damaged", list)
    if not all(isinstance(number, int) and 0 <= number < 2**31 for number in damaged):
        raise LogError(f"{path}: data.damaged: expected numbers of images")
    if identity.listing(data) != listed:
        changed = "other images or classes are there now, and their numbers with them"
    elif identity.content(data, without=damaged) != held:
        changed = "some of its images have other content now"
    else:
        return
    raise LogError(
        f"{log} was begun on {data.name} as it was ({changed}): restore it, choose another `out`, "
        "or pass `overwrite`"
    )
