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


def _run() -> pagjax.TargetedResult:
    weights = jnp.ones((8, 8, 3))

    def score(x):
        return jnp.stack([(x * weights).sum((1, 2, 3)), -(x * weights).sum((1, 2, 3))], -1)

    start, key = jnp.full((3, 8, 8, 3), 0.5), jax.random.key(0)
    recipe = pagjax.Recipe(sigma=0.1, epsilon=1.0, step_size=0.3, num_steps=4, num_samples=2)
    return pagjax.targeted_pgd(score, start, [0] * 3, key, recipe)


def _result(images: np.ndarray, steps: int = 4) -> pagjax.TargetedResult:
    """As a run gives it, of pictures that are known."""
    way = np.linspace(0, 1, len(images) * steps).reshape(len(images), steps)
    trace = pagjax.pgd.PGDTrace(way, way, way, way, way > 2)
    last = np.full(len(images), steps)
    return pagjax.TargetedResult(
        images, trace, pagjax.pgd.PGDState(images, last, images, way[:, -1])
    )


def _shades(*values: float, channels: int = 3) -> np.ndarray:
    return np.stack([np.full((8, 8, channels), value, np.float32) for value in values])


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
    result = _run()
    told = repr(result)
    assert len(told.splitlines()) <= LINES
    assert "images: float32[3, 8, 8, 3]" in told
    first, last = (float(result.trace.objective[:, i].mean()) for i in (0, -1))
    assert f"4 steps, objective {first:.4g} to {last:.4g}" in told
    assert "float32[3, 8, 8, 3]" in repr(result.state)


def test_results_stay_pytrees_and_pass_through_jit():
    result, seen = jax.tree.map(jnp.asarray, _result(_shades(0.2, 0.4))), []

    @jax.jit
    def through(result):
        seen.append((repr(result), result._repr_png_()))
        return result._replace(images=result.images + 1)

    out = through(result)
    assert isinstance(out, pagjax.TargetedResult)
    np.testing.assert_array_equal(out.images, result.images + 1)
    assert "float32[2, 8, 8, 3]" in seen[0][0]
    assert seen[0][1] is None
    assert len(jax.tree.leaves(result)) == len(jax.tree.leaves(out))


def test_a_notebook_shows_the_pictures_of_a_result():
    shades = (0.0, 0.2, 0.4)
    sheet = _picture(_result(_shades(*shades))._repr_png_())
    for shade in shades:
        assert (sheet == round(255 * shade)).all(-1).sum() >= 160 * 160


@pytest.mark.parametrize("batch", [1, 7, 30])
def test_sheets_of_many_pictures_stay_small(batch):
    sheet = _picture(sheet_of_result(_result(_shades(*np.linspace(0, 1, batch)))))
    assert max(sheet.shape) < 1500


def test_what_is_no_picture_is_shown_as_text():
    for images in (_shades(0.5, channels=5), _shades(np.nan), _shades(0.5)[:0], _shades(0.5)[0]):
        result = _result(_shades(0.5))._replace(images=images)
        assert sheet_of_result(result) is None
        assert "images: float32[" in repr(result)
    grey = _picture(sheet_of_result(_result(_shades(0.5, channels=1))))
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize("values", [(3.0,), (-2.0, 3.0)])
def test_pixels_in_other_units_are_brought_into_the_box(values):
    """Two pictures of constant brightness span all of it; one alone has nothing to span."""
    sheet = _picture(sheet_of_result(_result(_shades(*values))))
    assert (sheet == 0).all(-1).sum() >= 160 * 160
    assert (sheet == 255).all(-1).sum() >= 160 * 160 * (len(values) > 1)


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
