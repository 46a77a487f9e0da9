"""What the paper saw in its figures, as numbers that a figure's table can confirm or refute.

A judge's share of 0.5 is the line between seen and not seen; 0.05 of probability is what we call
little change. Both are our choices: the paper shows pictures and no numbers. Claims are held
against the robust judge and not the panel, since it judges all networks' pictures alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

JUDGED, HIT = "judge_robust_probability", "judge_robust_hit"
SURE = "judge_robust_log_odds"  # goes on where the probability has come to 1
_SEEN, _LITTLE = 0.5, 0.05
_GRAIN, _FEATURES = "high_frequencies", "features"


@dataclass(frozen=True)
class Claim:
    """An observation of the paper as a number that should lie in a range.

    The number is the mean over a figure's pictures of a column, or of the column's difference
    between two variants of the same start and target.

    Attributes:
        words: what the paper observed.
        column: of the figure's table, see `pagjax.alignment.measure`.
        of: the variant; None for the figure's only one.
        minus: the variant to compare with; None for none.
        least: the number should be at least this; None for no bound.
        most: and at most this.
    """

    words: str
    column: str
    of: str | None = None
    minus: str | None = None
    least: float | None = None
    most: float | None = None


SEEN = (Claim("The robust judge sees the target in most pictures.", HIT, least=_SEEN),)

THREE_TRAININGS = (
    Claim(
        "The robust judge gives the target more in the smoothed network's pictures than in the "
        "vanilla network's.",
        JUDGED,
        of="smoothed",
        minus="vanilla",
        least=0,
    ),
    Claim(
        "It gives the target more in the adversarially trained network's than in the vanilla "
        "network's.",
        JUDGED,
        of="adversarial",
        minus="vanilla",
        least=0,
    ),
    Claim(
        "The vanilla network's perturbation has more grain (high frequencies) than the smoothed "
        "network's.",
        _GRAIN,
        of="vanilla",
        minus="smoothed",
        least=0,
    ),
)

OBJECTIVES = (
    Claim(
        "The robust judge is surer of the target (log-odds) with target class max than with "
        "cross-entropy.",
        SURE,
        of="target class max",
        minus="cross-entropy",
        least=0,
    ),
)

DRAWS = (
    Claim(
        "From N = 20 to N = 75 the robust judge's probability changes by less than 0.05.",
        JUDGED,
        of="N = 75",
        minus="N = 20",
        least=-_LITTLE,
        most=_LITTLE,
    ),
)


def noise_levels(labels: Sequence[str]) -> tuple[Claim, ...]:
    """Claims about variants of growing noise, the first without any.

    Example:
        >>> [claim.of for claim in noise_levels(["sigma 0", "sigma 0.25", "sigma 1"])]
        ['sigma 0.25', 'sigma 0', 'sigma 0.25']
    """
    none, small, *_, large = labels
    return (
        Claim(
            f"The robust judge gives the target more at {small} than at {none}.",
            JUDGED,
            of=small,
            minus=none,
            least=0,
        ),
        Claim(
            f"The perturbation has more grain (high frequencies) at {none} than at {small}.",
            _GRAIN,
            of=none,
            minus=small,
            least=0,
        ),
        Claim(
            f"It has more features at {small}, scattered, than at {large}, where it is one object.",
            _FEATURES,
            of=small,
            minus=large,
            least=0,
        ),
    )


def no_less(one: str, other: str) -> tuple[Claim, ...]:
    """The target is seen in both variants, and in the first no less than in the second.

    Example:
        >>> [claim.least for claim in no_less("SmoothAdv", "Gaussian")]
        [0.5, 0.5, -0.05]
    """
    seen = tuple(
        Claim(
            f"The robust judge sees the target in most pictures of {label}.",
            HIT,
            of=label,
            least=_SEEN,
        )
        for label in (other, one)
    )
    compared = Claim(
        f"It gives the target as much in {one} as in {other}, or more.",
        JUDGED,
        of=one,
        minus=other,
        least=-_LITTLE,
    )
    return (*seen, compared)
