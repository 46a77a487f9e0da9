"""Tables of certified accuracy from logs: as text, CSV, LaTeX, and for a card."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pagjax.alignment.intervals import Interval, mean_interval
from pagjax.certification import (
    Share,
    abstention_rate,
    average_certified_radius,
    certified_accuracy,
)
from pagjax.certified_logs import logs, tables
from pagjax.certified_logs.job import LogJob
from pagjax.certified_logs.reading import settings_of
from pagjax.certified_logs.reading import sigma_of as sigma_of
from pagjax.certified_logs.tables import Cell, Measured, Table
from pagjax.checkpoints.cards import Certified
from pagjax.wording.escapes import csv_cell

RADII = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Summary:
    """What a log amounts to.

    Attributes:
        name: what to call it.
        sigma: noise level, None where neither its settings nor its path say.
        images: how many lines it has.
        radii: of interest; only 0 in a log of predictions.
        accuracies: certified accuracy at each, see `pagjax.certification.certified_accuracy`.
        average_radius: average certified radius, None in a log of predictions.
        radius_interval: the same with Student's interval, None also for a single image.
        abstention: share of the images without a prediction.
    """

    name: str
    sigma: float | None
    images: int
    radii: tuple[float, ...]
    accuracies: tuple[Share, ...]
    average_radius: float | None
    abstention: Share
    radius_interval: Interval | None = None


def summarise(
    log: logs.Log,
    name: str,
    *,
    sigma: float | None = None,
    radii: Sequence[float] = RADII,
    alpha: float = 0.05,
) -> Summary:
    """A log's accuracies at `radii`, with intervals at level `alpha`."""
    at = tuple(radii) if log.certifies else (0.0,)
    return Summary(
        name=name,
        sigma=sigma,
        images=len(log.lines),
        radii=at,
        accuracies=tuple(certified_accuracy(log.radii, log.correct, at, alpha=alpha)),
        average_radius=average_certified_radius(log.radii, log.correct) if log.certifies else None,
        abstention=abstention_rate(log.predictions, alpha=alpha),
        radius_interval=radius_interval(log, alpha),
    )


def radius_interval(log: logs.Log, alpha: float = 0.05) -> Interval | None:
    """The average certified radius with Student's interval, which no radius below 0 is in.

    None for a log of predictions, or of fewer than two images.
    """
    if not log.certifies or len(log.lines) < 2:
        return None
    value, low, high = mean_interval(log.radii * log.correct, alpha)
    return Interval(value, max(0.0, low), high)


def names_of(paths: Sequence[Path]) -> list[str]:
    """Paths without the folders that all share at their beginning.

    Example:
        >>> names_of([Path("logs/a/sigma_0.25"), Path("logs/b/sigma_0.25")])
        ['a/sigma_0.25', 'b/sigma_0.25']
    """
    parts = [path.parts for path in paths]
    shared = 0
    while parts and all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return ["/".join(p[shared:]) for p in parts]


def network_of(path: Path) -> str | None:
    """The network that a log of ours is of, by the settings beside it."""
    checkpoint = settings_of(path).checkpoint or ""
    if not checkpoint.strip("/"):
        return None
    parts = [part for part in Path(checkpoint).parts if part != "checkpoint"]
    return parts[-1] if parts else None


def network_names(paths: Sequence[Path]) -> list[str]:
    """Networks' names where logs say them, else what `names_of` says; never one name twice.

    Two logs of one network are told apart by their noise, or else by their files.
    """
    files = names_of(paths)
    names = [network_of(path) or file for path, file in zip(paths, files, strict=True)]
    sigmas = [sigma_of(path) for path in paths]
    for more in (["" if sigma is None else f"sigma {sigma:g}" for sigma in sigmas], files):
        twice = {name for name in names if names.count(name) > 1}
        names = [
            f"{name}, {told}" if name in twice and told and told != name else name
            for name, told in zip(names, more, strict=True)
        ]
    return names


def text_table(summaries: Sequence[Summary]) -> str:
    """Columns aligned for a terminal: accuracy and its interval in percent."""
    return tables.text(table_of(summaries))


def latex_table(summaries: Sequence[Summary]) -> str:
    """A tabular of the booktabs package, percent with intervals."""
    return tables.latex_table(table_of(summaries))


def markdown_table(summaries: Sequence[Summary]) -> str:
    """A table of Markdown, percent with intervals."""
    return tables.markdown(table_of(summaries))


def csv_table(summaries: Sequence[Summary]) -> str:
    """A row per log and radius, at full precision."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ["log", "sigma", "images", "average_certified_radius", "abstention_rate"]
    ends = ["average_certified_radius_low", "average_certified_radius_high"]
    writer.writerow([*head, "radius", "certified_accuracy", "low", "high", *ends])
    for s in summaries:
        known = [csv_cell(s.name), s.sigma, s.images, s.average_radius, s.abstention.value]
        of_radius = s.radius_interval[1:] if s.radius_interval else (None, None)
        for radius, share in zip(s.radii, s.accuracies, strict=True):
            writer.writerow([*known, radius, *share, *of_radius])
    return buffer.getvalue().rstrip("\n")


def table_of(summaries: Sequence[Summary]) -> Table:
    """A row per log: accuracies, the average certified radius and abstentions."""
    radii = sorted({radius for s in summaries for radius in s.radii})
    head = ["log", "sigma", "images", *(f"r = {r:g}" for r in radii), "ACR", "abstains"]
    return Table(head, [_cells(s, radii) for s in summaries])


def card_entry(summary: Summary, job: LogJob) -> Certified:
    """A network's certified accuracies for its card.

    Args:
        summary: of a log of certificates.
        job: its job, see `pagjax.certified_logs.reading.job_of`.
    """
    interval = summary.radius_interval
    return Certified(
        sigma=job.sigma,
        method=job.method,
        data=job.data,
        split=job.split,
        images=summary.images,
        draws=job.num_draws,
        alpha=job.alpha,
        staged=job.radii is not None,
        precision=job.precision,
        platform=job.platform,
        radii=summary.radii,
        accuracies=summary.accuracies,
        average_radius=summary.average_radius,
        abstention=summary.abstention.value,
        radius_interval=None if interval is None else interval[1:],
        sound=job.sound,
    )


def _cells(s: Summary, radii: Sequence[float]) -> list[Cell]:
    by_radius = dict(zip(s.radii, s.accuracies, strict=True))
    average: Cell = "-"
    if s.average_radius is not None and s.images:
        low, high = s.radius_interval[1:] if s.radius_interval else (math.nan, math.nan)
        average = Measured(s.average_radius, low, high, percent=False)
    return [
        s.name,
        "-" if s.sigma is None else f"{s.sigma:g}",
        f"{s.images:,}",
        *(Measured(*by_radius[r]) if r in by_radius else "-" for r in radii),
        average,
        Measured(*s.abstention),
    ]
