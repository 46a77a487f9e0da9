"""How sure a smoothed classifier is over a test set: the distribution of p_A (Sun et al. 2025).

p_A of an image is the probability, under the noise, of its label. A correct certificate proves a
lower bound of it, which follows from the radius: R = sigma Phi^-1(p_A). Abstentions and wrong
predictions prove nothing of their label: they count as images whose p_A is not known to exceed a
half, and are above no threshold. Where a log keeps votes, the share of the draws that say the label
estimates p_A of every image, below a half too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import special

from pagjax.certification import Share
from pagjax.certification.bounds import clopper_pearson_interval
from pagjax.certified_logs import reading, settings
from pagjax.certified_logs.logs import Log, LogError
from pagjax.certified_logs.tables import Cell, Measured, Table
from pagjax.wording.escapes import csv_cell

AT = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)
BELOW = (0.1, 0.25)  # where votes say it
_EXACT = 1e-9  # radii are cut after some digits: a radius of 0 is a half
NOTE = (
    "images in percent whose label has at least the probability p under the noise, with exact 95% "
    "intervals",
    "lower bounds follow from correct certificates, R = sigma Phi^-1(p); abstentions and wrong "
    "predictions prove nothing of their label and are above no p",
    "shares of draws, from logs that keep votes, are estimates and no bounds; mean: of all images, "
    "which is the base network's accuracy under the noise",
)


class Distribution(NamedTuple):
    """Of one log.

    Attributes:
        name: what to call it.
        images: how many lines it has.
        bounds: proven lower bounds of p_A, shape ``[images]``; 0 where nothing is proven. None
            where radii prove no bound of it.
        shares: of the draws that say the label, shape ``[images]``; None without votes.
    """

    name: str
    images: int
    bounds: np.ndarray | None
    shares: np.ndarray | None


def of_log(path: Path, log: Log, name: str, sigma: float | None) -> Distribution:
    """From a log's radii and votes.

    Raises:
        LogError: where neither say anything of p_A: predictions without votes, soft certificates
            whose rivals were bounded by themselves, or an unknown noise.

    Example:
        >>> from pagjax.certified_logs.logs import CERTIFY, header, parse
        >>> log = parse(header(CERTIFY) + "0\\t1\\t1\\t0.5\\t1\\t1\\n1\\t1\\t-1\\t0.0\\t0\\t1")
        >>> of_log(Path("a"), log, "a", 0.5).bounds.round(4).tolist()
        [0.8413, 0.0]
    """
    voted = [line.votes for line in log.lines]
    shares = None
    if voted and all(voted):
        shares = np.array([line.votes.share(line.label) for line in log.lines if line.votes])
    why = None if log.certifies else "predictions have no radius"
    known = reading.settings_of(path)
    if known.method == "soft" and known.rivals != "rest":
        why = "the radius of a soft certificate is of two bounds, not of p_A alone"
    elif log.certifies and not sigma:
        why = "the noise is not known: name it with `sigma`"
    if why is not None and shares is None:
        raise LogError(f"{path}: {why}, and the log keeps no votes")
    bounds = None
    if why is None:
        assert sigma is not None
        bounds = np.where(log.correct, special.ndtr(log.radii / sigma), 0.0)
    return Distribution(name, len(log.lines), bounds, shares)


def told(path: Path, log: Log) -> str | None:
    """What bounds a log's p_A from above, whatever the network: its draws; None where unknown."""
    known = settings.peek(path) or settings.Told()
    draws, alpha = known.num_draws, known.alpha
    if not log.certifies or known.method == "soft" or draws is None or alpha is None:
        return None
    most = f"{draws:,} draws at alpha {alpha:g} prove p of at most {alpha ** (1 / draws):.5f}"
    return f"{path}: {most}" + (
        "; drawn in stages, which stop once radii of interest are decided: true bounds are higher"
        if known.staged
        else ""
    )


def at_least(values: np.ndarray, p: float, *, alpha: float = 0.05) -> Share:
    """The share of values of at least `p`, with its exact interval.

    Example:
        >>> at_least(np.array([0.5, 0.9, 0.0, 0.7]), 0.5).value
        0.75
    """
    count = int((values >= p - _EXACT).sum())
    if not len(values):
        return Share(np.nan, np.nan, np.nan)
    return Share(count / len(values), *clopper_pearson_interval(count, len(values), alpha))


def table_of(found: Sequence[Distribution], at: Sequence[float] = AT) -> Table:
    """A row per log of bounds, and one of shares of draws where there are votes."""
    votes = any(one.shares is not None for one in found)
    columns = [*(BELOW if votes else ()), *at]
    rows: list[list[Cell]] = []
    for one in found:
        if one.bounds is not None:
            known = [Measured(*at_least(one.bounds, p)) if p >= 0.5 else "-" for p in columns]
            rows.append([one.name, f"{one.images:,}", *known, "-"])
        if one.shares is not None:
            known = [Measured(*at_least(one.shares, p)) for p in columns]
            mean = Measured(float(one.shares.mean()))
            rows.append([f"{one.name}, shares of draws", f"{one.images:,}", *known, mean])
    return Table(["log", "images", *(f"p >= {p:g}" for p in columns), "mean"], rows)


def csv_table(found: Sequence[Distribution], at: Sequence[float] = AT) -> str:
    """A row per log, kind of number and threshold, at full precision."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["log", "images", "of", "p_at_least", "share", "low", "high"])
    for one in found:
        for kind, values, below in (
            ("lower bound", one.bounds, ()),
            ("share of draws", one.shares, BELOW),
        ):
            for p in (*below, *at) if values is not None else ():
                assert values is not None
                writer.writerow([csv_cell(one.name), one.images, kind, p, *at_least(values, p)])
    return buffer.getvalue().rstrip("\n")
