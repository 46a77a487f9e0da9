"""Minimal filtering algorithms: a filter's outputs, tile by tile, from few products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from jax import Array, lax

Matrix = tuple[tuple[float, ...], ...]
"""Rows of numbers."""


@dataclass(frozen=True)
class Filtering:
    """A bilinear algorithm for a filter along one axis, tile by tile.

    Attributes:
        inputs: from a window of inputs to the positions where products are taken.
        kernel: from the kernel's taps to the positions.
        outputs: from the positions to a tile of outputs.
        step: inputs from one tile's window to the next one's.
        low: zeros before the first input.
    """

    inputs: Matrix
    kernel: Matrix
    outputs: Matrix
    step: int
    low: int

    def tiles(self, size: int) -> int:
        """How many tiles hold `size` outputs."""
        return -(-size // len(self.outputs))

    def pad(self, inputs: int, outputs: int) -> tuple[int, int]:
        """Zeros before and after so many inputs, for so many outputs."""
        window = len(self.inputs[0])
        return self.low, (self.tiles(outputs) - 1) * self.step + window - self.low - inputs

    def windows(self, x: Array, tiles: int, axis: int) -> list[Array]:
        """For each entry of a window, what all tiles see of a padded axis."""
        last = (tiles - 1) * self.step + 1
        return [
            lax.slice_in_dim(x, first, first + last, self.step, axis)
            for first in range(len(self.inputs[0]))
        ]


def toom_cook(points: Sequence[int], taps: int) -> tuple[Matrix, Matrix, Matrix]:
    """Matrices of F(m, taps), with m = ``len(points) + 2 - taps`` outputs a tile.

    Inputs, kernel and outputs as in `Filtering`; the last position is the point at infinity.

    Reference: Winograd (1980), "Arithmetic complexity of computations"; Lavin and Gray (2016).

    Example, three products for two outputs of two taps, one fewer than plain:
        >>> toom_cook((0, 1), taps=2)[0]
        ((-1.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 1.0))
    """
    inputs, kernel, outputs = [], [], []
    for point in points:
        others = [other for other in points if other != point]
        scale = Fraction(1, reduce(lambda product, other: product * (point - other), others, 1))
        inputs.append((*_monic(others), 0))
        kernel.append(tuple(scale * point**i for i in range(taps)))
    inputs.append(_monic(points))
    kernel.append((0,) * (taps - 1) + (1,))
    last = len(points) + 1 - taps
    outputs = [(*(point**i for point in points), i == last) for i in range(last + 1)]
    return _floats(inputs), _floats(kernel), _floats(outputs)


def _monic(roots: Sequence[int]) -> tuple[int, ...]:
    """Coefficients of the polynomial with these roots, the constant first."""
    coefficients = [1]
    for root in roots:
        shifted, scaled = [0, *coefficients], [*(root * c for c in coefficients), 0]
        coefficients = [a - b for a, b in zip(shifted, scaled, strict=True)]
    return tuple(coefficients)


def _floats(matrix: Sequence[Sequence[int | Fraction]]) -> Matrix:
    return tuple(tuple(map(float, row)) for row in matrix)


def _stride_one(points: Sequence[int]) -> tuple[Filtering, Filtering]:
    """A kernel of three taps by F(m, 3), with ``m = len(points) - 1``; its input gradient alike."""
    filtering = Filtering(*toom_cook(points, taps=3), step=len(points) - 1, low=1)
    return filtering, filtering


def _stride_two(points: Sequence[int]) -> tuple[Filtering, Filtering]:
    """A kernel of three taps that skips every other output, and its input gradient.

    ``y[i] = k[0] x[2i - 1] + k[1] x[2i] + k[2] x[2i + 1]``: two taps over odd pixels by F(m, 2),
    with ``m = len(points)``, and one over even pixels as it is. The gradient has two taps of the
    reversed kernel at odd pixels, and one at even pixels.
    """
    m = len(points)
    inputs, kernel, outputs = toom_cook(points, taps=2)
    unit = tuple(tuple(float(i == j) for j in range(m)) for i in range(m))
    taps = (*((outer[0], 0.0, outer[1]) for outer in kernel), *((0.0, 1.0, 0.0),) * m)

    def spread(row: tuple[float, ...], first: int) -> tuple[float, ...]:
        values = dict(zip(range(first, 2 * m + 1, 2), row, strict=True))
        return tuple(values.get(i, 0.0) for i in range(2 * m + 1))

    forward = Filtering(
        (*(spread(row, 0) for row in inputs), *(spread(row, 1) for row in unit)),
        taps,
        tuple(odd + even for odd, even in zip(outputs, unit, strict=True)),
        step=2 * m,
        low=1,
    )
    pairs = zip(unit, outputs, strict=True)
    backward = Filtering(
        (*inputs, *((*row, 0.0) for row in unit)),
        taps,
        tuple(row for even, odd in pairs for row in ((0.0,) * (m + 1) + even, odd + (0.0,) * m)),
        step=m,
        low=0,
    )
    return forward, backward


FILTERINGS = {1: _stride_one((0, 1, -1, 2, -2)), 2: _stride_two((0, 1, -1, 2))}
"""By stride, for 3x3 kernels padded by 1: of the convolution and of its input gradient."""

SMALL_FILTERINGS = {1: _stride_one((0, 1, -1)), 2: _stride_two((0, 1))}
"""The same with tiles of half the side: more products, of fewer kernels."""
