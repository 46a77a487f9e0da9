"""What runs left on disk, read back: the record of a whole one, the settings of one begun."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pagjax.io.files import atomic
from pagjax.jobs import differing
from pagjax.jobs.errors import JobError
from pagjax.synthesis import page_records
from pagjax.synthesis.job import Job
from pagjax.synthesis.page_records import PageRun

_CURE = "name the record.json of a run of pagjax.synthesize"


@dataclass(frozen=True)
class PictureRow:
    """What a record says of a picture, as far as it is told again.

    Attributes:
        file: its path beside the record.
        probability: of the target, smoothed.
        broken_steps: those whose gradient was not finite.
    """

    file: str
    probability: float
    broken_steps: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> PictureRow:
        """From a row of ``pictures``.

        Raises:
            KeyError: if a field is missing.
        """
        probability, broken = row["smoothed_probability"], row["steps_with_non_finite_gradient"]
        return cls(row["file"], math.nan if probability is None else probability, broken)


@dataclass(frozen=True)
class RunRecord:
    """A ``record.json``: the one way in which it goes from room to room.

    Attributes:
        job: what was done.
        x_star_sha256: digest of the pictures; empty for the live page's.
        page: what the live page says of its run; None for a run of the command.
    """

    job: Job
    x_star_sha256: str
    page: PageRun | None = None


def read(path: Path) -> RunRecord:
    """A run's ``record.json``, or one that the live page saved.

    Raises:
        JobError: if it is none.
    """
    record, page = atomic.read_json(path, _CURE), None
    if page_records.is_one(record):
        record, page = page_records.complete(path, record), PageRun.of(record)
    return _checked(path, record, page)


def read_done(path: Path) -> tuple[RunRecord, tuple[PictureRow, ...]]:
    """The record of a run that is done, and what it says of its pictures.

    Raises:
        JobError: if it is none.
    """
    values = atomic.read_json(path, _CURE)
    record = _checked(path, values)
    try:
        return record, tuple(map(PictureRow.of, values["pictures"]))
    except (KeyError, TypeError):
        raise JobError(f"{path} is no record of a run (no pictures in it): {_CURE}") from None


def _checked(path: Path, values: Any, page: PageRun | None = None) -> RunRecord:
    if not isinstance(values, dict) or not isinstance(values.get("job"), dict):
        raise JobError(f"{path} is no record of a run (no job in it): {_CURE}")
    if not isinstance(values.get("x_star_sha256"), str):
        raise JobError(f"{path} is no record of a run (no x_star_sha256 in it): {_CURE}")
    try:
        return RunRecord(Job.from_json(values["job"]), values["x_star_sha256"], page)
    except JobError as error:
        raise JobError(f"{path}: {error}") from error


class Begun(NamedTuple):
    """A job that was begun in a folder, by its ``job.json``.

    Attributes:
        settings: as they were written, by whatever version; compared name by name.
        is_done: whether its results are whole, and a kill came before that was told.
    """

    settings: Mapping[str, Any]
    is_done: bool = False

    @property
    def batch_size(self) -> int | None:
        """Pictures at once, where that was written."""
        found = self.settings.get("batch_size")
        return found if isinstance(found, int) and found > 0 else None

    @property
    def keeps_frames(self) -> bool:
        """Whether trajectories were kept."""
        return bool(self.settings.get("frames"))

    def differing(self, job: Job) -> list[str]:
        """The names of a job's settings that are recorded otherwise."""
        return differing.names(job.to_json(), self.settings)

    def check_same(self, job: Job) -> None:
        """Refuses to resume a run with other settings than it was begun with.

        Raises:
            JobError: naming every setting that differs.
        """
        if shown := differing.told(job.to_json(), self.settings):
            raise JobError(f"the unfinished run had other settings ({shown}): repeat its arguments")
