"""SmoothMix, CAT-RS, the recipe of Sun et al. and aligned gradients, against NumPy in float64."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from pagjax.training import procedures
from pagjax.training.procedures.plans import Plan, Step
from pagjax.training.settings import Settings
from pagjax.training.step import _loss, network_of
from tests.training import tiny

SHAPE = (tiny.SIDE, tiny.SIDE, 3)
COUNT, M = 4, 3
SETTINGS = replace(tiny.SETTINGS, num_noise=M, attack_steps=3, sigma=0.3)
CLEAN = tiny.images(COUNT).astype(np.float64).reshape(COUNT, -1) / 255
LABELS = np.arange(COUNT) % tiny.CLASSES
WEIGHTS = np.asarray(jax.random.normal(jax.random.key(9), (CLEAN.shape[1], tiny.CLASSES)) / 4)


def _plan(name: str, settings: Settings, **changed: object) -> tuple[Plan, np.ndarray, np.ndarray]:
    """The plan, what it sees as rows ``[images, copies, pixels]``, and the logits on that."""
    step = tiny.step_of(settings)._replace(**changed)
    plan = procedures.BY_NAME[name](step)
    seen = np.asarray(plan.images, np.float64).reshape(COUNT, -1, CLEAN.shape[1])
    return plan, seen, _logits(seen)


def _key(image: int) -> jax.Array:
    return jax.random.fold_in(jax.random.key(5), image)


def _noise(sigma: float) -> np.ndarray:
    def draw(image: int, number: int) -> np.ndarray:
        own = jax.random.fold_in(jax.random.fold_in(_key(image), 0), number)
        return np.asarray(jax.random.normal(own, SHAPE), np.float64).ravel()

    return sigma * np.array([[draw(i, n) for n in range(M)] for i in range(COUNT)])


def _uniforms(count: int) -> np.ndarray:
    return np.array(
        [jax.random.uniform(jax.random.fold_in(_key(i), 1), (count,)) for i in range(COUNT)],
        np.float64,
    )


def _logits(x: np.ndarray) -> np.ndarray:
    return 3 * np.sin(x @ WEIGHTS)


def _pulled(x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    """A cotangent of the logits of rows x to one of the rows."""
    return (cotangent * 3 * np.cos(x @ WEIGHTS)) @ WEIGHTS.T


def _p(x: np.ndarray) -> np.ndarray:
    return special.softmax(_logits(x), axis=-1)


def _kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return special.rel_entr(p, q).sum(axis=-1)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


@pytest.mark.parametrize(("mix_steps", "rise"), [(0, 1.0), (1, 0.5), (2, 1.0)])
def test_smoothmix_is_less_sure_on_the_way_to_an_adversarial_image(mix_steps, rise):
    settings = replace(SETTINGS, mix_steps=mix_steps, step_length=0.6)
    plan, seen, logits = _plan("smoothmix", settings, rise=rise)
    noise = _noise(settings.sigma)
    loss = []
    for image, label in enumerate(LABELS):
        path = [CLEAN[image]]
        for _ in range(settings.attack_steps):
            noisy = path[-1] + noise[image]
            p = _p(noisy)
            slope = p[:, [label]] * (np.eye(tiny.CLASSES)[label] - p) / p[:, label].mean() / M
            uphill = -_pulled(noisy, slope).sum(axis=0)
            path.append(np.clip(path[-1] + settings.step_length * _unit(uphill), 0, 1))
        offset = path[mix_steps] - CLEAN[image]
        reach = rise * mix_steps * settings.step_length
        if np.linalg.norm(offset) > reach:
            offset = _unit(offset) * reach
        near = np.clip(CLEAN[image] + offset, 0, 1)
        share = _uniforms(1)[image, 0] / 2
        mixed = (1 - share) * near + share * path[-1]
        expected = np.concatenate([near + noise[image], mixed + noise[image]])
        np.testing.assert_allclose(seen[image], expected, atol=2e-5)
        p = special.softmax(logits[image], axis=-1)
        smoothed = p[:M].mean(axis=0)
        target = (1 - share) * smoothed + share / tiny.CLASSES
        second = _kl(target, p[M:]).mean() if smoothed.argmax() == label else 0.0
        loss.append(-np.log(p[:M, label]).mean() + settings.weight * rise * second)
    assert float(plan.loss(jnp.asarray(logits.reshape(-1, 3), jnp.float32))) == pytest.approx(
        np.mean(loss), rel=1e-5
    )


def test_smoothmixs_target_lets_gradients_through():
    step = tiny.step_of(replace(SETTINGS, weight=1.0))
    plan = procedures.smoothmix(step)
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(COUNT * 2 * M, 3)) * 3, jnp.float32)
    slope = np.asarray(jax.grad(plan.loss)(logits)).reshape(COUNT, 2 * M, 3)
    plain = np.asarray(special.softmax(np.asarray(logits, np.float64), axis=-1))
    alone = (plain.reshape(COUNT, 2 * M, 3)[:, :M] - np.eye(3)[LABELS][:, None]) / (COUNT * M)
    right = plain.reshape(COUNT, 2 * M, 3)[:, :M].mean(axis=1).argmax(axis=-1) == LABELS
    moved = abs(slope[:, :M] - alone).max(axis=(1, 2)) > 1e-5
    assert right.any()
    np.testing.assert_array_equal(moved, right)


def _catrs_loss(logits: np.ndarray, soft: np.ndarray) -> tuple[float, list[int]]:
    uniforms, losses, kept = _uniforms(M), [], []
    for image, label in enumerate(LABELS):
        p = special.softmax(logits[image], axis=-1)
        share = np.mean(p[:M].argmax(axis=-1) == label)
        k = max(1, int(np.sum(uniforms[image] < share)))
        low = np.sort(-np.log(p[:M, label]))[:k].sum() / M
        high = _kl(soft[image], p[M:]).max() if k == M else 0.0
        losses.append(low + SETTINGS.weight * high)
        kept.append(k)
    return float(np.mean(losses)), kept


def test_catrs_asks_more_of_images_that_noise_leaves_recognised():
    plan, _, _ = _plan("catrs", SETTINGS)
    soft = tiny.soft_labels(COUNT).astype(np.float64)
    generator, seen = np.random.default_rng(3), set()
    for push in (0.0, 0.7, 3.0):  # from wrong to surely right
        logits = generator.normal(size=(COUNT, 2 * M, 3)) + push * np.eye(3)[LABELS][:, None]
        expected, kept = _catrs_loss(logits, soft)
        ours = plan.loss(jnp.asarray(logits.reshape(-1, 3), jnp.float32))
        assert float(ours) == pytest.approx(expected, rel=1e-5)
        seen |= set(kept)
    assert seen == {1, 2, 3}


def test_catrs_attacks_noise_and_leaves_it_looking_like_noise():
    _, seen, _ = _plan("catrs", SETTINGS)
    soft, noise = tiny.soft_labels(COUNT).astype(np.float64), _noise(SETTINGS.sigma)
    np.testing.assert_allclose(seen[:, :M], CLEAN[:, None] + noise, atol=1e-5)
    for image in range(COUNT):
        for draw, first in enumerate(noise[image]):
            moved = first
            for _ in range(SETTINGS.attack_steps):
                x = CLEAN[image] + moved
                uphill = _pulled(x, _p(x) - soft[image])
                moved = moved + 2 * SETTINGS.epsilon / SETTINGS.attack_steps * _unit(uphill)
                offset = moved - first
                offset *= min(1, SETTINGS.epsilon / np.linalg.norm(offset))
                moved = first + offset
                size = np.sqrt(np.mean(moved**2))
                moved = (moved - moved.mean()) / size * np.sqrt(np.mean(first**2)) + first.mean()
            np.testing.assert_allclose(seen[image, M + draw] - CLEAN[image], moved, atol=5e-5)


def test_acr_stops_where_the_network_is_misled():
    settings = replace(SETTINGS, attack_steps=4, select_from=1.0)
    plan, before, _ = _plan("acr", settings, epoch=0.9)
    noise = _noise(settings.sigma)
    np.testing.assert_allclose(before, CLEAN[:, None] + noise, atol=1e-5)
    plan, seen, logits = _plan("acr", settings, epoch=1.0)
    stopped = []
    for image, label in enumerate(LABELS):
        for draw, first in enumerate(noise[image]):
            moved, steps = first, 0
            for _ in range(settings.attack_steps):
                x = CLEAN[image] + moved
                if _p(x).argmax() != label:
                    break
                uphill = _pulled(x, _p(x) - np.eye(3)[label])
                moved = moved + settings.step_length * _unit(uphill)
                moved = _unit(moved) * np.linalg.norm(first)
                steps += 1
            np.testing.assert_allclose(seen[image, draw] - CLEAN[image], moved, atol=5e-5)
            stopped.append(steps)
    assert len(set(stopped)) > 1
    fit = -special.log_softmax(logits, axis=-1)[np.arange(COUNT)[:, None], :, LABELS[:, None]]
    loss = plan.loss(jnp.asarray(logits.reshape(-1, 3), jnp.float32))
    assert float(loss) == pytest.approx(fit.mean(), rel=1e-5)


def _bayes_slopes(x: np.ndarray, sigma: float) -> np.ndarray:
    """Gradients of the log-posteriors at one row, by dense covariances: ``[classes, pixels]``."""
    means, factors, regulariser = (np.asarray(part, np.float64) for part in tiny.gaussians())
    log_density, slopes = [], []
    for mean, directions, variance in zip(means, factors, regulariser, strict=True):
        directions = directions.reshape(len(directions), -1)
        covariance = directions.T @ directions + (variance + sigma**2) * np.eye(x.size)
        offset = x - mean.ravel()
        solved = np.linalg.solve(covariance, offset)
        log_density.append(-(offset @ solved + np.linalg.slogdet(covariance)[1]) / 2)
        slopes.append(-solved)
    return np.array(slopes) - special.softmax(log_density) @ np.array(slopes)


@pytest.mark.parametrize("num_targets", [0, 2])
def test_aligned_asks_for_the_bayes_optimal_direction(num_targets):
    settings = replace(SETTINGS, num_targets=num_targets)
    plan, seen, logits = _plan("aligned", settings)
    np.testing.assert_allclose(seen, CLEAN[:, None] + _noise(settings.sigma), atol=1e-5)
    ours, pull = jax.vjp(tiny.linear_logits, plan.images)
    assert plan.gradient_loss is not None
    found = float(plan.gradient_loss(ours, lambda cotangent: pull(cotangent)[0]))
    orders = np.argsort(_uniforms(tiny.CLASSES), axis=1)
    missed = []
    for image in range(COUNT):
        for x in seen[image]:
            best = _unit(_bayes_slopes(x, settings.sigma))
            for target in orders[image][: num_targets or tiny.CLASSES]:
                mine = _unit(_pulled(x, np.eye(3)[target] - _p(x)))
                missed.append(1 - mine @ best[target])
    assert found == pytest.approx(settings.weight * tiny.CLASSES * np.mean(missed), rel=1e-4)
    fit = -special.log_softmax(logits, axis=-1)[np.arange(COUNT)[:, None], :, LABELS[:, None]]
    loss = plan.loss(jnp.asarray(logits.reshape(-1, 3), jnp.float32))
    assert float(loss) == pytest.approx(fit.mean(), rel=1e-5)


@pytest.fixture
def standard_x64(x64):
    """Float64 with the usual promotions: Flax's batch norm begins in float32."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def test_aligneds_second_derivatives_go_through_the_network_in_training_form(standard_x64):
    settings = replace(SETTINGS, num_noise=1, stage_sizes=(1,))
    network = network_of(settings, tiny.CLASSES)
    variables = jax.jit(network.init)(jax.random.key(0), jnp.zeros((1, *SHAPE)))
    variables = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), dict(variables))
    step: Step = tiny.step_of(settings)
    step = step._replace(images=step.images.astype(jnp.float64), bayes=tiny.bayes(settings.sigma))
    plan = procedures.aligned(step)

    @jax.jit
    def loss(params):
        def through(seen):
            outputs, changed = network.apply(
                {**variables, "params": params}, seen, train=True, mutable=["batch_stats"]
            )
            return outputs.logits, changed["batch_stats"]

        return _loss(plan, through)[0]

    params = variables["params"]
    leaves, structure = jax.tree.flatten(params)
    generator = np.random.default_rng(2)
    direction = [generator.normal(size=leaf.shape) for leaf in leaves]
    slope = sum(
        float(jnp.vdot(g, d))
        for g, d in zip(jax.tree.leaves(jax.jit(jax.grad(loss))(params)), direction, strict=True)
    )

    def at(distance: float) -> float:
        moved = [leaf + distance * d for leaf, d in zip(leaves, direction, strict=True)]
        return float(loss(jax.tree.unflatten(structure, moved)))

    assert (at(1e-6) - at(-1e-6)) / 2e-6 == pytest.approx(slope, rel=1e-5)


def test_what_a_procedure_needs_is_asked_for_by_name():
    for name, missing in (("catrs", "teacher"), ("aligned", "statistics")):
        step = tiny.step_of(SETTINGS)._replace(soft_labels=None, bayes=None)
        with pytest.raises(ValueError, match=missing):
            procedures.BY_NAME[name](step)
