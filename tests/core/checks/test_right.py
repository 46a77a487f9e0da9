"""Several forms of one input come to one answer; random inputs are right or told."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pagjax
from pagjax import certification
from pagjax.alignment.agreement import gradients
from pagjax.core import checks
from tests.core.checks.doors import BATCH, KEY, LABELS, SIDE, brightness, tiny_network

BYTES = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.uint8)
FLOATS = BYTES.astype(np.float32) / 255
# Exact in all types of floats.
COARSE = np.round(FLOATS * 8).astype(np.float32) / 8
FORMS = {
    "NumPy": (FLOATS, FLOATS),
    "float64": (FLOATS, FLOATS.astype(np.float64)),
    "float16": (COARSE, COARSE.astype(np.float16)),
    "bfloat16": (COARSE, jnp.asarray(COARSE, jnp.bfloat16)),
    "bytes": (FLOATS, BYTES),
    "a list": (FLOATS, list(FLOATS)),
    "numbers": (FLOATS, FLOATS.tolist()),
    "rounding above": (np.clip(FLOATS + 1e-7, 0, 1), FLOATS + np.float32(1e-7)),
}


def _values(result):
    leaves = jax.tree.leaves(vars(result) if hasattr(result, "__dict__") else result)
    return [np.asarray(leaf) for leaf in leaves if not _is_key(leaf)]


def _is_key(leaf):
    return jnp.issubdtype(getattr(leaf, "dtype", float), jax.dtypes.prng_key)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("door", ["smoothed_probabilities", "targeted_pgd", "certify", "gradients"])
def test_other_forms_of_images_give_the_same(door, form):
    plain, given_so = FORMS[form]
    for one, other in zip(
        _values(BATCH[door](jnp.asarray(plain))), _values(BATCH[door](given_so)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_networks_take_bytes_and_half_precision():
    network = tiny_network()
    logits = network.logits_fn(jnp.asarray(FLOATS))
    assert not np.allclose(logits[0], logits[1])
    np.testing.assert_array_equal(network.logits_fn(BYTES), logits)
    compiled = jax.jit(lambda images: network.logits_fn(images))
    np.testing.assert_allclose(compiled(BYTES), logits, atol=1e-6)
    np.testing.assert_array_equal(
        network.features_fn(COARSE.astype(np.float16)), network.features_fn(COARSE)
    )


@pytest.mark.usefixtures("x64")
def test_float64_images_reach_a_float32_network():
    network = tiny_network()
    images = jnp.asarray(FLOATS, jnp.float64)
    assert network.logits_fn(images).dtype == jnp.float32
    given_so = BATCH["gradients"](images, network=network.logits_fn)
    plain = gradients(network.logits_fn, FLOATS, [0, 0], KEY, sigma=0.0, num_samples=1)
    assert given_so.dtype == jnp.float64
    again = gradients(network.logits_fn, images, [0, 0], KEY, sigma=0.0, num_samples=1)
    np.testing.assert_allclose(plain, again, atol=1e-6)
    found = certification.certify(network.logits_fn, images, KEY, sigma=0.25, num_estimation=20)
    assert found.radius.shape == (2,)


def test_older_keys_are_the_new_ones():
    old = BATCH["smoothed_logits"](FLOATS, key=jax.random.PRNGKey(3))
    new = BATCH["smoothed_logits"](FLOATS, key=jax.random.key(3))
    np.testing.assert_array_equal(old, new)
    several = jax.random.split(jax.random.PRNGKey(3), 2)
    assert BATCH["certify"](FLOATS, key=several).radius.shape == (2,)


def test_labels_are_targets_where_the_network_knows_them():
    network = tiny_network().logits_fn
    for written in (["dog", "golf ball"], ["DOG", "golf_ball"], np.array(["dog", LABELS[2]])):
        named = BATCH["gradients"](FLOATS, network=network, targets=written)
        numbered = BATCH["gradients"](FLOATS, network=network, targets=[1, 2])
        np.testing.assert_array_equal(named, numbered)
    with pytest.raises(ValueError, match="'dgo' is no label of the network"):
        BATCH["gradients"](FLOATS, network=network, targets=["dgo", "cat"])


def test_labels_that_two_classes_share_are_told():
    with pytest.raises(ValueError, match=r"classes \[0, 2\]"):
        checks.as_target("crane", 3, _Labelled())


class _Labelled:
    labels = ("crane", "cat", "crane")


def test_labels_compile_nothing():
    """Networks of one architecture share a compilation, whatever their classes are called."""
    one = tiny_network().logits_fn
    other = jax.tree.map(lambda leaf: leaf, one)
    object.__setattr__(other.func, "labels", ("a", "b", "c"))
    assert jax.tree.structure(one) == jax.tree.structure(other)


def test_a_batch_is_certified_image_by_image():
    """One record of arrays; image i meets the draws of fold_in(key, i)."""
    images = jnp.stack([jnp.full((SIDE, SIDE, 3), value) for value in (0.9, 0.45, 0.1)])
    for name, draws in (("certify", "num_estimation"), ("predict", "num_draws")):
        function = getattr(certification, name)
        whole = function(brightness, images, KEY, sigma=0.5, **{draws: 50})
        for index, image in enumerate(images):
            own = jax.random.fold_in(KEY, index)
            alone = function(brightness, image, own, sigma=0.5, **{draws: 50})
            assert whole.prediction[index] == alone.prediction
            field = "totals" if name == "certify" else "counts"
            np.testing.assert_array_equal(getattr(whole, field)[index], getattr(alone, field))
        assert whole.prediction.tolist()[::2] == [0, 1]


@given(data=st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_random_inputs_are_right_or_told(data):
    dtype = data.draw(
        st.sampled_from(["float32", "float64", "float16", "uint8", "int32", "int64", "bool"])
    )
    shape = data.draw(
        st.sampled_from([(2, 8, 8, 3), (8, 8, 3), (2, 3, 8, 8), (2, 8, 8, 4), (2, 8, 8, 1), (8, 8)])
    )
    scale, shift = data.draw(st.sampled_from([(1, 0), (255, 0), (4, -2), (2, 0)]))
    broken = data.draw(st.sampled_from([None, np.nan, np.inf, -np.inf]))
    seed = data.draw(st.integers(0, 9))
    values = scale * np.random.default_rng(seed).random(shape) + shift
    if broken is not None and dtype.startswith("float"):
        values.flat[seed] = broken
    images = values.astype(dtype)
    in_unit = images / 255.0 if dtype == "uint8" else images
    fits = (
        len(shape) == 4
        and shape[3] in (1, 3)
        and (dtype == "uint8" or dtype.startswith("float"))
        and bool(np.isfinite(in_unit).all())
        and 0 <= in_unit.min() <= in_unit.max() <= 1
    )
    for door in ("smoothed_probabilities", "predict"):
        if fits:
            found = BATCH[door](images, sigma=0.0 if door[0] == "s" else 1e-3)
            mean = in_unit.astype(np.float64).mean(axis=(1, 2, 3))
            logits = np.stack([mean, 1 - mean, 0 * mean], axis=-1)
            if door == "predict":
                assert found.prediction.tolist() == logits.argmax(axis=-1).tolist()
            else:
                likely = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
                np.testing.assert_allclose(found, likely, atol=2e-3)
        elif door == "predict" and len(shape) == 3:
            continue  # one image
        else:
            with pytest.raises((ValueError, TypeError), match=r"^(images|image|start) "):
                BATCH[door](images)


@pytest.mark.parametrize("alpha", [0.5, 0.1, 0.05, 0.001, 2.0**-8, 1e-9, 1e-60])
def test_the_least_number_of_draws_is_the_least(alpha):
    """One draw fewer abstains when all agree; so many do not."""

    def certifies(count, staged):
        share = certification.staged.plan(count, alpha, staged=staged)[-1].alpha
        return certification.clopper_pearson_lower(count, count, share) > 0.5

    for staged in (False, True):
        least = certification.least_draws(alpha, staged=staged)
        assert certifies(least, staged)
        assert least == 1 or not certifies(least - 1, staged)
    least = certification.least_draws(alpha, "predict")
    assert not certification.abstains(np.array([least, 0]), least, alpha)
    assert least == 1 or certification.abstains(np.array([least - 1, 0]), least - 1, alpha)


@pytest.mark.parametrize(
    ("door", "arguments", "least"),
    [
        ("certify", {"num_estimation": 9}, 10),
        ("certify", {"num_estimation": 9, "radii": [0.5]}, 10),
        ("predict", {"num_draws": 10}, 11),
        ("certify_soft", {"num_estimation": 13, "bound": "hoeffding", "rivals": "rest"}, 14),
        ("certify_soft", {"num_estimation": 15, "bound": "hoeffding"}, 18),
    ],
)
def test_too_few_draws_for_alpha_say_the_least(door, arguments, least):
    with pytest.raises(ValueError, match=rf"take at least {least}$"):
        BATCH[door](FLOATS, **arguments)


def test_so_many_draws_certify_what_is_certain():
    def always(images):
        return jnp.broadcast_to(jnp.array([0.0, 200.0, 0.0]), (len(images), 3))

    assert (BATCH["certify"](FLOATS, network=always, num_estimation=10).radius > 0).all()
    assert (BATCH["predict"](FLOATS, network=always, num_draws=11).prediction == 1).all()
    least = certification.least_soft_draws(0.001, "better", 6)
    assert (BATCH["certify_soft"](FLOATS, network=always, num_estimation=least).radius > 0).all()


def test_public_lengths():
    assert pagjax.smoothed_logits(brightness, FLOATS, KEY, sigma=2.0, num_samples=1).shape == (2, 3)
