"""The settings beside a log: by them a job knows its log again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pagjax.certified_logs.job import LogJob, settings_file
from pagjax.certified_logs.logs import LogError
from pagjax.io.data import identity
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files import atomic
from pagjax.jobs import differing, environment, records

# What logs of before were begun with, where they do not say: as a `LogJob` has it, or nobody knows.
_UNKNOWN = ("network_sha256",)

_Kind = TypeVar("_Kind", str, int, float, bool, list, dict)


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

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Data | None:
        """From a settings file's values; None where they do not say."""
        digests = [_said(values, name, str) for name in cls._fields[:2]]
        damaged = _said(values, "damaged", list)
        if digests[0] is None or digests[1] is None or damaged is None:
            return None
        return cls(digests[0], digests[1], tuple(damaged))


@dataclass(frozen=True)
class Told:
    """What the settings beside a log say, as far as they do: logs of before say less.

    Attributes:
        sigma, checkpoint, data, split, class_name, image_size, method, rivals, num_draws, alpha,
            preprocessing: see `LogJob`; None where they do not say, or no value of its kind.
        staged: whether draws were looked at in stages.
        sound: whether the arithmetic is accounted for.
        of_data: which images; None where they do not say.
    """

    sigma: float | None = None
    checkpoint: str | None = None
    data: str | None = None
    split: str | None = None
    class_name: str | None = None
    image_size: int | None = None
    method: str | None = None
    rivals: str | None = None
    num_draws: int | None = None
    alpha: float | None = None
    preprocessing: str | None = None
    staged: bool = False
    sound: bool = False
    of_data: Data | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Told:
        """From the values of a settings file, whatever they are.

        Example:
            >>> Told.from_json({"job": {"sigma": 0.5, "num_draws": "many"}}).num_draws is None
            True
        """
        job = _said(values, "job", dict) or {}
        return cls(
            sigma=_said(job, "sigma", float),
            checkpoint=_said(job, "checkpoint", str),
            data=_said(job, "data", str),
            split=_said(job, "split", str),
            class_name=_said(job, "class_name", str),
            image_size=_said(job, "image_size", int),
            method=_said(job, "method", str),
            rivals=_said(job, "rivals", str),
            num_draws=_said(job, "num_draws", int),
            alpha=_said(job, "alpha", float),
            preprocessing=_said(job, "preprocessing", str),
            staged=job.get("radii") is not None,
            sound=_said(job, "sound", bool) or False,
            of_data=Data.from_json(_said(values, "data", dict) or {}),
        )


def peek(log: Path) -> Told | None:
    """What the settings beside a log say; None where there are none that can be read."""
    try:
        values = json.loads(settings_file(log).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return Told.from_json(values) if isinstance(values, dict) else None


def _said(values: Mapping[str, Any], name: str, kind: type[_Kind]) -> _Kind | None:
    """A value of its kind; a whole number is a number too."""
    value: Any = values.get(name)
    if isinstance(value, bool) and kind is not bool:
        return None
    if kind is float and isinstance(value, int):
        value = float(value) if abs(value) < 2**63 else None
    found: _Kind | None = value if isinstance(value, kind) else None
    return found


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
    theirs = _before(ours) | theirs
    if shown := differing.told(ours, theirs):
        raise LogError(
            f"{log} was begun with other settings ({shown}): repeat them, choose another `out`, "
            "or pass `overwrite`"
        )
    if data is not None and "data" in recorded:
        _check_data(log, recorded, data)


def _before(ours: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, as JSON values, that logs of before do not name."""
    added = [one for one in dataclasses.fields(LogJob) if one.default is not dataclasses.MISSING]
    return {one.name: ours[one.name] if one.name in _UNKNOWN else one.default for one in added}


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
