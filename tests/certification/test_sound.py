"""Certificates that hold as computed: what breaks the usual ones does not break these."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from pagjax import certification
from pagjax.certification import discrete, proofs, sound, staged
from pagjax.certification.plan import CertificationPlan
from pagjax.certification.soft import certify_soft_by
from pagjax.certification.votes import Votes
from pagjax.core.outputs import draw_outputs, vote
from tests.support.streams import Given

SIGMA, ALPHA = 0.5, 0.05
KEY = jax.random.key(4)
BLACK = jnp.zeros((16, 16, 3))


def low_bits(images):
    """Class 0 where pixels near 0 are what single-precision noise makes of black, to the last bits.

    JAX's normal draws come from odd multiples of 2^-24 by a smooth function. Undone, the noise of a
    black picture is such multiples again; that of any other picture has them at random places.
    """
    z = images / SIGMA
    uniform = math.sqrt(2 / math.pi) * z * (1 - z**2 / 6 + z**4 / 40 - z**6 / 336)
    steps = uniform * 2.0**22 - 0.25
    near = abs(z) < 0.25
    phases = jnp.where(near, jnp.cos(2 * jnp.pi * (steps - jnp.round(steps))), 0)
    count = near.astype(images.dtype).sum((1, 2, 3))
    score = phases.sum((1, 2, 3)) / jnp.maximum(count, 1)
    return jnp.stack([score, jnp.full_like(score, 0.5)], axis=-1)


def test_a_classifier_that_reads_low_bits_fools_the_usual_mode_and_not_the_sound_one():
    dark = jnp.full_like(BLACK, 1 / 255)
    distance = float(jnp.linalg.norm(dark - BLACK))
    given = {"sigma": SIGMA, "num_estimation": 300, "num_selection": 20}

    def votes(picture, **mode):
        return certification.predict(low_bits, picture, KEY, sigma=SIGMA, num_draws=300, **mode)

    false = certification.certify(low_bits, BLACK, KEY, **given)
    assert (false.prediction, false.sound) == (0, False)
    assert false.radius > 8 * distance
    assert votes(dark).prediction == 1
    assert votes(dark).counts[1] == 300  # not one draw at a tenth of the radius says class 0
    held = certification.certify(low_bits, BLACK, KEY, **given, sound=True)
    assert held.sound
    assert held.prediction != 0
    assert votes(dark, sound=True).prediction == votes(BLACK, sound=True).prediction == 1


def moved(members, weights, shift):
    """The share of draws n with n + shift in a set of levels, exactly."""
    return sum(weight for n, weight in weights.items() if n + shift in members)


SETS = {
    "half a line": lambda n, _: n <= 11,
    "every second level": lambda n, _: n % 2 == 0,
    "an interval": lambda n, _: -9 <= n <= 20,
    "comb, then all": lambda n, _: n % 3 != 0 or n > 14,
    "at random": lambda n, coins: coins[n] < 0.8,
    "at random, mostly": lambda n, coins: coins[n] < 0.97,
}


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_the_theorem_holds_for_every_classifier_of_one_level(kind, sigma):
    """Exact shares from the table's weights, for all moves by whole levels in the ball."""
    weights = discrete.rounded_normal(sigma).weights
    generator = np.random.default_rng(5)
    far = 3 * max(weights)
    coins = dict(zip(range(-far, far + 1), generator.random(2 * far + 1).tolist(), strict=True))
    members = {n for n in coins if SETS[kind](n, coins)}
    share = moved(members, weights, 0)
    radius = proofs.proven_radius(share / discrete.WHOLE * (1 - 1e-12), sigma)
    reach = math.ceil(radius * 255) - 1
    for shift in range(-reach, reach + 1):
        assert 2 * moved(members, weights, shift) > discrete.WHOLE
    if kind == "half a line":
        assert 2 * moved(members, weights, reach + 2) <= discrete.WHOLE  # and no radius is lost
        assert radius > 0


# Pixel sums on the grid, with their exact distribution.
SHAPE, LIMIT, BENCH_SIGMA = (2, 2, 1), 45, 0.05


def sums(images):
    total = jnp.round(images * 255).sum((1, 2, 3))
    return jnp.stack([total <= LIMIT, total > LIMIT], axis=-1).astype(jnp.float32)


def exact_share():
    weights = discrete.rounded_normal(BENCH_SIGMA).weights
    line = np.array(list(weights.values()), np.float64) / discrete.WHOLE
    both = line
    for _ in range(3):
        both = np.convolve(both, line)
    totals = np.arange(len(both)) - len(both) // 2
    return both[totals <= LIMIT].sum()


@pytest.fixture(scope="module")
def outputs():
    repeats, draws = 2000, 200
    found = draw_outputs(
        vote,
        sums,
        jnp.zeros(SHAPE),
        KEY,
        sigma=BENCH_SIGMA,
        first=0,
        count=repeats * draws,
        grid=discrete.grid_noise(BENCH_SIGMA),
    )
    return np.asarray(found).reshape(repeats, draws, 2)


@pytest.mark.parametrize("radii", [None, (0.0, 0.02, 0.05)])
def test_certificates_exceed_the_truth_as_rarely_as_alpha(outputs, radii):
    repeats, draws = outputs.shape[:2]
    most = BENCH_SIGMA * float(special.ndtri(exact_share()))
    alpha = sound.charged_alpha(ALPHA, BENCH_SIGMA, 4, draws)
    stages = staged.plan(draws, alpha, staged=radii is not None)
    found = [
        staged.run(Votes(0, BENCH_SIGMA, sound=True), Given(rows), stages, radii)
        for rows in outputs
    ]
    failures = sum(done.radius > most for done in found)
    low, _ = certification.clopper_pearson_interval(failures, repeats, 1e-6)
    assert low <= ALPHA
    assert radii is not None or failures > 0.01 * repeats  # they do show
    assert all(done.sound for done in found)
    share = outputs[..., 0].mean()
    error = (share * (1 - share) / outputs[..., 0].size) ** 0.5
    assert abs(share - exact_share()) < 5 * error


@pytest.mark.parametrize("sigma", [0.12, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("num_draws", [1000, 100_000])
def test_soundness_costs_no_radius_that_a_log_shows(sigma, num_draws):
    """At the same votes, of CIFAR's pictures and of ImageNet's."""
    counts = [num_draws, num_draws - 1, int(0.9 * num_draws), int(0.6 * num_draws)]
    for size in (32 * 32 * 3, 224 * 224 * 3):
        alpha = sound.charged_alpha(0.001, sigma, size, num_draws)
        assert 0.998 * 0.001 < alpha < 0.001
        for count in counts:
            plain, proven = Votes(0, sigma), Votes(0, sigma, sound=True)
            for evidence in (plain, proven):
                evidence.counts, evidence.num_draws = np.array([count, 0]), num_draws
            usual, held = plain.certificate(0.001), proven.certificate(alpha)
            assert 0 <= usual.radius - held.radius < 1e-4 * sigma
            assert held.lower_bound <= usual.lower_bound


def test_every_door_offers_it():
    def bright(images):
        mean = images.mean((1, 2, 3))
        return jnp.stack([0.5 - mean, mean - 0.5], axis=-1)

    pictures = np.full((2, 4, 4, 3), 230, np.uint8)
    given = {"sigma": 0.25, "sound": True}
    batch = certification.certify(bright, pictures, KEY, num_estimation=100, **given)
    assert batch.prediction.tolist() == [1, 1]
    assert batch.sound.tolist() == [True, True]
    looked = certification.certify(
        bright, pictures[0], KEY, num_estimation=100, radii=(0.1,), **given
    )
    assert 0 < looked.radius <= batch.radius[0]
    one = certification.certify_class(bright, pictures, [1, 1], KEY, num_draws=100, **given)
    assert (one.radius > 0.3).all()
    assert certification.predict(bright, pictures[0], KEY, num_draws=100, **given).prediction == 1
    # Too few votes to prove, though more than a half.
    tied = certification.predict(
        bright, np.full((4, 4, 3), 128, np.uint8), KEY, num_draws=20, **given
    )
    assert tied.prediction == certification.ABSTAIN
    whole = CertificationPlan(sigma=0.25, num_draws=100, alpha=0.001, sound=True)
    with pytest.raises(ValueError, match="`sound` counts votes"):
        certify_soft_by(whole, bright, pictures, KEY)


def test_pictures_off_the_grid_are_refused_and_brought_to_it():
    pictures = jax.random.uniform(KEY, (2, 4, 4, 3))
    given = {"sigma": 0.25, "num_estimation": 20, "sound": True}
    with pytest.raises(ValueError, match=r"image 0 has a pixel of .*on_grid"):
        certification.certify(sums, pictures, KEY, **given)
    whole = certification.on_grid(pictures)
    assert float(abs(whole - pictures).max()) <= 1 / 510 + 1e-6
    assert certification.certify(sums, whole, KEY, **given).num_draws.tolist() == [20, 20]
    assert certification.on_grid(pictures[0]).shape == (4, 4, 3)
    half = whole.astype(jnp.float16)
    with pytest.raises(ValueError, match="image"):
        certification.certify(sums, half, KEY, **given)
    with pytest.raises(ValueError, match="bounds None"):
        certification.certify(sums, whole, KEY, bounds=None, **given)
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(np.round(certification.on_grid(every) * 255), every)
    np.testing.assert_allclose(certification.on_grid(every), every / np.float32(255), rtol=2e-7)


def test_an_alpha_that_the_draws_use_up_is_refused():
    with pytest.raises(ValueError, match=r"alpha = 1e-12: with `sound` 100,000 draws of 3,072"):
        sound.charged_alpha(1e-12, 0.25, 3072, 100_000)
    small = [sound.charged_alpha(0.001, 0.25, 3072, count) for count in (10, 10**6, 10**9)]
    assert small == sorted(small, reverse=True)
