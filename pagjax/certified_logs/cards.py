"""A network's card takes its certified accuracies from logs of its own weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pagjax import checkpoints
from pagjax.alignment.intervals import Interval
from pagjax.certification import Share
from pagjax.certified_logs import reading, report
from pagjax.certified_logs.anchors import Own
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


def shipped_on(data: str) -> list[Own]:
    """What the cards of shipped networks say of hard certificates at their training's noise.

    Args:
        data: name of the data set, whose test images were certified.

    Example:
        >>> {own.summary.sigma for own in shipped_on("cifar10")} >= {0.25, 0.5, 1.0}
        True
    """
    found = []
    for name in shipped.names():
        card = shipped.card(name)
        for entry in card.get("certified") or ():
            trained = (card.get("settings") or {}).get("sigma")
            alike = entry["method"] == "hard" and entry["data"] == data
            if alike and entry["sigma"] == trained and entry["split"] == "test":
                found.append(Own(summary_of(name, entry), entry["draws"], entry["staged"]))
    return found


def summary_of(name: str, entry: Mapping[str, Any]) -> Summary:
    """A card's entry, as `pagjax.certified_logs.report.card_entry` wrote it."""
    at = entry["certified_accuracy"]
    average, interval = (
        entry["average_certified_radius"],
        entry.get("average_certified_radius_interval"),
    )
    return Summary(
        name=name,
        sigma=entry["sigma"],
        images=entry["images"],
        radii=tuple(share["radius"] for share in at),
        accuracies=tuple(Share(share["value"], share["low"], share["high"]) for share in at),
        average_radius=average,
        abstention=Share(entry["abstention_rate"], math.nan, math.nan),
        radius_interval=None if interval is None else Interval(average, *interval),
    )
