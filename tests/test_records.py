"""Networks, results and certificates in a console and in a notebook."""

from __future__ import annotations

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import pagjax
from pagjax.certification import ABSTAIN, Certificate, Prediction
from pagjax.io.pictures.notebooks import sheet_of_result
from tests.core.checks.doors import tiny_network

LINES = 8


def _result(batch: int = 3, steps: int = 4, channels: int = 3, **how: object):
    weights = jnp.ones((8, 8, channels))

    def score(x):
        return jnp.stack([(x * weights).sum((1, 2, 3)), -(x * weights).sum((1, 2, 3))], -1)

    start = jnp.full((batch, 8, 8, channels), 0.5)
    settings = {"sigma": 0.1, "epsilon": 1.0, "step_size": 0.3, "num_steps": steps}
    settings |= {"num_samples": 2, **how}
    return pagjax.targeted_pgd(score, start, [0] * batch, jax.random.key(0), **settings)


def _picture(png: bytes | None) -> np.ndarray:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_a_network_introduces_itself_in_a_few_lines():
    told = repr(tiny_network())
    assert len(told.splitlines()) <= 3
    assert "3 classes: cat, dog, golf ball" in told
    assert "parameters" in told


@pytest.mark.parametrize("name", ["golf ball", "Golf_Ball", " golf-ball ", 2, np.int64(2)])
def test_classes_are_found_as_people_call_them(name):
    assert tiny_network().index(name) == 2


def test_unknown_classes_name_near_ones():
    with pytest.raises(ValueError, match=r"'ball' is no label .*did you mean golf ball"):
        tiny_network().index("ball")
    with pytest.raises(ValueError, match="target 3: the network has 3 classes, 0 to 2"):
        tiny_network().index(3)
    with pytest.raises(TypeError, match="pass a class index"):
        tiny_network().index(1.5)


def test_a_result_says_where_it_began_and_ended():
    result = _result()
    told = repr(result)
    assert len(told.splitlines()) <= LINES
    assert "images: float32[3, 8, 8, 3]" in told
    first, last = (float(result.trace.objective[:, i].mean()) for i in (0, -1))
    assert f"4 steps, objective {first:.4g} to {last:.4g}" in told
    assert "float32[3, 8, 8, 3]" in repr(result.state)


def test_results_stay_pytrees_and_pass_through_jit():
    result, seen = _result(), []

    @jax.jit
    def through(result):
        seen.append((repr(result), result._repr_png_()))
        return result._replace(images=result.images + 1)

    out = through(result)
    assert isinstance(out, pagjax.TargetedResult)
    np.testing.assert_array_equal(out.images, result.images + 1)
    assert "float32[3, 8, 8, 3]" in seen[0][0]
    assert seen[0][1] is None
    assert len(jax.tree.leaves(result)) == len(jax.tree.leaves(out))


def test_a_notebook_shows_the_pictures_of_a_result():
    result = _result()
    sheet = _picture(result._repr_png_())
    for image in np.asarray(result.images):
        colours = (np.rint(image * 255)).reshape(-1, 3)[0]
        assert (sheet == colours).all(-1).sum() >= 160 * 160


@pytest.mark.parametrize("batch", [1, 7, 30])
def test_sheets_of_many_pictures_stay_small(batch):
    sheet = _picture(sheet_of_result(_result(batch, steps=1)))
    assert max(sheet.shape) < 1500


def test_what_is_no_picture_is_shown_as_text():
    result = _result(1, 1)
    assert sheet_of_result(result._replace(images=jnp.zeros((1, 8, 8, 5)))) is None
    assert sheet_of_result(result._replace(images=jnp.zeros((0, 8, 8, 3)))) is None
    assert sheet_of_result(result._replace(images=jnp.full((1, 8, 8, 3), jnp.nan))) is None
    grey = _picture(sheet_of_result(_result(1, 1, channels=1)))
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize("batch", [1, 2])
def test_pixels_in_other_units_are_brought_into_the_box(batch):
    """Two pictures of constant brightness span all of it; one alone has nothing to span."""
    units = {"bounds": None, "step_size": 5.0, "epsilon": jnp.array([5.0, 20.0][:batch])}
    sheet = _picture(sheet_of_result(_result(batch, 5, **units)))
    assert (sheet == 0).all(-1).sum() >= 160 * 160
    assert (sheet == 255).all(-1).sum() >= 160 * 160 * (batch > 1)


def test_certificates_are_a_line_an_image():
    one = Certificate(3, 0.4321, 0.987, 0.013, np.array([0, 0, 0, 990]), 1000)
    assert repr(one) == (
        "Certificate(class 3, l2 radius 0.4321, probability at least 0.987 (1,000 draws))"
    )
    many = Certificate(
        np.array([3, ABSTAIN] * 5),
        np.linspace(0, 1, 10),
        np.full(10, 0.9),
        np.full(10, 0.1),
        np.ones((10, 4)),
        100,
    )
    told = repr(many).splitlines()
    assert told[0] == "Certificate of 10 images"
    assert told[2] == "  abstains (100 draws)"
    assert told[-1] == "  and 5 more"
    assert len(told) <= LINES
    assert repr(Prediction(1, np.array([2, 8]))) == "Prediction(class 1, 8 of 10 votes)"
    assert "abstains" in repr(Prediction(ABSTAIN, np.array([5, 5])))
    none = Certificate(*(np.zeros(0, t) for t in (int, float, float, float)), np.zeros((0, 3)), 10)
    assert repr(none) == "Certificate of 0 images"


def test_an_estimate_says_its_error():
    estimate = pagjax.GradientEstimate(jnp.float32(2.5), jnp.float32(0.25), jnp.zeros((8, 8, 3)))
    assert repr(estimate) == (
        "GradientEstimate(value 2.5, standard error 0.25, gradient float32[8, 8, 3])"
    )
