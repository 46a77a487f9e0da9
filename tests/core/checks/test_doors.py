"""Every door meets every bad input: refused with one line that names it and the cure."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pagjax
from pagjax import certification
from pagjax.alignment.agreement import gradients
from pagjax.core.gradients import smoothed_gradient
from tests.core.checks.doors import BATCH, CERTIFIED, KEY, SIDE, TARGETED, brightness, tiny_network

GREY = np.full((2, SIDE, SIDE, 3), 0.5, np.float32)


def with_pixel(value: float) -> np.ndarray:
    images = GREY.copy()
    images[1, 2, 3, 0] = value
    return images


REFUSED = {
    "one image": (GREY[0], r"add the missing axis with \w+\[None\]"),
    "a grey image": (GREY[0, :, :, 0], r"\[None, :, :, None\]"),
    "a film": (GREY[None], r"expected \[batch, height, width, channels\]"),
    "channels first": (np.moveaxis(GREY, -1, 1), r"jnp.moveaxis\(images, 1, -1\)"),
    "RGBA": (np.full((2, SIDE, SIDE, 4), 0.5, np.float32), r"\[\.\.\., :3\]"),
    "many channels": (np.full((2, SIDE, SIDE, 12), 0.5, np.float32), "12 channels"),
    "NaN": (with_pixel(np.nan), "non-finite pixels"),
    "infinity": (with_pixel(np.inf), "non-finite pixels"),
    "0 to 255": (255 * GREY, "divide by 255"),
    "normalised": ((GREY - 0.9) / 0.2, "not normalised"),
    "above the box": (with_pixel(1.03), "clip them"),
    "integers": ((255 * GREY).astype(np.int32), "divide 8-bit pixels by 255"),
    "long integers": ((255 * GREY).astype(np.int64), "divide 8-bit pixels by 255"),
    "booleans": (GREY > 0, "bool"),
    "complex numbers": (GREY.astype(np.complex64), "complex64"),
    "a file's name": ("cat.png", "str"),
    "nothing": (None, "NoneType"),
    "several sizes": ([GREY[0], GREY[1, :3]], "bring them to one"),
    "no images": (GREY[:0], "hold no pixel"),
}
CERTIFIED_TAKES = ("one image",)


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("door", BATCH)
def test_bad_images_are_refused(door, what):
    if door in CERTIFIED and what in CERTIFIED_TAKES:
        pytest.skip("certificates are of one image, too")
    images, message = REFUSED[what]
    with pytest.raises((ValueError, TypeError), match=message):
        BATCH[door](images)


@pytest.mark.parametrize("output", ["logits_fn", "features_fn"])
@pytest.mark.parametrize("what", [name for name in REFUSED if name not in ("normalised",)])
def test_bad_images_are_refused_by_a_network(what, output):
    if what == "above the box":
        pytest.skip("networks see noisy images")
    images, message = REFUSED[what]
    network = tiny_network()
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(network, output)(images)


def test_a_network_refuses_grey_images():
    with pytest.raises(ValueError, match=re.escape("jnp.repeat(images, 3, axis=-1)")):
        tiny_network().logits_fn(GREY[..., :1])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (0, r"jax.random.key\(0\)"),
        (np.int64(3), "pass a key"),
        (None, "pass a key"),
        ("0", "pass a key"),
        (np.zeros(2, np.float32), "pass a key"),
        (np.zeros(5, np.uint32), "pass a key"),
        (jax.random.split(KEY, 3), "one key per image"),
    ],
)
@pytest.mark.parametrize("door", BATCH)
def test_what_is_no_key_is_refused(door, key, message):
    with pytest.raises((ValueError, TypeError), match=message):
        BATCH[door](GREY, key=key)


@pytest.mark.parametrize("sigma", [64, 2.5, -0.25, float("nan"), float("inf"), "25%", True, 1j])
@pytest.mark.parametrize("door", BATCH)
def test_sigma_of_other_units_is_refused(door, sigma):
    with pytest.raises(ValueError, match=r"sigma = .*in units of \[0, 1\]; 0.25, not 64 or 25%"):
        BATCH[door](GREY, sigma=sigma)


@pytest.mark.parametrize("name", ["epsilon", "step_size"])
@pytest.mark.parametrize("length", [14.0, [0.1, 14.0], -1.0, float("nan"), "8/255"])
def test_lengths_beyond_the_diagonal_are_refused(name, length):
    with pytest.raises(ValueError, match=rf"{name} = .*in units of \[0, 1\]"):
        BATCH["targeted_pgd"](GREY, **{name: length})


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([2**40, 0], "target 1099511627776: the network has 3 classes, 0 to 2"),
        (np.array([2**40, 0]), "target 1099511627776"),
        (np.array([2**32, 0], np.uint64), "target 4294967296"),
        ([3, 0], "target 3"),
        ([-1, 0], "target -1"),
        ([1.0, 0.0], "whole number"),
        (np.array([0.5, 1.0]), "whole number"),
        ([True, False], "whole number"),
        (jnp.array([True, False]), "whole number"),
        (["cat", "dog"], r"network.labels.index\('cat'\)"),
        ("cat", "one index per image"),
        (1, "one index per image"),
        ([0, 1, 2], "one index per image"),
        ([[0], [1]], "one index per image"),
        (None, "one index per image"),
    ],
)
@pytest.mark.parametrize("door", TARGETED)
def test_bad_targets_are_refused(door, targets, message):
    given = [None] if targets is None else targets
    with pytest.raises((ValueError, TypeError), match=message):
        BATCH[door](GREY, targets=given)


@pytest.mark.parametrize("door", ["targeted_pgd", "gradients", "gradient_agreement", "smoothgrad"])
def test_objectives_go_by_name_or_are_told(door):
    with pytest.raises(ValueError, match="'tcm', 'ce' or an Objective"):
        BATCH[door](GREY, objective="cross-entropy")
    with pytest.raises(TypeError, match="'tcm', 'ce' or an Objective"):
        BATCH[door](GREY, objective=jnp.tanh)


def test_an_objectives_name_is_the_objective():
    named = BATCH["gradients"](GREY, objective="ce")
    given = BATCH["gradients"](GREY, objective=pagjax.CROSS_ENTROPY)
    np.testing.assert_array_equal(named, given)


@pytest.mark.parametrize("count", [0, -1, 2.5, "2", float("nan"), 10**30, True])
def test_bad_counts_are_refused(count):
    for name in ("num_samples", "chunk_size"):
        with pytest.raises(ValueError, match=rf"{name} = "):
            BATCH["smoothed_logits"](GREY, **{name: count})


def test_functions_of_other_kinds_are_told():
    with pytest.raises(TypeError, match="its logits_fn"):
        BATCH["smoothed_logits"](GREY, network=tiny_network())
    with pytest.raises(TypeError, match="a function of images"):
        BATCH["smoothed_logits"](GREY, network="cifar10")
    with pytest.raises(ValueError, match=r"expected \[n, classes\]"):
        BATCH["certify"](GREY, network=lambda images: images.sum((1, 2, 3)))


@pytest.mark.parametrize(
    "change",
    [
        {"image": GREY},
        {"image": np.moveaxis(GREY[0], -1, 0)},
        {"image": 255 * GREY[0]},
        {"image": with_pixel(np.nan)[1]},
        {"target": 2**40},
        {"target": "cat"},
        {"key": 0},
        {"sigma": 64},
        {"objective": "x"},
        {"num_samples": 0},
    ],
)
def test_one_images_gradient_has_the_same_door(change):
    given = {
        "objective": "tcm",
        "image": GREY[0],
        "target": 0,
        "key": KEY,
        "sigma": 0.1,
        "num_samples": 2,
    } | change
    image, key = given.pop("image"), given.pop("key")
    objective, target = given.pop("objective"), given.pop("target")
    with pytest.raises((ValueError, TypeError)):
        smoothed_gradient(brightness, objective, image, target, key, **given)


@pytest.mark.parametrize("door", BATCH)
def test_without_a_box_pixels_need_only_be_finite(door):
    BATCH[door](2 * GREY + 0.5, bounds=None)
    with pytest.raises(ValueError, match="non-finite pixels"):
        BATCH[door](with_pixel(np.nan), bounds=None)


@pytest.mark.parametrize("bounds", [(1, 0), (0, np.inf), "01", 1, (0, 1, 2)])
def test_a_box_that_is_none_is_told(bounds):
    with pytest.raises(ValueError, match="bounds = "):
        BATCH["smoothed_logits"](GREY, bounds=bounds)


def test_checks_do_not_end_traces():
    """Under jit, vmap and grad nothing is looked at, nothing waits."""

    def loss(images, sigma, targets):
        logits = BATCH["smoothed_logits"](images, sigma=sigma)
        return (logits.sum() + gradients(
            brightness, images, targets, KEY, sigma=0.1, num_samples=2
        ).sum())  # fmt: skip

    def of_one(images, sigma):
        return BATCH["smoothed_logits"](images, sigma=sigma)

    targets = jnp.zeros(2, jnp.int32)
    assert jnp.isfinite(jax.jit(jax.grad(loss))(jnp.asarray(GREY), 0.1, targets)).all()
    assert jax.vmap(of_one)(GREY[:, None], jnp.array([0.1, 0.2])).shape == (2, 1, 3)
    with pytest.raises(TypeError, match="outside jit"):
        jax.jit(lambda images: certification.certify(brightness, images, KEY, sigma=0.1).radius)(
            GREY
        )
