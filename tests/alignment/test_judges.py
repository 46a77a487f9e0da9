"""Judges and intervals: exact shares, ties, blocks, batches."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from pagjax.alignment import (
    Judge,
    intervals,
    judge_probabilities,
    log_odds,
    measure,
    panel,
    transfer,
)
from pagjax.alignment.batches import in_batches


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


@pytest.mark.parametrize("scale", [0.1, 3.0, 25.0])
def test_log_odds_are_the_margin_of_the_logits_however_sure(scale):
    """Against float64: the target's logit less the log of the sum of the others' exponentials."""
    rng = np.random.default_rng(0)
    logits, targets = scale * rng.uniform(-1, 1, (40, 6)), rng.integers(0, 6, 40)
    own = np.eye(6, dtype=bool)[targets]
    margin = logits[own] - special.logsumexp(logits[~own].reshape(40, 5), axis=1)
    found = log_odds(jax.nn.softmax(jnp.asarray(logits, jnp.float32)), jnp.asarray(targets))
    np.testing.assert_allclose(found, margin, rtol=1e-4, atol=1e-4)


def test_log_odds_end_and_do_not_hide_what_is_no_number():
    shares = jnp.array([[1.0, 0.0], [0.0, 1.0], [jnp.nan, 1.0], [0.5, 0.5]])
    found = np.asarray(log_odds(shares, jnp.zeros(4, int)))
    np.testing.assert_allclose(found[[0, 1, 3]], [87.34, -87.34, 0], atol=0.01)
    assert np.isnan(found[2])
    with pytest.raises(ValueError, match="2 classes"):
        log_odds(shares, jnp.array([0, 0, 0, 2]))


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


def test_a_panel_is_the_mean_of_its_judges_and_knows_how_often_pairs_agree():
    rng = np.random.default_rng(0)
    opinions = rng.dirichlet(np.ones(4), size=(5, 30)).astype(np.float32)
    targets = rng.integers(0, 4, 30)
    found = panel(jnp.asarray(opinions), jnp.asarray(targets))
    first = opinions.argmax(-1)
    for number, target in enumerate(targets):
        own = opinions[:, number, target]
        pairs = list(itertools.combinations(first[:, number], 2))
        np.testing.assert_allclose(found.probability[number], own.mean(), rtol=1e-5)
        np.testing.assert_allclose(found.share[number], (first[:, number] == target).mean())
        agreeing = np.mean([one == other for one, other in pairs])
        np.testing.assert_allclose(found.agreement[number], agreeing, rtol=1e-5)


def test_a_panel_of_one_agrees_with_nobody_and_of_none_is_refused():
    opinion = jnp.array([[[0.5, 0.25, 0.25]]])
    assert np.isnan(panel(opinion, jnp.array([0])).agreement[0])
    with pytest.raises(ValueError, match="at least one"):
        panel(opinion[:0], jnp.array([0]))


def test_measurements_put_the_panel_together_without_the_others():
    def says(*logits):
        return lambda images: jnp.tile(jnp.array(logits), (images.shape[0], 1))

    pictures = jnp.full((3, 4, 4, 3), 0.5)
    judges = [
        Judge("one", says(9.0, 0.0), on_panel=True),
        Judge("other", says(0.0, 9.0), on_panel=True),
        Judge("warning", says(9.0, 0.0)),
    ]
    found = measure(
        says(0.0, 0.0),
        pictures,
        pictures,
        jnp.zeros(3, int),
        jax.random.key(0),
        sigma=0.0,
        judges=judges,
    ).summary()
    assert found["panel_probability"].value == pytest.approx(0.5, abs=1e-6)
    assert found["panel_share"].value == 0.5
    assert found["panel_agreement"].value == 0
