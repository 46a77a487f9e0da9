"""Tables of certified accuracy from logs: as text, CSV, LaTeX, and JSON values for a card."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pagjax.certification import (
    Share,
    abstention_rate,
    average_certified_radius,
    certified_accuracy,
)
from pagjax.certified_logs import logs
from pagjax.certified_logs.job import LogJob
from pagjax.certified_logs.reading import sigma_of as sigma_of
from pagjax.wording.escapes import csv_cell, latex, one_line
from pagjax.wording.tables import aligned

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
        abstention: share of the images without a prediction.
    """

    name: str
    sigma: float | None
    images: int
    radii: tuple[float, ...]
    accuracies: tuple[Share, ...]
    average_radius: float | None
    abstention: Share


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
    )


def names_of(paths: Sequence[Path]) -> list[str]:
    """Paths without the folders that all share at their beginning.

    Example:
        >>> names_of([Path("logs/a/sigma_0.25"), Path("logs/b/sigma_0.25")])
        ['a/sigma_0.25', 'b/sigma_0.25']
    """
    parts = [path.parts for path in paths]
    shared = 0
    while all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return ["/".join(p[shared:]) for p in parts]


def text_table(summaries: Sequence[Summary]) -> str:
    """Columns aligned for a terminal: accuracy and its interval in percent."""
    rows = [_head(summaries), *(_cells(s, summaries) for s in summaries)]
    return "\n".join(aligned(rows, numbers=True))


def latex_table(summaries: Sequence[Summary]) -> str:
    """A tabular of the booktabs package, percent without intervals."""
    radii = _all_radii(summaries)
    escaped = [latex(s.name) for s in summaries]
    head = ["", r"$\sigma$", *(f"$r={radius:g}$" for radius in radii), "ACR", "abstain"]
    rows = []
    for name, s in zip(escaped, summaries, strict=True):
        by_radius = dict(zip(s.radii, s.accuracies, strict=True))
        shares = [_percent(by_radius[r].value) if r in by_radius else "--" for r in radii]
        radius = "--" if s.average_radius is None else f"{s.average_radius:.3f}"
        sigma = "--" if s.sigma is None else f"{s.sigma:g}"
        rows.append([name, sigma, *shares, radius, _percent(s.abstention.value)])
    lines = [" & ".join(row) + r" \\" for row in [head, *rows]]
    columns = "l" + "r" * (len(head) - 1)
    begin = rf"\begin{{tabular}}{{{columns}}}"
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    return "\n".join([begin, *body, r"\end{tabular}"])


def csv_table(summaries: Sequence[Summary]) -> str:
    """A row per log and radius, at full precision."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ["log", "sigma", "images", "average_certified_radius", "abstention_rate"]
    writer.writerow([*head, "radius", "certified_accuracy", "low", "high"])
    for s in summaries:
        known = [csv_cell(s.name), s.sigma, s.images, s.average_radius, s.abstention.value]
        for radius, share in zip(s.radii, s.accuracies, strict=True):
            writer.writerow([*known, radius, *share])
    return buffer.getvalue().rstrip("\n")


def card_entry(summary: Summary, job: LogJob) -> dict[str, Any]:
    """A network's certified accuracies as JSON values for its card.

    Args:
        summary: of a log of certificates.
        job: its job, see `pagjax.certified_logs.reading.job_of`.
    """
    return {
        "sigma": summary.sigma,
        "method": job.method,
        "data": job.data,
        "split": job.split,
        "images": summary.images,
        "draws": job.num_draws,
        "alpha": job.alpha,
        "staged": job.radii is not None,
        "precision": job.precision,
        "platform": job.platform,
        "certified_accuracy": [
            {"radius": radius, **share._asdict()}
            for radius, share in zip(summary.radii, summary.accuracies, strict=True)
        ],
        "average_certified_radius": summary.average_radius,
        "abstention_rate": summary.abstention.value,
    }


def _all_radii(summaries: Sequence[Summary]) -> list[float]:
    return sorted({radius for s in summaries for radius in s.radii})


def _head(summaries: Sequence[Summary]) -> list[str]:
    radii = [f"r = {radius:g}" for radius in _all_radii(summaries)]
    return ["log", "sigma", "images", *radii, "ACR", "abstains"]


def _cells(s: Summary, summaries: Sequence[Summary]) -> list[str]:
    by_radius = dict(zip(s.radii, s.accuracies, strict=True))
    return [
        one_line(s.name),
        "-" if s.sigma is None else f"{s.sigma:g}",
        f"{s.images:,}",
        *(_interval(by_radius[r]) if r in by_radius else "-" for r in _all_radii(summaries)),
        "-" if s.average_radius is None or s.images == 0 else f"{s.average_radius:.3f}",
        _interval(s.abstention),
    ]


def _interval(share: Share) -> str:
    if math.isnan(share.value):
        return "-"
    return f"{_percent(share.value)} ({100 * share.low:.1f}-{100 * share.high:.1f})"


def _percent(share: float) -> str:
    return "--" if math.isnan(share) else f"{100 * share:.2f}"
