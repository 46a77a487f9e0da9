"""Bounds and certificates on thousands of samples of known truth: they fail as rarely as promised.

Every gate is the promised number of failures and five standard errors.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax import certification
from pagjax.certification import staged
from pagjax.certification.hard import Votes
from pagjax.certification.soft import Means
from tests import closed_forms

ALPHA, REPEATS, SIGMA = 0.05, 1000, 0.5
MOST_FAILURES = REPEATS * ALPHA + 5 * (REPEATS * ALPHA * (1 - ALPHA)) ** 0.5


class Given:
    """A stream of outputs that are known already."""

    def __init__(self, outputs):
        self.outputs, self.taken = outputs, 0

    def take(self, count):
        yield self.outputs[self.taken : self.taken + count]
        self.taken += count


def hard_outputs(generator, count):
    """Votes of a half-space whose class 0 has probability 0.8 under noise."""
    first = generator.random(count) < 0.8
    return np.stack([first, ~first], axis=1).astype(np.int32)


def soft_outputs(generator, count):
    """Probabilities of three classes with means 0.7, 0.2, 0.1, far from Gaussian."""
    share = generator.beta(0.7, 0.3, count)
    rest = 1 - share
    return np.stack([share, rest * 2 / 3, rest / 3], axis=1).astype(np.float32)


@pytest.mark.parametrize("radii", [None, (0.0, 0.25, 0.5, 5.0)])
def test_hard_certificates_exceed_the_truth_as_rarely_as_alpha(radii):
    generator = np.random.default_rng(1)
    truth = SIGMA * stats.norm.ppf(0.8)
    stages = staged.plan(400, ALPHA, staged=radii is not None)
    found = [
        staged.run(Votes(0, SIGMA), Given(hard_outputs(generator, 400)), stages, radii)
        for _ in range(REPEATS)
    ]
    assert sum(done.radius > truth for done in found) <= MOST_FAILURES
    assert np.mean([done.radius for done in found]) > 0.7 * truth
    if radii is not None:
        assert np.mean([done.num_draws for done in found]) < 400


@pytest.mark.parametrize("rivals", ["bounded", "rest"])
@pytest.mark.parametrize("bound", ["hoeffding", "bernstein", "better"])
def test_soft_certificates_exceed_the_truth_as_rarely_as_alpha(bound, rivals):
    generator = np.random.default_rng(2)
    second = 0.2 if rivals == "bounded" else 0.3
    truth = certification.certified_radius(0.7, second, SIGMA)
    target = 0 if rivals == "rest" else None
    stages = staged.plan(1000, ALPHA, staged=False)
    found = [
        staged.run(Means(SIGMA, bound, target), Given(soft_outputs(generator, 1000)), stages)
        for _ in range(REPEATS)
    ]
    wrong = [done.prediction not in (0, certification.ABSTAIN) for done in found]
    over = [done.radius > truth for done in found]
    assert np.sum(np.logical_or(wrong, over)) <= MOST_FAILURES
    assert np.mean([done.radius for done in found]) > 0.6 * truth


def test_soft_bounds_hold_for_all_classes_at_once():
    generator = np.random.default_rng(3)
    failures = 0
    for _ in range(REPEATS):
        evidence = Means(SIGMA, "better")
        evidence.add(soft_outputs(generator, 100))
        lower, upper = evidence._bounds(ALPHA)
        means = np.array([0.7, 0.2, 0.1])
        failures += not ((lower <= means) & (means <= upper)).all()
    assert failures <= MOST_FAILURES


def test_intervals_and_uppers_agree_with_scipy():
    for successes, trials in ((0, 7), (3, 7), (99, 100), (100, 100)):
        interval = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
        correct = np.arange(trials) < successes
        (share,) = certification.certified_accuracy(np.ones(trials), correct, [1.0])
        np.testing.assert_allclose(share[1:], (interval.low, interval.high), atol=1e-12)


def test_prediction_is_scipys_binomial_test():
    votes = np.random.default_rng(0).multinomial(100, [0.5, 0.35, 0.15], size=50)
    ours = certification.abstains(votes, 100, 0.01)
    for row, unsure in zip(votes, ours, strict=True):
        second, first = np.sort(row)[-2:]
        value = stats.binomtest(int(first), int(first + second), 0.5).pvalue
        assert unsure == (value > 0.01 or first == second)


def test_the_soft_radius_of_a_linear_softmax_is_below_quadratures():
    """A sigmoid of a linear score: its mean under noise is a one-dimensional integral."""
    weights = closed_forms.image(1) - 0.4
    image = closed_forms.image(2)
    score, scale = float((weights * image).sum()), SIGMA * float(jnp.linalg.norm(weights))
    points, mass = np.polynomial.hermite_e.hermegauss(80)
    truth = (mass / mass.sum()) @ (1 / (1 + np.exp(-2 * (score + scale * points))))
    most = certification.certified_radius(max(truth, 1 - truth), min(truth, 1 - truth), SIGMA)
    done = certification.certify_soft(
        closed_forms.linear(weights), image, jax.random.key(3), sigma=SIGMA, num_estimation=8000
    )
    assert done.prediction == int(truth < 0.5)
    assert 0.8 * most < done.radius <= most


def test_the_radius_of_a_ball_is_below_the_noncentral_chi_squares():
    centre, radius = jnp.full(closed_forms.SHAPE, 0.5), 3.5

    def ball(images):
        inside = radius**2 - ((images - centre) ** 2).sum((1, 2, 3))
        return jnp.stack([inside, -inside], axis=-1)

    image = centre + 0.1
    shift = float(((image - centre) ** 2).sum()) / SIGMA**2
    truth = stats.ncx2.cdf((radius / SIGMA) ** 2, centre.size, shift)
    most = certification.certified_radius(truth, 1 - truth, SIGMA)
    done = certification.certify(ball, image, jax.random.key(4), sigma=SIGMA, num_estimation=8000)
    assert done.prediction == 0
    assert 0.8 * most < done.radius <= most


def test_stages_share_alpha_and_end_with_all_draws():
    stages = staged.plan(5000, 0.01, staged=True)
    assert sum(stage.alpha for stage in stages) == pytest.approx(0.01)
    assert stages[-1] == (5000, 0.005)
    assert stages[0].num_draws >= staged.LEAST_DRAWS


def test_easy_and_hopeless_images_cost_little():
    image = closed_forms.image(2)

    def network(offset, images):
        score = images.mean((1, 2, 3)) - 0.5 + offset
        return jnp.stack([score, -score], axis=-1)

    def certify(offset):
        return certification.certify(
            jax.tree_util.Partial(network, jnp.asarray(offset)),
            image,
            jax.random.key(1),
            sigma=0.5,
            num_estimation=800,
            radii=(0.25, 5.0),
        )

    easy, hopeless = certify(1.0), certify(0.5 - float(image.mean()))
    assert (easy.num_draws, easy.prediction, easy.radius > 0.25) == (100, 0, True)
    assert hopeless.num_draws <= 400
    assert hopeless.prediction == certification.ABSTAIN


def test_draws_depend_on_neither_the_chunk_nor_the_stages():
    network = closed_forms.smooth_network(jax.random.key(0))
    arguments = {"sigma": 0.5, "num_selection": 200, "num_estimation": 200}
    image, key = closed_forms.image(), jax.random.key(2)
    plain = certification.certify(network, image, key, **arguments)
    chunked = certification.certify(network, image, key, **arguments, chunk_size=40)
    # Hard to decide: just what all draws prove.
    looked = certification.certify(network, image, key, **arguments, radii=(plain.radius,))
    assert plain.totals.tolist() == chunked.totals.tolist() == looked.totals.tolist()
    assert looked.radius < plain.radius


def test_broken_draws_count_against():
    evidence = Means(SIGMA, "hoeffding")
    rows = np.array([[0.9, 0.1]] * 900 + [[np.nan, 0.1]] * 100, np.float32)
    evidence.add(rows)
    lower, upper = evidence._bounds(ALPHA)
    margin = certification.hoeffding_margin(1000, ALPHA / 4)
    np.testing.assert_allclose(lower, [0.81 - margin, 0.09 - margin], atol=1e-6)
    np.testing.assert_allclose(upper, [0.91 + margin, 0.19 + margin], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1.0}, "alpha = 1.0"),
        ({"sigma": 0.0}, "sigma = 0.0"),
        ({"num_estimation": 1}, "num_estimation = 1"),
        ({"bound": "chernoff"}, "bound = 'chernoff'"),
        ({"rivals": "none"}, "rivals = 'none'"),
        ({"radii": (-1.0,)}, "radius -1.0"),
    ],
)
def test_bad_arguments_of_soft_smoothing_are_named(change, message):
    arguments = {"sigma": 0.5, "num_estimation": 100, **change}
    with pytest.raises(ValueError, match=message):
        certification.certify_soft(
            closed_forms.smooth_network(jax.random.key(0)),
            closed_forms.image(),
            jax.random.key(0),
            **arguments,
        )
