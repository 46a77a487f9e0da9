"""How many draws certificates in stages make, against all of them, at the same confidence.

    python benchmarks/staged_draws.py LOG [LOG ...] [--num-draws 100000 10000]

For every image of a log of certificates its probability of the certified class is taken from the
radius (Cohen et al. 2019: R = sigma Phi^-1(p)); an image on which the log abstains gets one that no
draws certify, evenly from 0.2 to a half. Votes are then drawn anew, binomially, and certified by
`pagjax.certification.staged` with the radii of interest, and by all draws at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from scipy import special

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pagjax.certification import staged
from pagjax.certification.certificate import ABSTAIN, Certificate
from pagjax.certification.sampling import DrawStream
from pagjax.certification.votes import Votes
from pagjax.certified_logs import logs, reading
from pagjax.certified_logs.tables import Table, markdown

ALPHA, RADII = 0.001, (0.0, 0.25, 0.5, 0.75, 1.0)
_LOWEST = 0.2  # probability of the likeliest of ten classes on which a network abstains


class Counted(Votes):
    """Votes that come as numbers for and against, and bounds that are computed once a count."""

    def add(self, outputs: np.ndarray) -> None:
        self.counts = outputs[0] if self.counts is None else self.counts + outputs[0]
        self.num_draws += int(outputs.sum())

    def certificate(self, alpha: float) -> Certificate:
        assert self.counts is not None
        return _certificate(int(self.counts[0]), self.num_draws, alpha, self.sigma)

    def hope(self, last: staged.Stage) -> float:
        assert self.counts is not None
        return _hope(int(self.counts[0]), self.num_draws, last, self.sigma)


def _of(count: int, draws: int, sigma: float) -> Votes:
    votes = Votes(0, sigma)
    votes.counts, votes.num_draws = np.array([count, draws - count]), draws
    return votes


@cache
def _certificate(count: int, draws: int, alpha: float, sigma: float) -> Certificate:
    return _of(count, draws, sigma).certificate(alpha)


@cache
def _hope(count: int, draws: int, last: staged.Stage, sigma: float) -> float:
    return _of(count, draws, sigma).hope(last)


class Binomial(DrawStream):
    """Votes of one image, drawn as numbers for and against."""

    def __init__(self, share: float, generator: np.random.Generator) -> None:
        self.share, self.generator = share, generator

    def take(self, count: int) -> Iterator[np.ndarray]:
        hits = self.generator.binomial(count, self.share)
        yield np.array([[hits, count - hits]])


def images_of(
    log: logs.Log, sigma: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the certified class, and whether it is the label, or none was certified."""
    abstained = log.predictions == ABSTAIN
    shares = special.ndtr(log.radii / sigma)
    shares[abstained] = generator.uniform(_LOWEST, 0.5, abstained.sum())
    return shares, log.correct | abstained


def simulate(log: logs.Log, sigma: float, draws: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws made in stages, and certified accuracies at `RADII` in stages and by all draws."""
    generator = np.random.default_rng(0)
    shares, right = images_of(log, sigma, generator)
    made, reached = np.zeros(len(shares)), np.zeros((2, len(shares)))
    for number, (share, is_label) in enumerate(zip(shares, right, strict=True)):
        for row, radii in enumerate((RADII, None)):
            stages = staged.plan(draws, ALPHA, staged=radii is not None)
            label = None if radii is None else 0 if is_label else 1
            stream = Binomial(share, generator)
            found = staged.run(Counted(0, sigma), stream, stages, radii, label)
            counts = found.prediction != ABSTAIN and is_label
            reached[row, number] = found.radius if counts else -1
            if radii is not None:
                made[number] = found.num_draws
    at = np.array(RADII)[:, None]
    return made, (reached[0] >= at).mean(axis=1), (reached[1] >= at).mean(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logs", type=Path, nargs="+")
    parser.add_argument("--stride", type=int, default=1, help="every I-th image of the log")
    parser.add_argument("--num-draws", type=int, nargs="+", default=[100_000, 10_000])
    args = parser.parse_args()
    rows = []
    for path in args.logs:
        log, sigma = reading.read(path), reading.sigma_of(path)
        if sigma is None:
            sys.exit(f"{path}: neither settings beside it nor its path say its noise")
        log = replace(log, lines=log.lines[:: args.stride])
        for draws in args.num_draws:
            made, in_stages, whole = simulate(log, sigma, draws)
            lost = " ".join(f"{100 * one:.2f}" for one in whole - in_stages)
            error = made.std() / len(made) ** 0.5
            mean = f"{made.mean():,.0f} (standard error {error:,.0f})"
            factor = f"{draws / made.mean():.1f}"
            rows.append([f"sigma {sigma:g}", f"{len(made):,}", f"{draws:,}", mean, factor, lost])
            print(rows[-1], file=sys.stderr)
    print(markdown(Table(["log", "images", "N", "mean draws", "factor", "points lost"], rows)))


if __name__ == "__main__":
    main()
