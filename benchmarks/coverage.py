"""How often bounds and certificates fail, by simulation, at an alpha that lets failures show.

    python benchmarks/coverage.py [--repeats 20000]

Every row draws its data thousands of times from a law that is known, and counts how often what is
stated is false. A row is in order where its interval does not lie above alpha; how far below it
lies is the price of a bound that holds for every law.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pagjax import certification
from pagjax.alignment.intervals import mean_interval
from pagjax.certification import staged
from pagjax.certification.paired import mcnemar_p_value, tango_interval
from pagjax.certification.sampling import DrawStream
from pagjax.certification.soft import Means
from pagjax.certification.votes import Votes
from pagjax.certified_logs.tables import Table, markdown

ALPHA, SIGMA, DRAWS = 0.05, 0.5, 240
RADII = (0.0, 0.25, 0.5, 5.0)
SHARES = np.array([0.8, 0.15, 0.05])  # of votes, by class
SURE = np.array([0.6, 0.3, 0.1])  # how often a network gives each class all, hardest for a mean
_SLOW = 10  # times fewer repeats where each one takes milliseconds
Failures = tuple[int, int]


class Given(DrawStream):
    """A stream of outputs that are known already."""

    def __init__(self, outputs: np.ndarray) -> None:
        self.outputs, self.taken = outputs, 0

    def take(self, count: int) -> Iterator[np.ndarray]:
        yield self.outputs[self.taken : self.taken + count]
        self.taken += count


def bounds(repeats: int, generator: np.random.Generator) -> Iterator[tuple[str, Failures]]:
    """One-sided and two-sided bounds of a probability and of a mean."""
    votes = generator.binomial(DRAWS, SHARES[0], repeats).tolist()
    lower = {k: certification.clopper_pearson_lower(k, DRAWS, ALPHA) for k in set(votes)}
    ends = {k: certification.clopper_pearson_interval(k, DRAWS, ALPHA) for k in set(votes)}
    yield "Clopper and Pearson, lower bound", (sum(lower[k] > SHARES[0] for k in votes), repeats)
    outside = sum(not ends[k][0] <= SHARES[0] <= ends[k][1] for k in votes)
    yield "Clopper and Pearson, interval", (outside, repeats)
    means = generator.binomial(DRAWS, 0.5, repeats) / DRAWS  # of draws that are 0 or 1
    error, variances = means - 0.5, means * (1 - means) * DRAWS / (DRAWS - 1)
    for bound in ("hoeffding", "bernstein", "better"):
        margins = certification.mean_margins(variances, DRAWS, ALPHA, bound)
        yield f"mean of probabilities, {bound}", (int((error > margins).sum()), repeats)


def hard(repeats: int, generator: np.random.Generator) -> Iterator[tuple[str, Failures]]:
    """CERTIFY and PREDICT."""
    for name, radii, sound, fewer in (
        ("all draws", None, False, 1),
        ("in stages", RADII, False, _SLOW),
        ("sound, all draws", None, True, _SLOW),
        ("sound, in stages", RADII, True, _SLOW),
    ):
        stages = staged.plan(DRAWS, ALPHA, staged=radii is not None)

        def one(radii: Any = radii, sound: bool = sound, stages: Any = stages) -> bool:
            target = int(generator.multinomial(20, SHARES).argmax())
            rows = np.eye(3, dtype=bool)[generator.choice(3, DRAWS, p=SHARES)]
            found = staged.run(Votes(target, SIGMA, sound=sound), Given(rows), stages, radii)
            most = SIGMA * special.ndtri(SHARES[target])
            return found.prediction != certification.ABSTAIN and bool(found.radius > most)

        yield f"CERTIFY, hard, {name}", _count(one, repeats // fewer)
    least = certification.least_draws(ALPHA)
    # Abstains unless all draws agree; just below what they then prove it is wrong.
    agree = generator.binomial(least, ALPHA ** (1 / least) - 1e-6, repeats) == least
    name = f"CERTIFY, hard, least draws ({least})"
    yield name, (int(agree.sum()), repeats)
    for draws in (100, certification.least_draws(ALPHA, "predict")):
        votes = generator.multinomial(draws, [0.49, 0.5, 0.01], size=repeats)
        wrong = ~certification.abstains(votes, draws, ALPHA) & (votes.argmax(axis=1) != 1)
        yield f"PREDICT, {draws} draws", (int(wrong.sum()), repeats)


def soft(repeats: int, generator: np.random.Generator) -> Iterator[tuple[str, Failures]]:
    """Certificates of mean probabilities."""
    for bound in ("hoeffding", "bernstein", "better"):
        for rivals in ("bounded", "rest"):
            for name, radii in (("all draws", None), ("in stages", RADII)):
                stages = staged.plan(DRAWS, ALPHA, staged=radii is not None)
                second = SURE[1] if rivals == "bounded" else 1 - SURE[0]
                most = certification.certified_radius(SURE[0], second, SIGMA)
                target = 0 if rivals == "rest" else None

                def one(
                    radii: Any = radii,
                    stages: Any = stages,
                    most: float = most,
                    target: int | None = target,
                    bound: Any = bound,
                ) -> bool:
                    rows = np.eye(3)[generator.choice(3, DRAWS, p=SURE)]
                    evidence = Means(SIGMA, bound, target)
                    found = staged.run(evidence, Given(rows), stages, radii)
                    wrong = found.prediction not in (0, certification.ABSTAIN)
                    return wrong or found.radius > most

                words = f"certify_soft, {bound}, rivals {rivals}, {name}"
                yield words, _count(one, repeats // (2 * _SLOW))


def pairs(repeats: int, generator: np.random.Generator) -> Iterator[tuple[str, Failures]]:
    """What a paired report says of 500 images."""
    for only in ((0.1, 0.05), (0.02, 0.02)):
        counts = generator.multinomial(500, [*only, 1 - sum(only)], size=repeats)
        low, high = tango_interval(counts[:, 0], counts[:, 1], 500, ALPHA)
        missed = (low > only[0] - only[1]) | (high < only[0] - only[1])
        name = f"paired difference of shares, {only[0]:g} and {only[1]:g} of one alone"
        yield name, (int(missed.sum()), repeats)
    values = {pair: mcnemar_p_value(*pair) for pair in set(map(tuple, counts[:, :2].tolist()))}
    below = sum(values[pair] <= ALPHA for pair in map(tuple, counts[:, :2].tolist()))
    yield "McNemar's test, equal shares", (below, repeats)

    def one() -> bool:
        """Radii of two networks: of images that are right, capped, and 0 for the rest."""
        hard = generator.normal(0.4, 0.5, 500)
        radii = [np.clip(hard + generator.normal(0, 0.2, 500), 0, 0.95) for _ in range(2)]
        _, low, high = mean_interval(radii[0] - radii[1], ALPHA)
        return not low <= 0 <= high

    yield "paired difference of average radii", _count(one, repeats // 2)


def _count(one: Callable[[], bool], repeats: int) -> Failures:
    return sum(one() for _ in range(repeats)), repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20_000)
    args = parser.parse_args()
    generator, rows = np.random.default_rng(5), []
    for part in (bounds, hard, soft, pairs):
        for name, (failed, repeats) in part(args.repeats, generator):
            low, high = certification.clopper_pearson_interval(failed, repeats, 0.01)
            share = f"{100 * failed / repeats:.2f}% ({100 * low:.2f} to {100 * high:.2f})"
            rows.append([name, f"{repeats:,}", str(failed), share])
            print(rows[-1], file=sys.stderr)
    print(markdown(Table(["what is stated", "repeats", "failures", "99% interval"], rows)))


if __name__ == "__main__":
    main()
