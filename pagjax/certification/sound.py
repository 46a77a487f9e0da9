"""Certificates that hold in the arithmetic that computed them.

Cohen et al.'s theorem is about real numbers and normal noise; a program adds floats to floats. The
sum then shows in its last bits where the picture was, and a classifier that reads them gets false
certificates (Voráček and Hein 2023). Here picture, noise and their sum are whole 8-bit levels.

Let a grid picture be k / 255 with integers k, d of them, and R the rounding of real numbers to
whole levels. Let f(z) be what the program votes for when its network gets the one float image made
from integers z: a class or none. Let n = R(255 sigma Z) with Z standard normal, and g(k) the class
c of the largest P[f(k + n) = c].

**Theorem.** Let the certificate say class c and radius r > 0 of a grid picture k / 255. Then, but
for an event of probability at most alpha over the random words, g(k') = c for every grid picture
k' / 255 at an l2 distance less than r, inside [0, 1] or not.

**Proof.** 1. R(k + t) = k + R(t), as k is whole. So P[f(k + n) = c] = P[f(R(255 (x + sigma Z))) =
c] at x = k / 255: the smoothed probability of the function f(R(255 .)) of real pictures under real
normal noise. Cohen et al.'s theorem 1 holds for it at every real picture, grid pictures among them:
if P[f(k + n) = c] >= p > 1/2, then g = c within sigma Phi^-1(p). Rounding costs no radius.

2. The table's draws are in total variation within delta of n, a value (`discrete.rounded_normal`
bounds delta from above, in whole numbers); N draws of d values within N d delta. Had n itself been
drawn, the bound p of Clopper and Pearson at alpha - N d delta would exceed the probability with at
most that probability; with the table's draws it does so with at most alpha. Of several looks at the
draws (`staged`) each has its share of alpha - N d delta, and the looks are of the same N draws.

3. The bound, the quantile and their product are rounded against the claim, and what they claim is
checked in whole numbers (`proofs`).

**Assumptions.** (a) JAX's generator gives independent fair bits. (b) f is a function: the vote
depends on the integers z alone. How the network rounds does not matter, nor which network it is.

Where the place in a batch shows in the last bits, or a device adds in changing order, draw j sees a
function f_j of its own, possibly random, but chosen independently of noise and picture. The theorem
then holds for alpha < 1/4 and the mean of their smoothed probabilities over the N draws: theorem 1
takes functions to [0, 1] as well, and among independent votes of one mean probability those of
equal probabilities exceed the mean most often by one vote or more (Hoeffding 1956, theorem 4).
Votes that depend on other draws' noise are outside: batch statistics, for one.

A picture off the grid has no certificate. If a user's program first rounds it to the grid
(`on_grid`), g is constant for all pictures whose rounded ones are nearer than r; a picture within
r - sqrt(d) / 255 of one that was rounded is among them.

Reference: Cohen, Rosenfeld and Kolter (2019), theorem 1; Voráček and Hein (2023), "Sound randomized
smoothing in floating-point arithmetic", whose rounded noise this is; the exact table, the charge to
alpha and the proven bounds are ours.
"""

from __future__ import annotations

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from pagjax.certification.discrete import rounded_normal
from pagjax.core import grid
from pagjax.core.checks import UNIT_BOX, Bounds, as_images

# How far float32 leaves an 8-bit level that was divided by 255, in levels, and some to spare.
_ROUNDING = 1e-3
# The doubles that share it out among stages are rounded, by less than 2^-45 of it.
_SHARED_OUT = 1 - Fraction(1, 2**40)


def on_grid(images: ArrayLike) -> Array:
    """The nearest images of whole 8-bit levels, which sound certificates are about.

    Args:
        images: shape ``[batch, height, width, channels]`` in [0, 1], or one of rank 3.

    Returns:
        The same shape; each pixel has moved by at most 1 / 510.

    Example:
        >>> round(on_grid(jnp.full((1, 1, 1), 0.5)).item() * 255, 4)
        128.0
    """
    array = jnp.asarray(images)
    batch = as_images(array if array.ndim != 3 else array[None])
    whole = grid.from_levels(grid.to_levels(batch), batch.dtype)
    return whole if array.ndim != 3 else whole[0]


def check_on_grid(images: Array) -> None:
    """Refuses images that are not of whole levels.

    Args:
        images: floats in [0, 1], shape ``[batch, height, width, channels]``.

    Raises:
        ValueError: naming a pixel and the cure.
    """
    levels = np.asarray(images, np.float64) * grid.LEVELS
    off = np.abs(levels - np.round(levels))
    place = np.unravel_index(int(off.argmax()), off.shape)
    if off[place] > _ROUNDING:
        raise ValueError(
            f"image {place[0]} has a pixel of {float(images[place]):.6g}, {levels[place]:.2f} / "
            f"{grid.LEVELS}: `sound` certifies pictures of whole 8-bit levels; pass "
            "pagjax.certification.on_grid(images), which are other pictures"
        )


def check_box(bounds: Bounds | None) -> None:
    """Refuses images in other units, in which there are no 8-bit levels."""
    if bounds is None or tuple(bounds) != UNIT_BOX:
        raise ValueError(f"`sound` with bounds {bounds}: its grid is of pixels in [0, 1]")


def charged_alpha(alpha: float, sigma: float, num_values: int, num_draws: int) -> float:
    """What is left of alpha after the draws' distance from rounded normal ones.

    Args:
        alpha: failure probability of the whole certificate.
        sigma: noise level in pixel units.
        num_values: height x width x channels.
        num_draws: draws that bound or predict, all stages together.

    Raises:
        ValueError: where nothing is left.

    Example, CIFAR-10's images and the field's N:
        >>> 0 < 1 - charged_alpha(0.001, 0.25, 3072, 100_000) / 0.001 < 1e-5
        True
    """
    charge = num_draws * rounded_normal(sigma).distance_of(num_values)
    left = (Fraction(alpha) - charge) * _SHARED_OUT
    if left <= 0:
        raise ValueError(
            f"alpha = {alpha:g}: with `sound` {num_draws:,} draws of {num_values:,} values cost "
            f"{float(charge):.2g} of it: take a larger alpha or fewer draws"
        )
    return float(left)
