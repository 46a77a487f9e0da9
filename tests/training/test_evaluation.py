"""The final accuracies, on classifiers whose answers are known."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax.training import evaluation
from pagjax.training.evaluation import ALPHA, Exam, accuracies, evaluate
from tests.training import tiny


def brightest_channel(x):
    """Right on every image of `tiny`."""
    return x.mean(axis=(1, 2)) * 100


def test_a_perfect_classifier():
    told = []
    reached, raw = evaluate(
        brightest_channel,
        tiny.data(7),
        Exam(sigma=0.1, num_draws=20, epsilon=0.01, attack_steps=2),
        report=lambda what, done, total: told.append((what, done, total)),
    )
    assert (reached.clean, reached.under_noise, reached.smoothed) == (1, 1, 1)
    assert (reached.smoothed_sure, reached.abstained, reached.attacked) == (1, 0, 1)
    assert raw["votes"].sum(axis=-1).tolist() == [20] * 7
    assert told[-1] == ("under attack", 7, 7)


def test_a_strong_attack_fools_it():
    exam = Exam(sigma=0.0, num_draws=1, epsilon=9.0, attack_steps=3)
    reached, _ = evaluate(brightest_channel, tiny.data(4), exam)
    assert reached.attacked == 0
    assert reached.smoothed is None


def test_a_constant_classifier_gets_one_class():
    def constant(x):
        return jnp.stack([0 * x[:, 0, 0, 0] + c for c in (0.0, 1.0, 0.0)], axis=-1)

    reached, _ = evaluate(constant, tiny.data(9), Exam(sigma=0.5, num_draws=8))
    assert reached.clean == pytest.approx(1 / 3)


def test_a_killed_evaluation_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "SECONDS_BETWEEN_SAVES", 0.0)
    exam = Exam(sigma=0.6, num_draws=9, epsilon=0.5, attack_steps=2)
    data = tiny.data(21)

    def killed(what, done, total):
        if what.startswith("smoothed") and done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(brightest_channel, data, exam, kept=tmp_path, report=killed)
    told = []
    reached, raw = evaluate(
        brightest_channel,
        data,
        exam,
        kept=tmp_path,
        report=lambda what, done, total: told.append((what, done)),
    )
    assert told[0] == ("smoothed, 9 draws", 16)
    assert not any(what in ("clean", "under noise") for what, _ in told)
    whole, uninterrupted = evaluate(brightest_channel, data, exam)
    assert reached == whole
    assert all(np.array_equal(raw[name], uninterrupted[name]) for name in uninterrupted)


def test_abstention_is_the_two_sided_binomial_test():
    rng = np.random.default_rng(0)
    votes = rng.multinomial(100, [0.55, 0.35, 0.1], size=60)
    targets = np.zeros(60, int)
    reached = accuracies(
        {"clean": targets, "votes": votes}, targets, Exam(sigma=0.5, num_draws=100)
    )
    sure = []
    for row in votes:
        first, second = sorted(row)[::-1][:2]
        sure.append(stats.binomtest(int(first), int(first + second), 0.5).pvalue <= ALPHA)
    assert reached.abstained == pytest.approx(1 - np.mean(sure))
    assert reached.smoothed == pytest.approx(np.mean(votes.argmax(axis=-1) == 0))
    assert reached.smoothed_sure == pytest.approx(np.mean(np.array(sure) & (votes.argmax(-1) == 0)))
