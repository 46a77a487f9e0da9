"""Which draws certificates make: in stages, in chunks, and those that have no answer."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax import certification
from pagjax.certification import staged
from pagjax.certification.sampling import DrawStream
from pagjax.certification.soft import Means
from pagjax.core.outputs import draw_outputs, vote
from tests.support import closed_forms

ALPHA, SIGMA = 0.05, 0.5
KEY = jax.random.key(2)


def test_stages_share_alpha_and_end_with_all_draws():
    stages = staged.plan(5000, 0.01, staged=True)
    assert sum(stage.alpha for stage in stages) == pytest.approx(0.01)
    assert stages[-1] == (5000, pytest.approx(0.009))
    counts = [stage.num_draws for stage in stages]
    assert counts == sorted(set(counts))
    assert counts[0] >= staged.LEAST_DRAWS
    assert staged.plan(5000, 0.01, staged=False) == [(5000, 0.01)]


def brightness(offset, images):
    score = images.mean((1, 2, 3)) - 0.5 + offset
    return jnp.stack([score, -score], axis=-1)


@pytest.mark.parametrize("certify", [certification.certify, certification.certify_soft])
def test_easy_and_hopeless_images_cost_little(certify):
    image = closed_forms.image(2)

    def done(offset):
        network = jax.tree_util.Partial(brightness, jnp.asarray(offset))
        given = {"sigma": SIGMA, "num_estimation": 3000, "radii": (0.05, 5.0)}
        return certify(network, image, KEY, **given)

    easy, hopeless = done(5.0), done(0.5 - float(image.mean()))
    assert (easy.prediction, easy.radius > 0.05) == (0, True)
    assert easy.num_draws <= 300
    assert hopeless.num_draws <= 1500
    assert hopeless.prediction == certification.ABSTAIN


def test_another_class_than_the_label_ends_the_drawing():
    """The radius of interest is the true one, which stays undecided for long."""
    image = closed_forms.image(2)
    distance = (float(image.mean()) - 0.3) * image.size**0.5
    network = jax.tree_util.Partial(brightness, jnp.asarray(0.2))

    def count(**label):
        given = {"sigma": SIGMA, "num_estimation": 3000, "radii": (distance,), **label}
        return certification.certify(network, image, KEY, **given).num_draws

    assert count(label=1) < 200 < count() == count(label=0)


def test_draws_depend_on_neither_the_chunk_nor_the_stages():
    network = closed_forms.smooth_network(jax.random.key(0))
    arguments = {"sigma": 0.5, "num_selection": 200, "num_estimation": 200}
    image = closed_forms.image()
    plain = certification.certify(network, image, KEY, **arguments)
    chunked = certification.certify(network, image, KEY, **arguments, chunk_size=40)
    # Hard to decide: just what all draws prove.
    looked = certification.certify(network, image, KEY, **arguments, radii=(plain.radius,))
    assert plain.totals.tolist() == chunked.totals.tolist() == looked.totals.tolist()
    assert looked.radius < plain.radius


@pytest.mark.parametrize("chunk_size", [2, 36, None])
def test_a_stream_in_pieces_is_all_draws_at_once(chunk_size):
    network, image = closed_forms.smooth_network(jax.random.key(0)), closed_forms.image()
    whole = draw_outputs(vote, network, image, KEY, sigma=SIGMA, first=0, count=37)
    stream = DrawStream(vote, network, image, KEY, sigma=SIGMA, most=37, chunk_size=chunk_size)
    pieces = [piece for count in (5, 1, 31) for piece in stream.take(count)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    with pytest.raises(ValueError, match="38 draws of 37"):
        next(stream.take(1))


def test_parts_that_do_not_fit_are_refused():
    network, image = closed_forms.smooth_network(jax.random.key(0)), closed_forms.image()
    for at_once, message in ((4, "10 draws a device, 4 at once"), (0, "at_once = 0")):
        with pytest.raises(ValueError, match=message):
            draw_outputs(vote, network, image, KEY, sigma=SIGMA, first=0, count=10, at_once=at_once)


def test_broken_draws_count_against_soft_bounds():
    evidence = Means(SIGMA, "hoeffding")
    rows = np.array([[0.9, 0.1]] * 900 + [[np.nan, 0.1]] * 100, np.float32)
    evidence.add(rows)
    lower, upper = evidence.bounds(ALPHA / evidence.sides)
    margin = certification.hoeffding_margin(1000, ALPHA / 4)
    np.testing.assert_allclose(lower, [0.81 - margin, 0.09 - margin], atol=1e-6)
    np.testing.assert_allclose(upper, [0.91 + margin, 0.19 + margin], atol=1e-6)


def test_no_vote_is_lost_where_a_compiler_computes_logits_twice():
    """Of mirrored logits, which a fused maximum rounds otherwise than what it is compared with."""

    def network(images):
        mean = images.mean((1, 2, 3))
        return jnp.stack([0.5 - mean, mean - 0.5], axis=-1)

    found = certification.certify_class(
        network, jnp.full((4, 4, 3), 0.9), 1, KEY, sigma=0.25, num_draws=200
    )
    assert found.totals.tolist() == [0, 200]
