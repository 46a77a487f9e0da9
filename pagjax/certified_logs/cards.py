"""A network's card takes its certified accuracies from logs of its own weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from pagjax import checkpoints
from pagjax.alignment.intervals import Interval
from pagjax.certification import Share
from pagjax.certified_logs import reading, report
from pagjax.certified_logs.anchors import Own
from pagjax.certified_logs.logs import LogError
from pagjax.certified_logs.report import Summary
from pagjax.checkpoints import card_tables, cards, shipped
from pagjax.checkpoints.cards import Certified
from pagjax.checkpoints.identity import weights_digest


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
    folder = shipped.path(name)
    card_tables.write(folder, dataclasses.replace(cards.read(folder), certified=tuple(entries)))


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
        card = cards.read(shipped.path(name))
        for entry in card.certified or ():
            alike = entry.method == "hard" and entry.data == data
            if alike and entry.sigma == card.settings.get("sigma") and entry.split == "test":
                found.append(Own(summary_of(name, entry), entry.draws, entry.staged))
    return found


def summary_of(name: str, entry: Certified) -> Summary:
    """A card's entry, as `pagjax.certified_logs.report.card_entry` made it."""
    average, ends = entry.average_radius, entry.radius_interval
    abstention = math.nan if entry.abstention is None else entry.abstention
    return Summary(
        name=name,
        sigma=entry.sigma,
        images=entry.images,
        radii=entry.radii,
        accuracies=entry.accuracies,
        average_radius=average,
        abstention=Share(abstention, math.nan, math.nan),
        radius_interval=None if average is None or ends is None else Interval(average, *ends),
    )
