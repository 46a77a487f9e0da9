"""The numbers beside the pictures: closed forms, finite differences, plain arithmetic."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax.alignment import (
    Judge,
    bayes_classifier,
    bayes_gradient,
    directions,
    gradient_agreement,
    gradients,
    intervals,
    judge_probabilities,
    measure,
    roughness,
    transfer,
)
from pagjax.alignment.batches import in_batches
from pagjax.class_gaussians import ClassGaussian, from_images, repeat_pixels, stack
from tests import closed_forms

SIDE = 16


def _wave(across: int, down: int) -> np.ndarray:
    """A cosine of whole cycles across and down a square, one channel."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.cos(2 * np.pi * (across * x + down * y) / SIDE)[..., None]


@pytest.mark.parametrize(
    ("across", "down", "high"),
    [(0, 0, 0), (2, 0, 0), (0, 2, 0), (1, 1, 0), (2, 1, 1), (2, 2, 1), (3, 0, 1), (8, 8, 1)],
)
def test_a_waves_energy_lies_at_its_frequency(across, down, high):
    """A quarter of the Nyquist frequency is two cycles across sixteen pixels."""
    found = roughness.high_frequency_share(jnp.asarray(_wave(across, down)[None], jnp.float32))
    assert float(found[0]) == pytest.approx(high, abs=1e-5)


def test_energies_add_over_waves_and_channels():
    slow, fast = _wave(1, 0), _wave(5, 3)
    mixed = np.concatenate([3 * slow + fast, 2 * fast, slow], axis=-1)
    found = roughness.high_frequency_share(jnp.asarray(mixed[None], jnp.float32))
    assert float(found[0]) == pytest.approx((1 + 4) / (9 + 1 + 4 + 1), rel=1e-5)
    assert float(roughness.high_frequency_share(jnp.zeros((1, 8, 8, 3)))[0]) == 0


def test_white_noise_has_its_known_roughness():
    noise = jax.random.normal(jax.random.key(0), (64, SIDE, SIDE, 3))
    frequencies = np.fft.fftfreq(SIDE)
    count = np.sum(np.hypot(frequencies[:, None], frequencies) > 0.125)
    share = np.asarray(roughness.high_frequency_share(noise), np.float64)
    error = share.std(ddof=1) / 8
    assert abs(share.mean() - count / SIDE**2) < 5 * error
    total = np.asarray(roughness.total_variation(noise), np.float64)
    pairs = 2 * SIDE * (SIDE - 1) * 3
    error = total.std(ddof=1) / 8
    assert abs(total.mean() - pairs * 2 / np.sqrt(np.pi)) < 5 * error


def test_total_variation_by_hand():
    image = np.zeros((1, 3, 3, 2))
    image[0, 1, 1] = [0.5, 0.25]
    assert float(roughness.total_variation(jnp.asarray(image))[0]) == pytest.approx(4 * 0.75)
    relative = roughness.relative_total_variation(jnp.asarray(-3 * image))
    assert float(relative[0]) == pytest.approx(4)
    assert float(roughness.relative_total_variation(jnp.zeros((1, 3, 3, 1)))[0]) == 0


def test_cosines_and_alignment():
    one = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2, 3, 3)), jnp.float32)
    np.testing.assert_allclose(directions.cosine(one, -1e-25 * one), -1, rtol=1e-5)
    assert float(directions.cosine(one, 0 * one).sum()) == 0
    starts = jnp.zeros_like(one)
    both = jnp.stack([2 * one, -one], axis=1)
    np.testing.assert_allclose(directions.alignment(one, starts, both), 0, atol=1e-6)
    np.testing.assert_allclose(directions.alignment(one, one, 3 * one), 1, rtol=1e-5)


def test_the_nearest_are_those_of_all_distances():
    generator = np.random.default_rng(1)
    starts, candidates = generator.normal(size=(3, 2, 2, 3)), generator.normal(size=(20, 2, 2, 3))
    numbers, distances = directions.nearest(jnp.asarray(starts), jnp.asarray(candidates), 4)
    every = np.linalg.norm((starts[:, None] - candidates).reshape(3, 20, -1), axis=-1)
    np.testing.assert_array_equal(numbers, np.argsort(every, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :4], rtol=1e-5)
    with pytest.raises(ValueError, match="21 nearest of 20"):
        directions.nearest(jnp.asarray(starts), jnp.asarray(candidates), 21)


def test_other_classes_are_never_the_target_and_equally_likely():
    targets = jnp.arange(8000) % 4
    others = np.asarray(directions.other_classes(jax.random.key(0), targets, 4))
    steps = np.bincount((others - np.asarray(targets)) % 4, minlength=4)
    assert steps[0] == 0
    assert np.abs(steps[1:] - 8000 / 3).max() < 5 * np.sqrt(8000 * 2 / 9)
    with pytest.raises(ValueError, match="1 classes"):
        directions.other_classes(jax.random.key(0), targets, 1)


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


def test_gradients_of_a_linear_score_agree_whatever_the_noise():
    weights = closed_forms.image(1)
    network = closed_forms.linear(weights)
    images = closed_forms.image(batch=3)
    found = gradients(
        network, images, jnp.array([0, 1, 0]), jax.random.key(0), sigma=0.5, num_samples=3
    )
    np.testing.assert_allclose(found, jnp.stack([weights, -weights, weights]), rtol=1e-5)
    agreement = gradient_agreement(
        network, images, jnp.zeros(3, int), jax.random.key(0), sigma=0.5, num_samples=1
    )
    np.testing.assert_allclose(agreement, 1, rtol=1e-6)
    with pytest.raises(ValueError, match="repeats = 1"):
        gradient_agreement(
            network,
            images,
            jnp.zeros(3, int),
            jax.random.key(0),
            sigma=0.5,
            num_samples=1,
            repeats=1,
        )


@pytest.mark.parametrize("num_samples", [1, 4, 16])
def test_agreement_grows_with_draws_as_it_must(num_samples):
    """Logit |x|^2 / 2: a draw's gradient is x plus its noise, N of them x plus noise over N."""
    side, sigma = 40, 0.5

    def half_square(images: jax.Array) -> jax.Array:
        return jnp.stack([jnp.square(images).sum((1, 2, 3)) / 2, 0 * images.sum((1, 2, 3))], -1)

    images = jax.random.uniform(jax.random.key(2), (6, side, side, 3), minval=0.3)
    found = gradient_agreement(
        half_square,
        images,
        jnp.zeros(6, int),
        jax.random.key(0),
        sigma=sigma,
        num_samples=num_samples,
    )
    square = np.square(np.asarray(images)).sum((1, 2, 3))
    expected = square / (square + sigma**2 * images[0].size / num_samples)
    # In n dimensions such a cosine varies by less than 2 / sqrt(n), six pairs of sets by less.
    np.testing.assert_allclose(found, expected, atol=5 * 2 / np.sqrt(images[0].size))
    assert abs(float(np.mean(np.asarray(found) - expected))) < 5 * 2 / np.sqrt(6 * images[0].size)


def test_shares_are_exact_and_means_students():
    for successes, trials in ((0, 10), (3, 10), (10, 10)):
        found = intervals.share_interval(np.arange(trials) < successes, 0.1)
        exact = stats.binomtest(successes, trials).proportion_ci(0.9, "exact")
        assert found == pytest.approx((successes / trials, exact.low, exact.high))
    values = np.random.default_rng(0).normal(size=12)
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert intervals.mean_interval(values) == pytest.approx((values.mean(), low, high))
    assert intervals.mean_interval(np.ones(1))[1:] == (-np.inf, np.inf)
    for interval in (intervals.share_interval, intervals.mean_interval):
        with pytest.raises(ValueError, match="no pictures"):
            interval(np.zeros(0))


def test_transfer_counts_only_a_sole_largest_probability():
    shares = jnp.array([[0.6, 0.4], [0.5, 0.5], [0.3, 0.7], [jnp.nan, 1.0]])
    hits, own = transfer(shares, jnp.array([0, 0, 0, 1]))
    assert hits.tolist() == [True, False, False, False]
    np.testing.assert_allclose(own, [0.6, 0.5, 0.3, 1.0])
    with pytest.raises(ValueError, match="2 classes"):
        transfer(shares, jnp.array([0, 0, 0, 2]))


def test_a_low_pass_judge_sees_block_means():
    board = jnp.asarray((-1.0) ** np.add.outer(np.arange(4), np.arange(4)))[None, ..., None]
    pictures = 0.5 + 0.5 * board

    def contrast(images: jax.Array) -> jax.Array:
        spread = images.std(axis=(1, 2, 3))
        return jnp.stack([spread, 0.25 - spread], axis=-1)

    sharp, blurred = (
        judge_probabilities(Judge("x", contrast, blur=blur), pictures, jax.random.key(0))
        for blur in (1, 2)
    )
    np.testing.assert_allclose(sharp, jax.nn.softmax(jnp.array([[0.5, -0.25]])), rtol=1e-6)
    np.testing.assert_allclose(blurred, jax.nn.softmax(jnp.array([[0.0, 0.25]])), rtol=1e-6)


def test_batches_change_nothing():
    images = jax.random.uniform(jax.random.key(0), (37, 3, 3, 3))
    found = in_batches(lambda x, y: x.sum((1, 2, 3)) + y, images, jnp.arange(37.0))
    np.testing.assert_allclose(found, images.sum((1, 2, 3)) + jnp.arange(37.0), rtol=1e-6)


def test_every_number_of_a_set_of_pictures():
    weights = closed_forms.image(1) - 0.5
    network = closed_forms.linear(weights)
    starts = closed_forms.image(batch=5)
    unit = weights / jnp.linalg.norm(weights)
    results = starts + 0.1 * unit
    fits = [from_images(closed_forms.image(seed, batch=4), regulariser=0.01) for seed in (3, 4)]
    towards = starts[:, None] + jnp.stack([unit, unit])[None]
    found = measure(
        network,
        starts,
        results,
        jnp.zeros(5, int),
        jax.random.key(0),
        sigma=0.25,
        judges=[Judge("twin", network), Judge("opposite", closed_forms.linear(-weights))],
        statistics=stack(fits),
        others=jnp.ones(5, int),
        neighbours=(towards, starts[:, None] - unit),
        num_samples=8,
        agreement_samples=[2],
    )
    columns = found.columns
    np.testing.assert_allclose(columns["distance"], 0.1, rtol=1e-4)
    raised = 0.1 * float(jnp.linalg.norm(weights))
    np.testing.assert_allclose(columns["logit"] - columns["logit_start"], raised, rtol=1e-3)
    score = np.asarray((results * weights).sum((1, 2, 3)))
    sure = 1 / (1 + np.exp(-2 * score))
    np.testing.assert_allclose(columns["judge_twin_probability"], sure, rtol=1e-4)
    np.testing.assert_allclose(columns["judge_opposite_probability"], 1 - sure, rtol=1e-4)
    np.testing.assert_array_equal(columns["judge_twin_hit"], score > 0)
    for name in ("gradient", "change"):
        np.testing.assert_allclose(columns[f"{name}_to_nearest"], 1, rtol=1e-4)
        np.testing.assert_allclose(columns[f"{name}_to_nearest_other"], -1, rtol=1e-4)
    np.testing.assert_allclose(
        columns["gradient_to_mean"],
        directions.cosine(jnp.stack([weights] * 5), fits[0].mean - starts),
        rtol=1e-4,
        atol=1e-6,
    )
    best = bayes_gradient(bayes_classifier(stack(fits), 0.25), starts, jnp.ones(5, int))
    np.testing.assert_allclose(
        columns["gradient_to_bayes_other"],
        directions.cosine(jnp.stack([weights] * 5), best),
        rtol=1e-4,
        atol=1e-6,
    )
    np.testing.assert_allclose(columns["agreement_2"], 1, rtol=1e-5)
    summary = found.summary()
    assert set(summary) == set(columns)
    assert summary["judge_twin_hit"] == intervals.share_interval(score > 0)
    assert summary["logit"] == intervals.mean_interval(columns["logit"])
    assert len(found.rows()) == 5
    assert found.rows()[2]["logit"] == columns["logit"][2]


def test_measure_refuses_what_does_not_fit():
    network = closed_forms.linear(closed_forms.image(1))
    starts, targets, key = closed_forms.image(batch=2), jnp.zeros(2, int), jax.random.key(0)
    with pytest.raises(ValueError, match="results of shape"):
        measure(network, starts, starts[:1], targets, key, sigma=0.0)
    with pytest.raises(ValueError, match="one index per image"):
        measure(network, starts, starts, targets[:1], key, sigma=0.0)
    with pytest.raises(ValueError, match="neighbours need others"):
        measure(
            network,
            starts,
            starts,
            targets,
            key,
            sigma=0.0,
            neighbours=(starts[:, None], starts[:, None]),
        )
