"""What a recipe resolves to."""

from __future__ import annotations

import jax.numpy as jnp
import pytest

import pagjax

GIVEN = {"epsilon": 1.0, "step_size": 0.1, "num_steps": 3}


def test_without_noise_one_draw_of_no_kind_says_all():
    for kind in ("antithetic", "latin-hypercube"):
        recipe = pagjax.Recipe(0.0, **GIVEN, num_samples=2, sampling=kind)
        resolved = recipe.resolved((8, 8, 3))
        assert (resolved.num_samples, resolved.sampling) == ((1, 1, 1), "independent")


def test_with_noise_each_step_has_its_draws_and_their_kind():
    recipe = pagjax.Recipe(0.5, **GIVEN, num_samples=[2, 2, 4], sampling="antithetic")
    resolved = recipe.resolved((8, 8, 3))
    assert (resolved.num_samples, resolved.sampling) == ((2, 2, 4), "antithetic")
    assert not pagjax.Recipe(jnp.float32(0.5), **GIVEN).is_noiseless


def test_lengths_alone_make_no_other_program():
    one, other = pagjax.Recipe(0.25, **GIVEN), pagjax.Recipe(0.5, 2.0, 0.3, num_steps=3)
    assert one.without_lengths() == other.without_lengths()
    assert one != other


def test_lengths_of_other_units_are_named():
    with pytest.raises(ValueError, match="epsilon"):
        pagjax.Recipe(0.25, 400.0, 0.1).resolved((8, 8, 3))
