"""Logs for one table: what does not count in them, and whether they are of the same images."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scipy import special

from pagjax.certification.bounds import clopper_pearson_lower
from pagjax.certified_logs import logs, sense
from pagjax.certified_logs.job import LogJob, settings_file
from pagjax.certified_logs.logs import Log, LogError
from pagjax.certified_logs.settings import Told
from pagjax.jobs import records
from pagjax.wording.numbers import MOST_SIGMA

_SIGMA = re.compile(r"sigma[_-]([0-9]{1,9}(?:\.[0-9]{1,18})?)(?!.*sigma[_-][0-9])")
_SHOWN = 3


def settings_of(log: Path) -> Told:
    """What the settings beside a log say; of a log that has none, that they say nothing.

    Raises:
        RefusedError: naming file and field, if they were edited or cut off.
    """
    file = settings_file(log)
    return Told.from_json(_values(file)) if file.is_file() else Told()


def job_of(log: Path) -> LogJob | None:
    """The job that a log is of; None where there are no settings beside it.

    Raises:
        LogError: naming the first field that is missing.
        RefusedError: as `settings_of`.
    """
    file = settings_file(log)
    if not file.is_file():
        return None
    found = _values(file)["job"]
    fields = dataclasses.fields(LogJob)
    for field in fields:
        if field.name not in found and field.default is dataclasses.MISSING:
            raise LogError(f"{file}: job.{field.name} is missing")
    return LogJob(**{field.name: found[field.name] for field in fields if field.name in found})


def _values(file: Path) -> dict[str, Any]:
    """What a settings file holds: a job, under a noise that there is."""
    values = records.read(file)
    records.field(file, values, "job", dict)
    sigma = records.field(file, values, "job.sigma", float)
    if not 0 <= sigma <= MOST_SIGMA:
        raise LogError(f"{file}: job.sigma is {sigma:g}, not from 0 to {MOST_SIGMA:g}")
    return values


def sigma_of(path: Path) -> float | None:
    """A log's noise level: from the settings beside it, or else from its path.

    Example:
        >>> sigma_of(Path("certify/cifar10/resnet110/noise_0.50/test/sigma_0.25"))
        0.25
    """
    known = settings_of(path).sigma
    if known is not None:
        return known
    found = _SIGMA.search(str(path))
    return float(found.group(1)) if found else None


def read(path: Path) -> Log:
    """A log without the lines whose radius no certificate of its noise and draws can have.

    Raises:
        LogError: if it is none, see `pagjax.certified_logs.logs.read`.
        RefusedError: for settings beside it that were edited.
    """
    log = logs.read(path)
    most, why = _largest_radius(path)
    try:
        return log.without(sense.too_large(log.lines, most, why))
    except LogError as error:
        raise LogError(f"{path}, {error}") from None


def told(path: Path, log: Log) -> Iterator[str]:
    """What to say of a log beside its table, a line each.

    Example:
        >>> log = logs.check(logs.parse("idx,label,predict\\n0,3,3\\n0,3,3"))
        >>> list(told(Path("a.tsv"), log))
        ['a.tsv: 1 of 2 lines left out: line 3 (the same as line 2)']
    """
    for note in log.notes:
        yield f"{path}: {note}"
    if settings_of(path).sound:
        yield f"{path}: certificates hold in floating point, of whole 8-bit levels (sound)"
    if log.left_out:
        shown = [f"line {at} ({reason})" for at, reason in log.left_out[:_SHOWN]]
        more = len(log.left_out) - _SHOWN
        count = f"{len(log.left_out)} of {len(log.left_out) + len(log.lines)} lines left out"
        yield f"{path}: {count}: {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")


def differences(logs: Sequence[Log], names: Sequence[str]) -> Iterator[str]:
    """Why logs in one table cannot be compared: they are of other images, or of other data."""
    sets: dict[frozenset[int], list[str]] = {}
    labels: dict[int, tuple[int, str]] = {}
    clash = None
    for log, name in zip(logs, names, strict=True):
        if log.lines:
            sets.setdefault(frozenset(line.number for line in log.lines), []).append(name)
        for line in log.lines:
            label, first = labels.setdefault(line.number, (line.label, name))
            if label != line.label and clash is None:
                clash = (
                    f"{first} and {name} are not of the same data: image {line.number} has label "
                    f"{label} in one and {line.label} in the other"
                )
    if len(sets) > 1:
        told = [f"{len(numbers):,} in {_some(of)}" for numbers, of in sets.items()]
        common = len(frozenset.intersection(*sets))
        yield f"the logs are not of the same images: {'; '.join(told)}; {common:,} in all"
    if clash is not None:
        yield clash


def _largest_radius(path: Path) -> tuple[float, str]:
    """The largest radius that a log's certificates can have, and what it follows from."""
    sigma = sigma_of(path)
    if settings_of(path).method != "hard":
        known = sigma or MOST_SIGMA
        return sense.MOST_SIGMAS * known, f"any draws at sigma {known:g}"
    file = settings_file(path)
    values = records.read(file)
    draws = records.field(file, values, "job.num_draws", int)
    alpha = records.field(file, values, "job.alpha", float)
    if draws < 1 or not 0 < alpha < 1 or not sigma:
        raise LogError(f"{file}: {draws} draws, alpha {alpha:g}, sigma {sigma}: no certificate's")
    most = sigma * float(special.ndtri(clopper_pearson_lower(draws, draws, alpha)))
    return max(0.0, most), f"{draws:,} draws at sigma {sigma:g}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
