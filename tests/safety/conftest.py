"""Commands with cheap arithmetic; kills are of processes, not of power: no waiting for the disk."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from PIL import Image

from pagjax import checkpoints
from pagjax.networks.base import BaseNetwork
from pagjax.seeds import store
from pagjax.seeds.fitting import fit_classes
from tests.safety import stubs
from tests.support import tiny_checkpoint
from tests.training import tiny


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, statistics of its classes, two pictures."""
    folder = tmp_path_factory.mktemp("inputs")
    tiny_checkpoint.save(folder)
    fitted = fit_classes(tiny.data(60), split="train", share=0.9)
    store.save(folder / "tiny.npz", dataclasses.replace(fitted, labels=tiny_checkpoint.LABELS))
    for number in range(2):
        Image.new("RGB", (16, 16), (100 * number, 50, 20)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def networks(inputs: Path) -> dict[str, BaseNetwork]:
    """The small network by its path, and a shipped one for every other name."""
    shipped = checkpoints.load("cifar10-gaussian-0.25")
    return {str(inputs / "tiny"): checkpoints.load(inputs / "tiny"), "": shipped}


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch, networks: dict[str, BaseNetwork]) -> None:
    """Arithmetic that costs nothing."""
    stubs.install(monkeypatch, networks)
