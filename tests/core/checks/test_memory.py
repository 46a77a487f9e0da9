"""Memory is bounded over draws and images together; results do not depend on it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.alignment import agreement
from pagjax.core import draws, smoothing, targeted
from pagjax.core.outputs import vote
from tests.core.checks.doors import BATCH, KEY


def squares(images):
    """Two classes whose gradients differ from draw to draw."""
    score = jnp.square(images).sum((1, 2, 3))
    return jnp.stack([score, -score], axis=-1)


SHAPE = (16, 16, 3)
VALUES = 16 * 16 * 3


@pytest.fixture
def small_room(monkeypatch):
    """Room for eight draws, so that a few images are too many."""
    monkeypatch.setattr(draws, "CHUNK_VALUES", 8 * VALUES)
    jax.clear_caches()


def _smoothed(images, block):
    return smoothing._sum_over_draws.lower(
        jax.tree_util.Partial(squares),
        images,
        jax.random.split(KEY, len(images)),
        jnp.float32(0.25),
        of_logits=vote,
        num_samples=8,
        chunk_size=4,
        images_at_once=block,
    )


def _gradients(images, block):
    return agreement._gradients.lower(
        jax.tree_util.Partial(squares),
        images,
        jnp.zeros(len(images), jnp.int32),
        jax.random.split(KEY, len(images)),
        jnp.float32(0.25),
        num_samples=8,
        objective=agreement.TARGET_CLASS_MAX,
        chunk_size=4,
        images_at_once=block,
    )


@pytest.mark.parametrize("lowered", [_smoothed, _gradients])
def test_working_memory_does_not_grow_with_the_batch(lowered):
    """What a compiled program asks for beside arguments and results, less rows of each."""

    def asked(batch, block):
        images = jnp.full((batch, *SHAPE), 0.5)
        rows = 4 * 4 * images.size  # inputs laid out in blocks, results before they are one
        return lowered(images, block).compile().memory_analysis().temp_size_in_bytes - rows

    assert asked(64, 64) > asked(4, 64) + 30 * 4 * 4 * VALUES  # without blocks it grows
    assert asked(64, 2) < asked(4, 2) + 4 * 4 * VALUES


@pytest.mark.usefixtures("small_room")
@pytest.mark.parametrize("door", ["smoothed_votes", "smoothed_probabilities", "targeted_pgd"])
def test_blocks_of_images_change_nothing(door):
    """Seven images, one or two at once, against each by itself under its own key."""
    images = jax.random.uniform(KEY, (7, *SHAPE))
    keys = draws.image_keys(KEY, 7)
    together = BATCH[door](images, num_samples=4)
    one_by_one = [BATCH[door](images[i : i + 1], key=keys[i : i + 1], num_samples=4)
                  for i in range(7)]  # fmt: skip
    if door == "targeted_pgd":
        together, one_by_one = together.images, [one.images for one in one_by_one]
    np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=1e-6)


@pytest.mark.usefixtures("small_room")
def test_doors_bound_what_they_hold(monkeypatch):
    asked = []
    whole = draws.in_blocks
    monkeypatch.setattr(
        draws, "in_blocks", lambda f, most, *rows: asked.append(most) or whole(f, most, *rows)
    )
    images = jnp.full((5, *SHAPE), 0.5)
    BATCH["smoothed_logits"](images, num_samples=3)
    BATCH["gradients"](images, num_samples=4)
    BATCH["targeted_pgd"](images, num_samples=4)
    BATCH["targeted_pgd"](images, num_samples=40, num_steps=1)
    assert asked == [2, 2, 2, 1]
    assert targeted.draws is draws


@pytest.mark.parametrize("count", [1, 4, 5, 7, 12])
def test_blocks_keep_order_and_keys(count):
    rows = jnp.arange(count), draws.image_keys(KEY, count)

    def of_rows(numbers, keys):
        return {"number": numbers, "draw": jax.vmap(jax.random.uniform)(keys)}

    for most in (1, 3, 5):
        found = draws.in_blocks(of_rows, most, *rows)
        whole = of_rows(*rows)
        for name in whole:
            np.testing.assert_array_equal(found[name], whole[name])
