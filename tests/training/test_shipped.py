"""Shipped networks: they load, say what they are, and do what their cards say."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from pagjax.checkpoints import __main__ as listing
from pagjax.checkpoints import shipped, store
from pagjax.checkpoints.store import CheckpointError
from pagjax.io.data.labelled_images import open_data
from pagjax.io.files import atomic
from pagjax.networks.base import base_network
from pagjax.training import recipes
from pagjax.training.evaluation import Exam, accuracies
from pagjax.training.run_folder import PREDICTIONS
from pagjax.training.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
each = pytest.mark.parametrize("name", shipped.names())


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@each
def test_it_loads_and_has_its_card(name):
    description, variables = store.restore(shipped.path(name))
    card = shipped.card(name)
    assert description.origin["accuracies"] == card["accuracies"]
    assert description.labels is not None
    assert description.training_sigma == card["settings"]["sigma"]
    assert card["command"].startswith(f"python -m pagjax.train {name}")
    assert description.origin["name"] == name
    assert description.origin["command"] == card["command"]
    settings = Settings.from_json(card["settings"])
    assert settings.init is None or "/" not in settings.init
    assert description.config == settings.config
    network = base_network(description, variables)
    logits = network.logits_fn(jnp.full((1, *network.image_shape), 0.5))
    assert np.isfinite(np.asarray(logits)).all()
    assert _bytes(shipped.path(name)) <= (12 if "judge" in name else 6) * 2**20


@each
def test_the_cards_accuracies_are_those_of_its_predictions(name):
    card = shipped.card(name)["accuracies"]
    raw = atomic.read_arrays(shipped.path(name) / PREDICTIONS)
    targets = raw.pop("targets")
    exam = Exam(card["sigma"], card["draws"], card["epsilon"])
    found = accuracies(raw, targets, exam)
    assert found.images == card["images"]
    for key in ("clean", "under_noise", "smoothed", "smoothed_sure", "abstained", "attacked"):
        assert getattr(found, key) == pytest.approx(card[key], abs=1e-9)


@each
def test_it_predicts_on_real_images_what_it_predicted(name, shared):
    settings = Settings.from_json(shipped.card(name)["settings"])
    data = open_data(settings.data, settings.test_split, settings.image_size, shared / "tfds")
    network = base_network(*store.restore(shipped.path(name)), settings.precision)
    count = 200 if settings.image_size == 32 else 48
    stored = atomic.read_arrays(shipped.path(name) / PREDICTIONS)["clean"][:count]
    images = data.images(np.arange(count)).astype(np.float32) / 255
    found = np.asarray(network.logits_fn(jnp.asarray(images))).argmax(axis=-1)
    # Rounding differs between machines; a prediction on the edge may flip.
    assert np.mean(found == stored) >= 0.97


def test_all_together_stay_small():
    assert _bytes(ROOT / "checkpoints") <= 85_000_000


@pytest.mark.parametrize("name", [name for name in shipped.names() if name in recipes.BY_NAME])
def test_the_imagenette_networks_are_those_of_their_recipes(name):
    card, recipe = shipped.card(name), recipes.recipe(name)
    if name.startswith("imagenette"):
        assert Settings.from_json(card["settings"]) == recipe.settings
        assert card["command"] == f"python -m pagjax.train {name} --out {name}"
    assert card["purpose"] == recipe.purpose


def test_nothing_in_them_names_a_machines_folders():
    for file in (ROOT / "checkpoints").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not re.search(rb"/(?:home|root|tmp|work|Users|mnt)/\w", content), file


def test_unknown_names_list_the_known(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="neither a checkpoint's folder nor a shipped"):
        shipped.path("cifar10-magic")
    assert listing.main(["cifar10-magic"]) == 2
    assert listing.main([]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in shipped.names())


def test_a_wheel_carries_every_package():
    """And the checkpoints, see tests/installing."""
    read = configparser.ConfigParser()
    read.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = set(read["options"]["packages"].split())
    found = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "pagjax").rglob("__init__.py")
    }
    assert listed == found
