"""The loop: closed forms, feasibility, resumption, records of what went wrong."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pagjax
from pagjax.core import pgd
from pagjax.core.gradients import GradientEstimate
from pagjax.core.projections import ball_and_box
from pagjax.presets import paper
from tests.support import closed_forms, loops

KEY = jax.random.key(11)
DEFAULT = {"sigma": 0.25, "epsilon": 0.5, "step_size": 0.1, "num_steps": 6, "num_samples": 4}


def _run(network, start, targets, **changes):
    return loops.targeted(network, start, targets, KEY, **{**DEFAULT, **changes})


def test_a_linear_score_ends_at_the_known_point():
    weights = closed_forms.image(1) - 0.4
    start = closed_forms.image(batch=1)
    result = _run(closed_forms.linear(weights), start, [0], bounds=None)
    exact = start[0] + DEFAULT["epsilon"] * weights / jnp.linalg.norm(weights)
    np.testing.assert_allclose(result.images[0], exact, atol=1e-5)
    np.testing.assert_allclose(result.trace.distance[0], [0, 0.1, 0.2, 0.3, 0.4, 0.5], atol=1e-5)
    norm = float(jnp.linalg.norm(weights))
    np.testing.assert_allclose(result.trace.gradient_norm, np.full((1, 6), norm), rtol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"projection": ball_and_box}])
@pytest.mark.parametrize("objective", [pagjax.TARGET_CLASS_MAX, pagjax.CROSS_ENTROPY])
def test_both_constraints_hold_and_the_objective_rises(changes, objective):
    network = closed_forms.smooth_network(KEY)
    start = closed_forms.image(batch=3)
    result = _run(
        network, start, [0, 1, 2], epsilon=1.5, step_size=0.4, objective=objective, **changes
    )
    assert float(result.images.min()) >= 0
    assert float(result.images.max()) <= 1
    distances = jnp.linalg.norm((result.images - start).reshape(3, -1), axis=1)
    assert bool(jnp.all(distances <= 1.5 * (1 + 1e-5)))
    assert bool(jnp.all(result.trace.objective[:, -1] > result.trace.objective[:, 0]))


def test_epsilon_and_step_may_differ_by_image():
    network = closed_forms.linear(closed_forms.image(1))
    start = closed_forms.image(batch=2)
    epsilon = jnp.array([0.2, 0.4])
    result = _run(network, start, [0, 0], epsilon=epsilon, bounds=None)
    distances = jnp.linalg.norm((result.images - start).reshape(2, -1), axis=1)
    np.testing.assert_allclose(distances, epsilon, rtol=1e-5)


def test_a_zero_gradient_moves_nothing():
    def constant(images):
        return jnp.zeros((images.shape[0], 2)) + 0 * images.sum()

    start = closed_forms.image(batch=1)
    result = _run(constant, start, [0])
    np.testing.assert_array_equal(result.images, start)
    np.testing.assert_array_equal(result.trace.gradient_norm, np.zeros((1, 6)))


@pytest.mark.parametrize("broken", [jnp.nan, jnp.inf])
def test_a_broken_gradient_moves_nothing_and_is_recorded(broken):
    def estimate(image, key):
        return GradientEstimate(image.sum(), jnp.zeros(()), jnp.full_like(image, broken))

    start = closed_forms.image()
    state, seen = pgd.step(
        estimate, pgd.init(start), start, KEY, step_size=1.0, project=lambda p, s: p
    )
    np.testing.assert_array_equal(state.image, start)
    assert not np.isfinite(seen.gradient_norm)


def test_a_resumed_run_ends_on_the_same_bits():
    network = closed_forms.smooth_network(KEY)
    start = closed_forms.image(batch=2)
    whole = _run(network, start, [0, 1], num_steps=6)
    first = _run(network, start, [0, 1], num_steps=2)
    saved = jax.tree.map(np.asarray, first.state)
    second = _run(network, start, [0, 1], num_steps=4, state=jax.tree.map(jnp.asarray, saved))
    np.testing.assert_array_equal(second.images, whole.images)
    np.testing.assert_array_equal(
        np.concatenate([first.trace.objective, second.trace.objective], axis=1),
        whole.trace.objective,
    )


def test_a_callers_own_loop_is_the_scan():
    network = closed_forms.smooth_network(KEY)
    start = closed_forms.image()
    key = jax.random.fold_in(KEY, 0)

    def estimate(image, key):
        return pagjax.smoothed_gradient(
            network, pagjax.TARGET_CLASS_MAX, image, 1, key, sigma=0.25, num_samples=4
        )

    def project(point, start):
        return pagjax.core.projections.ball_then_box(point, start, 0.5)

    state = pgd.init(start)
    for _ in range(6):
        state, _ = pgd.step(estimate, state, start, key, step_size=0.1, project=project)
    whole = _run(network, start[None], [1])
    np.testing.assert_allclose(state.image, whole.images[0], atol=1e-6)


def test_images_do_not_depend_on_their_batch_or_chunks():
    network = closed_forms.smooth_network(KEY)
    start = closed_forms.image(batch=3)
    keys = jax.random.split(KEY, 3)

    def run(rows, **changes):
        targets = jnp.array([0, 1, 2])[rows]
        return loops.targeted(network, start[rows], targets, keys[rows], **{**DEFAULT, **changes})

    together = run(slice(None))
    np.testing.assert_allclose(run(slice(2, 3)).images, together.images[2:], atol=2e-6)
    for chunk_size in (1, 3, 5):  # 4 is the whole
        chunked = run(slice(None), chunk_size=chunk_size)
        np.testing.assert_allclose(chunked.images, together.images, atol=2e-6)


def test_fixed_noise_repeats_and_fresh_noise_does_not():
    def noisy(images):
        score = images.sum((1, 2, 3))
        return jnp.stack([score, -score], axis=-1)

    start = closed_forms.image(batch=1)
    fixed = _run(noisy, start, [0], noise="fixed", step_size=0.0)
    fresh = _run(noisy, start, [0], noise="fresh", step_size=0.0)
    assert len(set(fixed.trace.objective[0].tolist())) == 1
    assert len(set(fresh.trace.objective[0].tolist())) == DEFAULT["num_steps"]


def test_the_best_iterate_is_the_one_with_the_largest_objective():
    network = closed_forms.smooth_network(KEY)
    start = closed_forms.image(batch=1)
    best = _run(network, start, [0], step_size=2.0, epsilon=2.0, keep="best", sigma=0.0)
    values = best.trace.objective[0]
    reached = network(best.images)[0, 0]
    np.testing.assert_allclose(reached, values.max(), rtol=1e-6)


def test_other_settings_of_the_same_shape_compile_nothing():
    traces = []
    network = closed_forms.smooth_network(KEY)

    def counted(images):
        traces.append(1)
        return network(images)

    start = closed_forms.image(batch=2)
    _run(counted, start, [0, 1])
    after_first = len(traces)
    _run(counted, start, [2, 2], sigma=0.5, epsilon=2.0, step_size=0.3)
    # The shape of the logits is asked for at every call, which compiles nothing.
    assert len(traces) == after_first + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilon": -1.0}, "epsilon = -1.0"),
        ({"step_size": float("inf")}, "step_size = inf"),
        ({"num_steps": 0}, "num_steps = 0"),
        ({"keep": "first"}, "'first'"),
        ({"noise": "none"}, "'none'"),
        ({"targets": [5]}, "target 5: the network has 3 classes"),
        ({"targets": [0, 1]}, "one index per image"),
        ({"start": jnp.full((1, *closed_forms.SHAPE), 2.0)}, "scale pixels"),
        ({"start": jnp.full((1, *closed_forms.SHAPE), jnp.nan)}, "non-finite"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    start = changes.pop("start", closed_forms.image(batch=1))
    targets = changes.pop("targets", [0])
    with pytest.raises(ValueError, match=message):
        _run(closed_forms.smooth_network(KEY), start, targets, **changes)


def test_the_papers_settings():
    tcm, ce = pagjax.TARGET_CLASS_MAX, pagjax.CROSS_ENTROPY
    assert paper.settings(224, sigma=0.5, objective=tcm) == pagjax.Recipe(0.5, 40.0, 0.7, 300, 20)
    assert paper.settings(224, sigma=0.5, objective=ce).step_size == 2.0
    assert paper.settings(224, sigma=0.0, objective=tcm).step_size == 2.8
    assert paper.settings(32, sigma=0.5, objective=tcm).epsilon == pytest.approx(40 / 7)
