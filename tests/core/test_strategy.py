"""Momentum, schedules, a growing number of draws and the stop, in the one loop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import pagjax
from pagjax import presets
from pagjax.core import pgd
from pagjax.core.gradients import GradientEstimate
from tests.support import closed_forms, loops

KEY = jax.random.key(7)
GIVEN = {"sigma": 0.25, "epsilon": 0.5, "step_size": 0.1, "num_steps": 6, "num_samples": 4}


def _run(start, targets, **changes):
    network = closed_forms.smooth_network(KEY)
    return loops.targeted(network, start, targets, KEY, **{**GIVEN, **changes})


def test_momentum_averages_normalised_gradients_and_normalises_again():
    """Against the recursion written out in NumPy, for gradients that are known."""
    gradients = np.random.default_rng(0).normal(size=(5, 2, 2, 1)).astype(np.float32)

    def estimate(image, key):
        number = jnp.argmax(jnp.arange(5) == jnp.round(image[0, 0, 0]).astype(int))
        return GradientEstimate(jnp.zeros(()), jnp.zeros(()), jnp.asarray(gradients)[number])

    strategy = pgd.Strategy(optax.trace(0.8), optax.linear_schedule(1.0, 0.0, 5))
    sought, average = np.zeros((2, 2, 1)), np.zeros((2, 2, 1))
    # The image's first pixel tells the gradient's number, so the iterate is put back every step.
    state = pgd.init(jnp.zeros((2, 2, 1)), strategy)
    total = np.zeros((2, 2, 1))
    for step, gradient in enumerate(gradients):
        state = state._replace(image=jnp.full((2, 2, 1), float(step)))
        before = state.image
        state, _ = pgd.step(
            estimate,
            state,
            before,
            KEY,
            step_size=0.5,
            project=lambda p, s: p,
            strategy=strategy,
        )
        total += np.asarray(state.image - before)
        average = 0.8 * average + gradient / np.linalg.norm(gradient)
        sought += 0.5 * (1 - step / 5) * average / np.linalg.norm(average)
    np.testing.assert_allclose(total, sought, atol=1e-5)


def test_a_broken_gradient_leaves_the_momentum_alone():
    strategy = presets.strategy(0.9, "constant", 10)
    start = closed_forms.image()

    def broken(image, key):
        return GradientEstimate(image.sum(), jnp.zeros(()), jnp.full_like(image, jnp.nan))

    given = {"step_size": 1.0, "project": lambda p, s: p, "strategy": strategy}
    state, _ = pgd.step(broken, pgd.init(start, strategy), start, KEY, **given)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state.direction))
    np.testing.assert_array_equal(state.image, start)


def test_pieces_of_a_run_with_momentum_end_as_the_whole():
    start = closed_forms.image(batch=2)
    given = {"strategy": presets.strategy(0.8, "linear", 6, 2), "sampling": "antithetic"}
    whole = _run(start, [0, 1], **given, num_samples=[4] * 3 + [8] * 3)
    first = _run(start, [0, 1], **given, num_steps=2)
    saved = jax.tree.map(np.asarray, first.state)
    second = _run(start, [0, 1], **given, num_steps=4, num_samples=[4] + [8] * 3, state=saved)
    np.testing.assert_allclose(second.images, whole.images, atol=1e-6)


def test_a_linear_score_settles_once_it_is_at_the_edge():
    weights = closed_forms.image(1)
    start = closed_forms.image(batch=1)
    result = loops.targeted(
        closed_forms.linear(weights),
        start,
        [0],
        KEY,
        sigma=0.1,
        epsilon=0.5,
        step_size=0.1,
        num_steps=40,
        num_samples=8,
        bounds=None,
        strategy=pgd.Strategy(settles_after=4),
    )
    settled = np.asarray(result.trace.settled[0])
    assert not settled[:8].any()  # the edge is reached at step 5, in the second window
    assert settled[-1]
    assert (np.diff(settled.astype(int)) >= 0).all()
    distances = np.asarray(result.trace.distance[0])[settled]
    assert len(set(distances.tolist())) == 1


def test_a_stop_without_standard_errors_is_refused():
    with pytest.raises(ValueError, match="no standard error"):
        _run(
            closed_forms.image(batch=1),
            [0],
            num_samples=1,
            strategy=pgd.Strategy(settles_after=2),
        )
    with pytest.raises(ValueError, match="for 6 steps"):
        _run(closed_forms.image(batch=1), [0], num_samples=[2, 2])


@pytest.mark.parametrize(("name", "share"), [("fast", 20), ("draft", 60)])
def test_presets_scale_with_the_side_and_cost_a_share(name, share):
    given = {"sigma": 0.25, "objective": pagjax.TARGET_CLASS_MAX}
    paper, cheap = (presets.settings(one, 32, **given) for one in ("paper", name))
    assert paper.gradients >= share * cheap.gradients
    assert cheap.epsilon == paper.epsilon == pytest.approx(40 / 7)
    assert presets.settings(name, 224, **given).step_size == pytest.approx(7 * cheap.step_size)
    assert paper.recipe().strategy == pgd.PLAIN
    assert presets.recipe(name, 32, sigma=0.25) == cheap.recipe()


def test_presets_and_growing_draws_name_what_they_refuse():
    given = {"sigma": 0.25, "objective": pagjax.TARGET_CLASS_MAX}
    with pytest.raises(ValueError, match="'slow'"):
        presets.settings("slow", 32, **given)
    with pytest.raises(ValueError, match="choose 16"):
        presets.growing(2, 10, 30)
