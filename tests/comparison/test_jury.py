"""Who judges whom: no network its own pictures, or those of its kin."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from pagjax import checkpoints
from pagjax.comparison import jury
from pagjax.io.files import atomic
from tests.support import tiny_checkpoint


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return checkpoints.load(tiny_checkpoint.save(tmp_path_factory.mktemp("network")))


def _like(network, factor, name, init=None, sigma=None):
    """Another network: other weights, and what its training left beside it."""
    variables = jax.tree.map(lambda leaf: leaf * factor, network.variables)
    origin = {"name": name, "settings": {"init": init}}
    description = dataclasses.replace(network.description, origin=origin)
    return dataclasses.replace(
        network, variables=variables, description=description, training_sigma=sigma
    )


def test_kin_is_partial_in_both_directions(network):
    mother = _like(network, 1.5, "mother")
    child, other = (_like(network, f, name, "mother") for f, name in ((2, "child"), (3, "other")))
    stranger = _like(network, 4, "stranger", "somebody")
    assert jury.partial_to(mother, mother) == jury.MADE
    assert jury.partial_to(mother, child) == "their maker was trained on from it"
    assert jury.partial_to(child, mother) == "it was trained on from their maker"
    assert "the same network" in jury.partial_to(child, other)
    for judge, maker in ((stranger, mother), (mother, stranger), (stranger, child)):
        assert jury.partial_to(judge, maker) == ""


def test_the_same_weights_are_the_same_network_whatever_they_are_called(network):
    assert jury.partial_to(_like(network, 1, "a"), _like(network, 1, "b")) == jury.MADE


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_unshipped_kin_is_known_by_its_stored_weights(network, kind):
    stored = jax.tree.map(lambda leaf: np.asarray(leaf, kind), network.variables)
    mother = dataclasses.replace(
        network, variables=jax.tree.map(lambda leaf: leaf.astype(np.float32), stored)
    )
    digest = atomic.digest(*jax.tree.leaves(stored))[:16]
    child = _like(network, 2, "child", f"folder, sha256 {digest}")
    assert jury.partial_to(mother, child) == "their maker was trained on from it"
    stranger = _like(network, 2, "child", f"folder, sha256 {'0' * 16}")
    assert jury.partial_to(mother, stranger) == ""


@pytest.mark.parametrize("origin", [{}, {"settings": None}, {"settings": {"init": 3}}, None])
def test_networks_of_others_tell_nothing(network, origin):
    one = dataclasses.replace(
        network, description=dataclasses.replace(network.description, origin=origin)
    )
    assert jury.partial_to(one, _like(network, 2, "maker")) == ""


def test_a_judge_of_noise_judges_under_it_and_one_network_has_one_voice(network):
    noisy = _like(network, 2, "noisy", sigma=0.5)
    told = jury.judges({"robust": noisy, "robust_2": noisy, "vanilla": network}, low_pass="low")
    assert [(judge.name, judge.sigma, judge.blur, judge.on_panel) for judge in told] == [
        ("robust", 0.5, 1, True),
        ("robust_2", 0.5, 1, False),
        ("vanilla", network.training_sigma, 1, True),
        ("low", network.training_sigma, 2, False),
    ]


def test_kin_is_known_over_generations(network):
    child = _like(network, 2, "child", "mother")
    origin = {**child.description.origin, "ancestors": ["mother", "grandmother"]}
    child = dataclasses.replace(
        child, description=dataclasses.replace(child.description, origin=origin)
    )
    grandmother, aunt = _like(network, 3, "grandmother"), _like(network, 4, "aunt", "grandmother")
    assert jury.partial_to(grandmother, child) == "their maker was trained on from it"
    assert jury.partial_to(child, grandmother) == "it was trained on from their maker"
    assert "the same network" in jury.partial_to(aunt, child)
    assert jury.partial_to(_like(network, 5, "stranger", "somebody"), child) == ""


def test_the_shipped_family_knows_its_kin():
    smoothadv, gaussian, judge = (
        checkpoints.load(f"imagenette-{name}")
        for name in ("smoothadv-0.50", "gaussian-0.50", "judge-adversarial-l2")
    )
    assert jury.partial_to(gaussian, smoothadv) != ""
    assert jury.partial_to(smoothadv, gaussian) != ""
    assert jury.partial_to(judge, smoothadv) == jury.partial_to(judge, gaussian) == ""
