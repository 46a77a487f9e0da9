"""A network's card takes its certified accuracies from logs of its own weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pagjax import checkpoints
from pagjax.certified_logs import reading, report
from pagjax.certified_logs.logs import LogError
from pagjax.certified_logs.report import Summary
from pagjax.checkpoints import shipped
from pagjax.checkpoints.identity import weights_digest
from pagjax.training import record


def fill(name: str, logs: Sequence[Path], summaries: Sequence[Summary]) -> None:
    """Replaces the certified accuracies in a card by those of logs.

    Args:
        name: of the network, or its path.
        logs: their files, which have settings beside them.
        summaries: one per log; those of predictions say nothing of radii and are left out.

    Raises:
        LogError: if a log is not of the network's weights, or its settings do not say all.
    """
    digest = weights_digest(checkpoints.load(name))
    entries = []
    for path, summary in zip(logs, summaries, strict=True):
        job = reading.job_of(path)
        if job is None or job.checkpoint_sha256 != digest:
            raise LogError(f"{path} is not a log of {name}'s weights, by the settings beside it")
        if summary.average_radius is not None:
            entries.append(report.card_entry(summary, job))
    record.write_card(shipped.path(name), {**shipped.card(name), "certified": entries})
