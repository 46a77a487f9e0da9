"""The Bayes-optimal classifier of Gaussian classes: dense algebra and finite differences."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax.alignment import bayes_classifier, bayes_gradient, directions
from pagjax.core.class_gaussians import ClassGaussian, from_images, repeat_pixels, stack


def _classes(dtype: type = np.float64) -> ClassGaussian:
    """Three classes of different ranks, one of them exact from more images than pixels."""
    generator = np.random.default_rng(0)
    fits = [
        from_images(jnp.asarray(generator.uniform(size=(n, 2, 2, 3)), dtype), regulariser=0.01 * n)
        for n in (2, 5, 15)
    ]
    return stack(fits)


@pytest.mark.parametrize("factor", [1, 2])
def test_the_bayes_classifier_is_the_dense_one(x64, factor):
    classes, sigma = _classes(), 0.3
    logits_fn = bayes_classifier(classes, sigma, factor=factor)
    images = repeat_pixels(jnp.asarray(np.random.default_rng(1).uniform(size=(4, 2, 2, 3))), factor)
    low = np.asarray(images)[:, ::factor, ::factor].reshape(4, -1)
    dense = np.zeros((4, 3))
    for index in range(3):
        flat = np.asarray(classes.factors[index]).reshape(-1, 12)
        width = float(classes.regulariser[index]) + (sigma / factor) ** 2
        covariance = flat.T @ flat + width * np.eye(12)
        mean = np.asarray(classes.mean[index]).ravel()
        dense[:, index] = stats.multivariate_normal(mean, covariance).logpdf(low)
    np.testing.assert_allclose(logits_fn(images), dense, rtol=1e-10)

    def log_posterior(image: np.ndarray, target: int) -> float:
        logits = np.asarray(logits_fn(jnp.asarray(image[None]))[0])
        return float(logits[target] - np.log(np.exp(logits - logits.max()).sum()) - logits.max())

    targets = np.array([0, 1, 2, 0])
    found = np.asarray(bayes_gradient(logits_fn, images, jnp.asarray(targets)))
    step = 1e-6
    for picture in range(4):
        image = np.asarray(images[picture])
        for place in np.ndindex(*image.shape):
            moved = np.zeros_like(image)
            moved[place] = step
            difference = log_posterior(image + moved, targets[picture]) - log_posterior(
                image - moved, targets[picture]
            )
            assert found[picture][place] == pytest.approx(difference / step / 2, rel=1e-5, abs=1e-6)


def test_the_bayes_gradient_by_dense_algebra(x64):
    classes, sigma = _classes(), 0.25
    image = jnp.asarray(np.random.default_rng(2).uniform(size=(1, 2, 2, 3)))
    scores, logits = [], []
    for index in range(3):
        flat = np.asarray(classes.factors[index]).reshape(-1, 12)
        width = float(classes.regulariser[index]) + sigma**2
        covariance = flat.T @ flat + width * np.eye(12)
        offset = np.asarray(classes.mean[index]).ravel() - np.asarray(image).ravel()
        scores.append(np.linalg.solve(covariance, offset))
        logits.append(stats.multivariate_normal(cov=covariance).logpdf(offset))
    posterior = np.exp(np.array(logits) - max(logits))
    posterior /= posterior.sum()
    expected = scores[1] - posterior @ np.array(scores)
    found = bayes_gradient(bayes_classifier(classes, sigma), image, jnp.array([1]))
    np.testing.assert_allclose(np.asarray(found).ravel(), expected, rtol=1e-9)


def test_single_precision_keeps_the_gradients_direction(x64):
    image = np.random.default_rng(3).uniform(size=(1, 2, 2, 3))
    found = []
    for dtype in (np.float32, np.float64):
        classifier = bayes_classifier(_classes(dtype), 0.25)
        found.append(bayes_gradient(classifier, jnp.asarray(image, dtype), jnp.array([0])))
    one, other = (jnp.asarray(gradient, jnp.float64) for gradient in found)
    assert float(directions.cosine(one, other)[0]) > 1 - 1e-6


def test_a_density_needs_width():
    flat = ClassGaussian(jnp.zeros((2, 1, 1, 1)), jnp.zeros((2, 1, 1, 1, 1)), jnp.zeros(2))
    with pytest.raises(ValueError, match="without width"):
        bayes_classifier(flat, 0.0)
    with pytest.raises(ValueError, match="sigma = -1"):
        bayes_classifier(flat, -1.0)
