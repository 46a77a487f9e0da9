"""Certificates of classifiers whose smoothed answer is known exceed it as rarely as promised.

Thousands of certificates of real noise draws of one image each. Every gate is the promised number
of failures and five standard errors.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from pagjax import certification
from pagjax.certification import staged
from pagjax.certification.soft import Means
from pagjax.certification.votes import Votes
from pagjax.core.outputs import draw_outputs, vote
from tests.support import closed_forms
from tests.support.streams import Given

ALPHA, SIGMA, REPEATS, DRAWS = 0.05, 0.5, 2500, 240
RADII = (0.0, 0.25, 0.5, 5.0)


def gate(repeats, alpha=ALPHA):
    return repeats * alpha + 5 * (repeats * alpha * (1 - alpha)) ** 0.5


def half_space():
    """Its distance is 0.84 sigma: the linear classifier, moved along its weights."""
    weights = closed_forms.image(1) - 0.5
    length = float(jnp.linalg.norm(weights))
    start = closed_forms.image(2)
    score = float((weights * start).sum())
    image = start + (0.84 * SIGMA * length - score) / length**2 * weights
    return closed_forms.linear(weights), image, stats.norm.cdf(0.84)


def ball():
    """Inside a ball: a noncentral chi-squared distribution says how often."""
    centre, radius = jnp.full(closed_forms.SHAPE, 0.5), 3.3

    def network(images):
        inside = radius**2 - ((images - centre) ** 2).sum((1, 2, 3))
        return jnp.stack([inside, -inside], axis=-1)

    image = centre + 0.1
    shift = float(((image - centre) ** 2).sum()) / SIGMA**2
    return network, image, stats.ncx2.cdf((radius / SIGMA) ** 2, centre.size, shift)


def softmax():
    """Three classes of linear logits, averaged by quadrature over their two differences."""
    columns = [closed_forms.image(seed).ravel() - mean for seed, mean in ((1, 0.3), (2, 0.5))]
    weights = 0.8 * jnp.stack([*columns, jnp.zeros(closed_forms.image().size)], axis=1)
    image = closed_forms.image(3)

    def network(images):
        return images.reshape(len(images), -1) @ weights

    directions = np.asarray(weights[:, :2], np.float64)
    covariance = SIGMA**2 * directions.T @ directions
    points, mass = np.polynomial.hermite_e.hermegauss(80)
    grid = np.stack(np.meshgrid(points, points, indexing="ij"), axis=-1)
    scores = np.asarray(image, np.float64).ravel() @ directions
    logits = scores + grid @ np.linalg.cholesky(covariance).T
    exponentials = np.concatenate([np.exp(logits), np.ones((80, 80, 1))], axis=-1)
    shares = exponentials / exponentials.sum(-1, keepdims=True)
    return network, image, np.einsum("i,j,ijc->c", mass, mass, shares) / mass.sum() ** 2


def samples(of_logits, network, image):
    """Outputs of all repetitions' draws, shape ``[repeats, draws, classes]``."""
    with jax.default_matmul_precision("highest"):
        found = draw_outputs(
            of_logits,
            network,
            image,
            jax.random.key(6),
            sigma=SIGMA,
            first=0,
            count=REPEATS * DRAWS,
            at_once=100 * DRAWS,
        )
    return np.asarray(found).reshape(REPEATS, DRAWS, -1)


@functools.cache
def known(classifier):
    network, image, truth = classifier()
    of_logits = jax.nn.softmax if classifier is softmax else vote
    return samples(of_logits, network, image), truth


@pytest.fixture(params=[half_space, ball])
def hard(request):
    return known(request.param)


@pytest.fixture
def soft():
    return known(softmax)


@pytest.mark.parametrize("radii", [None, RADII])
def test_hard_certificates_exceed_the_truth_as_rarely_as_alpha(hard, radii):
    outputs, truth = hard
    most = SIGMA * stats.norm.ppf(truth)
    assert 0.2 < most < 1  # far from both ends, where nothing could fail
    stages = staged.plan(DRAWS, ALPHA, staged=radii is not None)
    found = [staged.run(Votes(0, SIGMA), Given(rows), stages, radii) for rows in outputs]
    assert sum(done.radius > most for done in found) <= gate(REPEATS)
    assert np.mean([done.radius for done in found]) > 0.7 * most
    assert (np.mean([done.num_draws for done in found]) < DRAWS) == (radii is not None)


@pytest.mark.parametrize("rivals", ["bounded", "rest"])
@pytest.mark.parametrize("bound", ["hoeffding", "bernstein", "better"])
@pytest.mark.parametrize("radii", [None, RADII])
def test_soft_certificates_exceed_the_truth_as_rarely_as_alpha(soft, bound, rivals, radii):
    outputs, truth = soft
    top = int(truth.argmax())
    second = np.sort(truth)[-2] if rivals == "bounded" else 1 - truth[top]
    most = certification.certified_radius(truth[top], second, SIGMA)
    assert 0.1 < most < 1
    target = top if rivals == "rest" else None
    stages = staged.plan(DRAWS, ALPHA, staged=radii is not None)
    found = [
        staged.run(Means(SIGMA, bound, target), Given(rows), stages, radii) for rows in outputs
    ]
    wrong = [done.prediction not in (top, certification.ABSTAIN) for done in found]
    over = [done.radius > most for done in found]
    assert np.sum(np.logical_or(wrong, over)) <= gate(REPEATS)
    assert np.mean([done.radius for done in found]) > 0.15 * most


def test_soft_bounds_hold_for_all_classes_at_once(soft):
    outputs, truth = soft
    failures = 0
    for rows in outputs:
        evidence = Means(SIGMA, "better")
        evidence.add(rows)
        lower, upper = evidence.bounds(ALPHA / evidence.sides)
        failures += not ((lower <= truth) & (truth <= upper)).all()
    assert failures <= gate(REPEATS)


def test_means_of_all_draws_are_the_known_answers(hard, soft):
    """The gates above would hold for a truth set too high; this would not."""
    for outputs, truth in ((hard[0][..., 0], hard[1]), (soft[0], soft[1])):
        values = outputs.reshape(REPEATS * DRAWS, -1).astype(np.float64)
        error = values.std(axis=0) / len(values) ** 0.5
        assert (np.abs(values.mean(axis=0) - truth) < 5 * error).all()


@pytest.mark.parametrize("bound", ["hoeffding", "bernstein", "better"])
def test_many_draws_approach_the_truth_from_below(hard, soft, bound):
    outputs, truth = hard
    evidence = Votes(0, SIGMA)
    evidence.add(outputs.reshape(REPEATS * DRAWS, -1))
    most = SIGMA * stats.norm.ppf(truth)
    assert 0.98 * most < evidence.certificate(0.001).radius <= most
    outputs, truth = soft
    evidence = Means(SIGMA, bound)
    evidence.add(outputs.reshape(REPEATS * DRAWS, -1))
    most = certification.certified_radius(truth.max(), np.sort(truth)[-2], SIGMA)
    assert 0.95 * most < evidence.certificate(0.001).radius <= most


def test_each_bound_of_a_mean_fails_as_rarely_as_alpha():
    """One-sided, on draws far from Gaussian."""
    generator, repeats, count = np.random.default_rng(1), 4000, 60
    votes = generator.binomial(count, 0.8, repeats)
    lower = [certification.clopper_pearson_lower(int(k), count, ALPHA) for k in votes]
    assert (np.array(lower) > 0.8).sum() <= gate(repeats)
    draws = generator.beta(2, 1, (repeats, count))
    error = draws.mean(1) - 2 / 3
    hoeffding = certification.hoeffding_margin(count, ALPHA)
    bernstein = np.array(
        [
            certification.empirical_bernstein_margin(v, count, ALPHA)
            for v in draws.var(1, ddof=1).tolist()
        ]
    )
    for margin in (hoeffding, bernstein):
        assert (error > margin).sum() <= gate(repeats)
        assert (-error > margin).sum() <= gate(repeats)


def test_predictions_are_wrong_as_rarely_as_alpha():
    """Classes of nearly the same probability, where a test errs most."""
    votes = np.random.default_rng(2).multinomial(100, [0.4, 0.41, 0.19], size=20_000)
    for alpha in (0.05, 0.5):
        wrong = ~certification.abstains(votes, 100, alpha) & (votes.argmax(1) != 1)
        assert wrong.sum() <= gate(len(votes), alpha)


@pytest.mark.parametrize("count", [5, 23, 240])
def test_clopper_and_pearson_fail_exactly_as_rarely_as_alpha(count):
    """Without simulation: all counts with their probabilities, for probabilities from 0 to 1."""
    lower = [certification.clopper_pearson_lower(k, count, ALPHA) for k in range(count + 1)]
    for truth in np.linspace(0.01, 0.99, 99):
        chances = stats.binom.pmf(np.arange(count + 1), count, truth)
        assert chances[np.array(lower) > truth].sum() <= ALPHA + 1e-12


@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_least_draws_fail_no_more_often(alpha):
    """They answer only where all draws agree: at the edge of what those prove, alpha is used up."""
    count = certification.least_draws(alpha)
    votes = Votes(0, SIGMA)
    votes.add(np.tile([True, False], (count, 1)))
    proven = votes.certificate(alpha).lower_bound
    assert proven > 0.5
    assert proven**count == pytest.approx(alpha)
    count = certification.least_draws(alpha, "predict")
    assert not certification.abstains(np.array([[count, 0]]), count, alpha)[0]
    # Of two classes of equal probability either may win.
    assert 2 * 0.5**count <= alpha
