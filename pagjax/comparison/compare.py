"""A comparison from its settings to its record: pictures of each network, numbers, a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pagjax import checkpoints
from pagjax.alignment.intervals import Interval
from pagjax.alignment.measurements import Measurements, as_csv
from pagjax.checkpoints.identity import network_digest, weights_digest
from pagjax.comparison import inputs, measuring, places
from pagjax.comparison import starts as begun
from pagjax.comparison.inputs import JudgingNetworks
from pagjax.comparison.measuring import Yardsticks
from pagjax.comparison.settings import CENTRE, Comparison
from pagjax.comparison.starts import Starts
from pagjax.io.data.class_folders import Classes
from pagjax.io.files import atomic, locks
from pagjax.jobs import environment
from pagjax.jobs.errors import JobError
from pagjax.networks.base import BaseNetwork
from pagjax.seeds.store import ClassStatistics
from pagjax.synthesis import messages

EVALUATION_SAMPLES = 100


class Compared(NamedTuple):
    """Means with intervals by network and number, and why inputs were skipped."""

    summaries: dict[str, dict[str, Interval]]
    skipped: tuple[str, ...]


def compare(asked: Comparison, out: Path, *, overwrite: bool = False) -> Compared:
    """Makes the pictures, measures them and writes table and record; what is done is not redone.

    Args:
        asked: what is compared.
        out: folder of the results.
        overwrite: whether other results there are replaced, once these are whole.

    Raises:
        JobError: for networks, judges or data that do not go together.
        RefusedError: if the folder is not a comparison's, or holds one with other settings.
    """
    places.check(asked, out)
    with locks.held(out):
        return _compare(asked, out, overwrite)


@dataclass(frozen=True)
class _Common:
    """What all networks of a comparison share."""

    networks: dict[str, BaseNetwork]
    judges: JudgingNetworks
    statistics: ClassStatistics | None
    fitted: str | None
    starts: Starts
    targets: np.ndarray
    others: np.ndarray
    neighbours: tuple[np.ndarray, np.ndarray] | None


def _compare(asked: Comparison, out: Path, overwrite: bool) -> Compared:
    if wrong := [count for count in asked.agreement if count < 1]:
        raise JobError(f"`agreement={wrong[0]}`: at least 1")
    crop = inputs.crop_of(asked)
    environment.prepare()
    inputs.check_names(asked.networks)
    networks = {name: checkpoints.load(name) for name in asked.networks}
    judges = inputs.read_judges(asked, networks)
    labels, shape = inputs.common_form(networks)
    statistics = inputs.find_statistics(asked, labels, shape[0])
    classes = Classes.of(next(iter(networks.values())))
    starts, train, source = inputs.read_starts(asked, classes, shape, crop)
    targets = begun.draw_targets(starts, len(labels), asked.seed)
    others = begun.draw_others(targets, len(labels), asked.seed)
    fitted = None if statistics is None else inputs.statistics_digest(statistics)
    folders = places.folder_names(networks)
    settings = asked.to_json() | {
        "networks": {name: network_digest(network) for name, network in networks.items()},
        "judges": judges.identities,
        "statistics": fitted,
        "starts": atomic.digest(starts.images, starts.classes),
        "data": source,
        **({} if crop == CENTRE else {"crop": crop}),
    }
    work = places.begin(out, settings, places.names(folders.values()), overwrite=overwrite)
    skipped, neighbours = list(starts.skipped), None
    if train is not None:
        kept = work / places.NEIGHBOURS
        looked_for = begun.Wanted(starts, targets, others, asked.neighbours)
        neighbours = begun.neighbours(kept, looked_for, source, train, skipped.append)
    common = _Common(
        *(networks, judges, statistics, fitted, starts),
        *(targets, others, neighbours),
    )
    measured = {
        name: _measured(asked, common, name, work / folder, mends=overwrite)
        for name, folder in folders.items()
    }
    summaries = {name: numbers.summary() for name, numbers in measured.items()}
    record = {
        "starts": starts.source,
        "count": asked.count,
        "judges": judges.weights,
        "networks": {
            name: {"sha256": weights_digest(network), "summary": _as_json(summaries[name])}
            for name, network in networks.items()
        },
        "settings": settings,
        "environment": environment.describe(),
    }
    _write(work, measured, [labels[target] for target in targets], record)
    places.end(out, work, settings)
    return Compared(summaries, tuple(skipped))


def _write(
    work: Path, measured: Mapping[str, Measurements], targets: list[str], record: dict[str, Any]
) -> None:
    """The table and, last, the record: none stands beside numbers of another run."""
    (work / places.RECORD).unlink(missing_ok=True)
    rows = [
        {"network": name, "start": number, "target": targets[number], **row}
        for name, numbers in measured.items()
        for number, row in enumerate(numbers.rows())
    ]
    atomic.write_bytes(work / places.TABLE, as_csv(rows))
    atomic.write_json(work / places.RECORD, record)


def _measured(
    asked: Comparison, common: _Common, name: str, folder: Path, *, mends: bool
) -> Measurements:
    """A network's numbers, its pictures made first."""
    network, starts = common.networks[name], common.starts
    job = measuring.job_of(name, network, starts, common.targets, asked.asked())
    with messages.progress_bar(job) as report:
        pictures = measuring.make_pictures(folder, network, job, starts, report, mends=mends)
    by = Yardsticks(
        judges=inputs.impartial(common.judges.networks, name, network),
        identities=common.judges.identities,
        statistics=common.statistics,
        statistics_sha256=common.fitted,
        others=common.others,
        neighbours=common.neighbours,
        num_samples=EVALUATION_SAMPLES,
        agreement_samples=asked.agreement,
    )
    return measuring.numbers(folder, network, job, starts, pictures, by)


def _as_json(summary: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval._asdict() for name, interval in summary.items()}
