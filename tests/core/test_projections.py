"""Projections: feasible always, nearest where promised, harmless at the edges."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pagjax.core.projections import (
    ball_and_box,
    ball_then_box,
    only_inside,
    onto_ball,
    safe_norm,
    same_block_means,
)

SHAPE = (3, 2, 1)
starts = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32))
points = arrays(np.float32, SHAPE, elements=st.floats(-100, 100, width=32))
radii = st.floats(0, 10, width=32)
_sequential, _nearest = jax.jit(ball_then_box), jax.jit(ball_and_box)
both = pytest.mark.parametrize("project", [_sequential, _nearest], ids=["sequential", "nearest"])


@both
@settings(max_examples=200, deadline=None)
@given(starts, points, radii)
def test_both_constraints_hold(project, start, point, radius):
    result = np.asarray(project(jnp.asarray(point), jnp.asarray(start), radius))
    assert result.min() >= 0
    assert result.max() <= 1
    distance = np.linalg.norm(np.float64(result) - np.float64(start))
    assert distance <= radius * (1 + 1e-5) + 1e-6


@both
@settings(max_examples=100, deadline=None)
@given(starts, points, radii)
def test_projecting_again_moves_little(project, start, point, radius):
    once = project(jnp.asarray(point), jnp.asarray(start), radius)
    np.testing.assert_allclose(project(once, jnp.asarray(start), radius), once, atol=1e-5)


@settings(max_examples=200, deadline=None)
@given(starts, points, radii, arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)))
def test_the_nearest_point_is_nearest(start, point, radius, other):
    """No feasible point is nearer: checked against the other rule and a random feasible point."""
    start, point = jnp.asarray(start), jnp.asarray(point)
    nearest = safe_norm(_nearest(point, start, radius) - point)
    for rival in (_sequential(point, start, radius), _sequential(other, start, radius)):
        assert float(nearest) <= float(safe_norm(rival - point)) * (1 + 1e-5) + 1e-5


@pytest.mark.usefixtures("x64")
def test_the_nearest_point_against_a_solver():
    """An independent projection: Dykstra's alternating algorithm, to convergence."""
    generator = np.random.default_rng(0)
    for _ in range(20):
        start, point = generator.random(12), 3 * generator.standard_normal(12)
        radius = generator.uniform(0.1, 1.5)
        x, p, q = point.copy(), np.zeros(12), np.zeros(12)
        for _ in range(20000):
            offset = x + p - start
            y = start + offset * min(1, radius / np.linalg.norm(offset))
            p = x + p - y
            x = np.clip(y + q, 0, 1)
            q = y + q - x
        ours = _nearest(jnp.asarray(point), jnp.asarray(start), radius)
        np.testing.assert_allclose(ours, x, atol=1e-6)


def test_inside_on_and_outside_the_ball():
    center = jnp.zeros(2)
    for point, expected in (
        ((0.3, 0.4), (0.3, 0.4)),
        ((0.6, 0.8), (0.6, 0.8)),
        ((6, 8), (0.6, 0.8)),
    ):
        projected = onto_ball(jnp.array(point, jnp.float32), center, 1.0)
        np.testing.assert_allclose(projected, expected, rtol=1e-6)
    np.testing.assert_array_equal(onto_ball(jnp.ones(2), jnp.ones(2), 0.0), jnp.ones(2))


def test_without_a_box_only_the_ball_counts():
    point = jnp.array([5.0, -5.0])
    for project in (ball_then_box, ball_and_box):
        np.testing.assert_allclose(project(point, jnp.zeros(2), 100.0, None), point)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_norms_neither_overflow_nor_vanish(scale):
    vector = jnp.array([3.0, 4.0], jnp.float32) * jnp.float32(scale)
    np.testing.assert_allclose(float(safe_norm(vector)) / scale, 5.0, rtol=1e-5)


def test_norms_of_zero_and_of_broken_vectors():
    assert float(safe_norm(jnp.zeros(3))) == 0
    assert not np.isfinite(safe_norm(jnp.array([1.0, jnp.inf])))
    assert np.isnan(safe_norm(jnp.array([1.0, jnp.nan])))
    assert bool(
        jnp.all(jnp.isfinite(jax.grad(lambda x: onto_ball(x, x * 0, 1.0).sum())(jnp.ones(2))))
    )


def test_nothing_moves_outside_a_mask():
    mask = jnp.asarray(np.arange(48).reshape(4, 4, 3)[:, :, :1] % 2 == 0)
    start = jax.random.uniform(jax.random.key(0), (4, 4, 3))
    point = start + jax.random.normal(jax.random.key(1), start.shape)
    moved = only_inside(mask)(point, start, 0.5, (0.0, 1.0)) - start
    assert float(jnp.abs(jnp.where(mask, 0, moved)).max()) == 0
    assert 0 < float(jnp.linalg.norm(moved)) <= 0.5 + 1e-6
    inside = ball_then_box(jnp.where(mask, point, start), start, 0.5)
    np.testing.assert_allclose(start + moved, inside, atol=1e-6)


@pytest.mark.parametrize("radius", [0.0, 0.4, 3.0])
def test_detail_averages_out_to_the_small_image(radius):
    generator = np.random.default_rng(0)
    small = generator.random((2, 3, 3)).round(1).clip(0, 1)  # some means at the box's edge
    start = small.repeat(4, axis=0).repeat(4, axis=1).astype(np.float32)
    aim = start + 2 * generator.standard_normal(start.shape).astype(np.float32)
    found = np.asarray(same_block_means(4)(jnp.asarray(aim), jnp.asarray(start), radius))
    np.testing.assert_allclose(found.reshape(2, 4, 3, 4, 3).mean(axis=(1, 3)), small, atol=1e-6)
    assert found.min() >= -1e-6
    assert found.max() <= 1 + 1e-6
    assert np.linalg.norm(found - start) <= radius + 1e-5
    assert (np.linalg.norm(found - start) > 0) == (radius > 0)


def test_without_a_box_the_detail_is_the_nearest(x64):
    """Against least squares: no feasible point is nearer, and the block means hold."""
    generator = np.random.default_rng(1)
    start, aim = generator.random((2, 4, 4, 1))
    free = np.asarray(same_block_means(2)(jnp.asarray(aim), jnp.asarray(start), 1e9, None))
    means = np.kron(np.eye(2), np.ones((1, 2))) / 2
    rows = np.kron(means, means)
    lacking = rows @ (start - aim).ravel()
    nearest = aim.ravel() + np.linalg.pinv(rows) @ lacking
    np.testing.assert_allclose(free.ravel(), nearest, atol=1e-12)
    with pytest.raises(ValueError, match="factor 3"):
        same_block_means(3)(jnp.asarray(aim), jnp.asarray(start), 1.0)
