"""Noise of whole levels: the table holds its weights exactly, and draws follow them."""

from __future__ import annotations

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax.certification import discrete
from pagjax.core import grid
from pagjax.core.outputs import draw_outputs
from tests.certification import exact

SIGMAS = (1e-6, 0.01, 0.12, 0.25, 1.0)


def weights_in(table):
    """What the columns give each outcome, in units of 2^-64."""
    found: dict[int, int] = {}
    mass = discrete.WHOLE // len(table.high)
    columns = zip(*(np.asarray(leaf).tolist() for leaf in table), strict=True)
    for high, low, first, second in columns:
        threshold = (high << 32) + low
        assert 0 <= threshold <= mass
        found[first] = found.get(first, 0) + threshold
        found[second] = found.get(second, 0) + mass - threshold
    return {outcome: weight for outcome, weight in sorted(found.items()) if weight}


@pytest.mark.parametrize("sigma", SIGMAS)
def test_a_table_holds_its_weights_exactly(sigma):
    weights = discrete.rounded_normal(sigma).weights
    assert weights_in(discrete.grid_noise(sigma)) == weights
    assert sum(weights.values()) == discrete.WHOLE
    assert all(weights[n] == weights[-n] for n in weights)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_weights_are_the_rounded_normals(sigma):
    weights = discrete.rounded_normal(sigma).weights
    spread = sigma * 255
    for n, weight in weights.items():
        truth = stats.norm.sf((abs(n) - 0.5) / spread) - stats.norm.sf((abs(n) + 0.5) / spread)
        assert weight / discrete.WHOLE == pytest.approx(truth, rel=1e-9, abs=2**-64)


def test_tail_weights_are_those_of_another_formula():
    sigma = 0.25
    spread = Fraction(sigma) * 255
    weights = discrete.rounded_normal(sigma).weights
    for n in range(128, max(weights) + 1, 13):
        edges = [exact.upper_tail(Fraction(2 * n + side, 2) / spread) for side in (-1, 1)]
        assert abs((edges[0] - edges[1]) * discrete.WHOLE - weights[n]) <= Fraction(501, 1000)


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_the_distance_is_bounded_and_tiny(sigma):
    """Against the distance of one tail, where the other formula is exact enough."""
    found = discrete.rounded_normal(sigma)
    spread = Fraction(sigma) * 255
    first = int(2 * spread) + 3
    apart = exact.upper_tail(Fraction(2 * max(found.weights) + 1, 2) / spread)
    for n in range(first, max(found.weights) + 1):
        edges = [exact.upper_tail(Fraction(2 * n + side, 2) / spread) for side in (-1, 1)]
        apart += abs(edges[0] - edges[1] - Fraction(found.weights[n], discrete.WHOLE))
    assert apart < found.distance  # half of two such tails, and of what is between them
    assert found.distance < Fraction(len(found.weights), discrete.WHOLE)
    assert found.distance_of(3072) == 3072 * found.distance


def by_hand(table, word):
    """An outcome from 64 bits in Python's integers."""
    columns = len(table.high)
    rest = 64 - (columns.bit_length() - 1)
    column, below = word >> rest, word & ((1 << rest) - 1)
    threshold = (int(table.high[column]) << 32) + int(table.low[column])
    return int((table.first if below < threshold else table.second)[column])


def test_draws_are_exact_at_every_threshold(monkeypatch):
    """Just below, at and above each, where only the lower 32 bits decide."""
    table = discrete.grid_noise(0.02)
    table = grid.GridNoise(*map(np.asarray, table))
    rest = 64 - (len(table.high).bit_length() - 1)
    words = []
    for column in range(len(table.high)):
        threshold = (int(table.high[column]) << 32) + int(table.low[column])
        near = (0, threshold - 1, threshold, threshold + 1, (1 << rest) - 1)
        words += [(column << rest) + min(max(below, 0), (1 << rest) - 1) for below in near]
    halves = [jnp.asarray([word >> 32 for word in words], jnp.uint32)]
    halves.append(jnp.asarray([word & (2**32 - 1) for word in words], jnp.uint32))
    key = jax.random.key(0)
    parts = [jax.random.fold_in(jax.random.fold_in(key, 0), half) for half in range(2)]

    def bits(part, shape, dtype):
        first = (jax.random.key_data(part) == jax.random.key_data(parts[0])).all()
        return jnp.where(first, halves[0], halves[1])

    monkeypatch.setattr(grid.jax.random, "bits", bits)
    given = grid.GridNoise(*map(jnp.asarray, table))
    found = grid.noise(given, key, jnp.arange(1), (len(words),))[0].tolist()
    assert found == [by_hand(table, word) for word in words]


def draws(sigma, count, shape=(64, 64, 1)):
    table = discrete.grid_noise(sigma)
    made = jax.jit(lambda: grid.noise(table, jax.random.key(3), jnp.arange(count), shape))
    return np.asarray(made())


def test_draws_follow_the_weights():
    """Pearson's statistic of a million draws, and of pairs of neighbours, within 5 errors."""
    sigma = 0.02
    found = draws(sigma, 256)
    weights = discrete.rounded_normal(sigma).weights
    shares = {n: weight / discrete.WHOLE for n, weight in weights.items()}
    _agree(found.ravel(), shares)
    # Neighbours in a picture, and one pixel of successive draws: sums as of independent ones.
    for one, other in ((found[:, :, ::2], found[:, :, 1::2]), (found[::2], found[1::2])):
        both = {}
        for n, share in shares.items():
            for m, more in shares.items():
                both[n + m] = both.get(n + m, 0) + share * more
        _agree((one + other).ravel(), both)


def _agree(values, shares):
    total = values.size
    often = [n for n, share in shares.items() if share * total >= 25]
    seen = np.array([(values == n).sum() for n in often], float)
    expected = np.array([shares[n] for n in often]) * total
    rest = total - seen.sum(), total - expected.sum()
    assert abs(rest[0] - rest[1]) < 5 * max(rest[1], 1) ** 0.5 + 1
    statistic = ((seen - expected) ** 2 / expected).sum()
    assert abs(statistic - len(often)) < 5 * (2 * len(often)) ** 0.5


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_moments_are_the_normals_and_the_roundings(sigma):
    found = draws(sigma, 128).astype(np.float64).ravel()
    spread = (255 * sigma) ** 2 + 1 / 12  # but for exp(-2 pi^2 (255 sigma)^2)
    assert abs(found.mean()) < 5 * (spread / found.size) ** 0.5
    assert abs(found.var() / spread - 1) < 5 * (2 / found.size) ** 0.5
    assert abs((found**4).mean() / (3 * spread**2) - 1) < 5 * (96 / 9 / found.size) ** 0.5


def test_what_a_network_sees_is_made_of_whole_levels():
    image = jnp.arange(48, dtype=jnp.float32).reshape(4, 4, 3) * 5 / 255

    def seen(images):
        return images.reshape(len(images), -1)

    def outputs(**given):
        return np.asarray(
            draw_outputs(
                lambda logits: logits,
                seen,
                image,
                jax.random.key(1),
                sigma=0.25,
                grid=discrete.grid_noise(0.25),
                **given,
            )
        )

    whole = outputs(first=0, count=8)
    levels = np.round(whole * 255)
    np.testing.assert_allclose(whole, levels / 255, rtol=2e-7)
    seen_at = {level: set(whole[levels == level].tolist()) for level in np.unique(levels)}
    assert all(len(values) == 1 for values in seen_at.values())  # wherever a level was reached from
    np.testing.assert_array_equal(whole[3:5], outputs(first=3, count=2))
    np.testing.assert_array_equal(whole, outputs(first=0, count=8, at_once=2))
    made = grid.noise(discrete.grid_noise(0.25), jax.random.key(1), jnp.arange(8), image.shape)
    np.testing.assert_array_equal(levels, 5 * np.arange(48) + made.reshape(8, -1))
