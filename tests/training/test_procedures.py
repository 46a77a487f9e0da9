"""Each procedure's loss against NumPy, from the formulas of the papers."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from pagjax.training import procedures
from pagjax.training.settings import Settings
from tests.training import tiny


def _loss(name: str, settings: Settings) -> tuple[float, np.ndarray, np.ndarray]:
    """The procedure's loss, its images, and the logits on them, rows of one image together."""
    step = tiny.step_of(settings)
    plan = procedures.BY_NAME[name](step)
    logits = tiny.linear_logits(plan.images)
    return float(plan.loss(logits)), np.asarray(plan.images), np.asarray(logits, np.float64)


def _noise(settings: Settings, count: int, copies: int) -> np.ndarray:
    """The documented draws: key of the step, image, 0, draw."""
    draws = np.empty((count, copies, tiny.SIDE, tiny.SIDE, 3))
    for image in range(count):
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(5), image), 0)
        for draw in range(copies):
            drawn = jax.random.normal(jax.random.fold_in(key, draw), draws.shape[2:])
            draws[image, draw] = settings.sigma * np.asarray(drawn)
    return draws


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return -special.log_softmax(logits, axis=-1)[np.arange(len(labels)), labels]


CLEAN = tiny.images(4).astype(np.float64) / 255
LABELS = np.arange(4) % tiny.CLASSES


def test_vanilla_is_cross_entropy_on_the_images():
    loss, seen, logits = _loss("vanilla", tiny.SETTINGS)
    np.testing.assert_allclose(seen, CLEAN, atol=1e-7)
    assert loss == pytest.approx(_cross_entropy(logits, LABELS).mean(), rel=1e-5)


def test_gaussian_is_cross_entropy_under_one_draw():
    loss, seen, logits = _loss("gaussian", tiny.SETTINGS)
    np.testing.assert_allclose(seen, CLEAN + _noise(tiny.SETTINGS, 4, 1)[:, 0], atol=1e-6)
    assert loss == pytest.approx(_cross_entropy(logits, LABELS).mean(), rel=1e-5)


def test_stability_adds_the_divergence_of_the_noisy_prediction():
    loss, seen, logits = _loss("stability", tiny.SETTINGS)
    pairs = seen.reshape(4, 2, *seen.shape[1:])
    np.testing.assert_allclose(pairs[:, 0], CLEAN, atol=1e-7)
    np.testing.assert_allclose(pairs[:, 1] - CLEAN, _noise(tiny.SETTINGS, 4, 1)[:, 0], atol=1e-6)
    clean, noisy = (special.softmax(logits[i::2], axis=-1) for i in range(2))
    divergence = special.rel_entr(clean, noisy).sum(axis=-1)
    expected = (_cross_entropy(logits[0::2], LABELS) + tiny.SETTINGS.weight * divergence).mean()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_consistency_pulls_noisy_predictions_to_their_mean():
    loss, seen, logits = _loss("consistency", tiny.SETTINGS)
    noise = _noise(tiny.SETTINGS, 4, 2)
    np.testing.assert_allclose(seen.reshape(noise.shape), CLEAN[:, None] + noise, atol=1e-6)
    p = special.softmax(logits, axis=-1).reshape(4, 2, -1)
    mean = p.mean(axis=1)
    divergence = special.rel_entr(mean[:, None], p).sum(axis=-1).mean(axis=1)
    fit = _cross_entropy(logits, LABELS.repeat(2)).reshape(4, 2).mean(axis=1)
    entropy = special.entr(mean).sum(axis=-1)
    expected = fit + tiny.SETTINGS.weight * divergence + tiny.SETTINGS.entropy_weight * entropy
    assert loss == pytest.approx(expected.mean(), rel=1e-5)


def test_macer_adds_a_hinge_on_the_certified_radius():
    settings = replace(tiny.SETTINGS, temperature=1.5, margin=3.0, num_noise=3)
    step = tiny.step_of(settings)
    plan = procedures.macer(step)
    # Logits of our own, so that some images are right by less than the margin and some are wrong.
    logits = np.random.default_rng(1).normal(size=(12, 3)) + np.eye(3)[LABELS.repeat(3)] * 1.5
    expected = []
    for image, label in enumerate(LABELS):
        rows = logits[3 * image : 3 * image + 3]
        fit = -np.log(special.softmax(rows, axis=-1).mean(axis=0)[label])
        sharp = special.softmax(1.5 * rows, axis=-1).mean(axis=0)
        other = np.delete(sharp, label).max()
        distance = stats.norm.ppf(sharp[label]) - stats.norm.ppf(other)
        hinge = max(0.0, 3.0 - distance) if sharp[label] > other else 0.0
        expected.append(fit + settings.weight * settings.sigma / 2 * hinge)
    assert float(plan.loss(jnp.asarray(logits, jnp.float32))) == pytest.approx(
        np.mean(expected), rel=1e-5
    )


@pytest.mark.parametrize(("name", "copies"), [("adversarial", 1), ("smoothadv", 2)])
def test_attacks_climb_the_plug_in_loss_within_the_ball(name, copies):
    settings = replace(tiny.SETTINGS, sigma=0.0 if name == "adversarial" else 0.25)
    loss, seen, logits = _loss(name, settings)
    noise = _noise(settings, 4, copies)

    def smoothed_loss(point, image):
        p = jax.nn.softmax(tiny.linear_logits(point + noise[image].astype(np.float32)))
        return -jnp.log(p.mean(axis=0)[LABELS[image]])

    for image in range(4):
        point = jnp.asarray(CLEAN[image], jnp.float32)
        for _ in range(settings.attack_steps):
            gradient = jax.grad(smoothed_loss)(point, image)
            length = 2 * settings.epsilon / settings.attack_steps
            moved = np.asarray(point + length * gradient / jnp.linalg.norm(gradient), np.float64)
            offset = moved - CLEAN[image]
            offset *= min(1.0, settings.epsilon / np.linalg.norm(offset))
            point = jnp.asarray(np.clip(CLEAN[image] + offset, 0, 1), jnp.float32)
        ours = seen.reshape(4, copies, *seen.shape[1:])[image] - noise[image]
        np.testing.assert_allclose(ours, np.broadcast_to(point, ours.shape), atol=2e-5)
    assert loss == pytest.approx(_cross_entropy(logits, LABELS.repeat(copies)).mean(), rel=1e-5)
