"""The benchmark of recipes knows its own runs again."""

from __future__ import annotations

import json
from types import SimpleNamespace

from benchmarks import less_work


def test_every_recipe_is_told_by_its_description():
    network = SimpleNamespace(image_shape=(32, 32, 3), training_sigma=0.5)
    known = less_work.recipes(network)
    said = {name: less_work.described(recipe, weights="a") for name, recipe in known.items()}
    assert len(set(said.values())) == len(known)
    assert less_work.described(known["fast"], weights="b") != said["fast"]
    assert json.loads(said["fast"])["objective"] == "tcm"
