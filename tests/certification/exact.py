"""Independent computations in exact or long arithmetic, by other formulas than pagjax's."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")


def upper_tail(x: Fraction) -> Fraction:
    """1 - Phi(x) for x from 2 on, by Laplace's continued fraction, to 60 digits."""
    with localcontext() as context:
        context.prec = 70
        value = Decimal(x.numerator) / Decimal(x.denominator)
        ratio = value
        for step in range(3000, 0, -1):
            ratio = value + step / ratio
        return Fraction((-value * value / 2).exp() / (2 * PI).sqrt() / ratio)


def binomial_tail(least: int, trials: int, probability: Fraction) -> Fraction:
    """P(Binomial >= least), term by term."""
    return sum(
        (
            math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k)
            for k in range(least, trials + 1)
        ),
        Fraction(0),
    )
