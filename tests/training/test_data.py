"""Data: folders, TFDS, order, and what is said where there is none."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pagjax.io.data import tfds_data
from pagjax.training import data
from pagjax.training.settings import TrainingError
from tests.training import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Class folders of PNGs: cats dark, dogs bright, of several sizes and modes."""
    for split, count in (("train", 5), ("test", 2)):
        for index, name in enumerate(("cat", "dog")):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(count):
                size = (12 + 3 * number, 10 + number)
                picture = Image.new("RGB" if number % 2 else "L", size, 200 * index + 20)
                picture.save(tmp_path / split / name / f"{number}.png")
    (tmp_path / "train" / "cat" / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_of_class_folders(folder):
    found = data.open_data(str(folder), "train", 8)
    assert found.labels == ("cat", "dog")
    assert found.targets.tolist() == [0] * 5 + [1] * 5
    images = found.images([0, 9, 5])
    assert images.shape == (3, 8, 8, 3)
    assert images.dtype == np.uint8
    # An int of an RGB picture colours its first channel alone.
    assert images[0].max() == 20
    assert images[1].max() == images[2].max() == 220
    np.testing.assert_array_equal(found.in_memory().images([0, 9, 5]), images)


def test_damaged_and_missing_pictures_are_named(folder):
    (folder / "train" / "cat" / "0.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"0\.png"):
        data.open_data(str(folder), "train", 8).images([0])
    with pytest.raises(TrainingError, match="two classes or more"):
        data.open_data(str(folder / "train" / "cat"), "train", 8)
    with pytest.raises(TrainingError, match="no such folder"):
        data.open_data("./missing", "train", 8)


def test_unknown_and_unprepared_tfds_names_say_what_to_do(tmp_path):
    with pytest.raises(TrainingError, match="neither a folder nor a data set"):
        data.open_data("no_such_data_set", "train", 8, tmp_path)
    with pytest.raises(TrainingError, match="download_and_prepare"):
        data.open_data("cifar10", "train", 32, tmp_path)


def test_cifar10_through_tfds(shared):
    found = data.open_data("cifar10", "test", 32, shared / "tfds")
    assert len(found) == 10_000
    assert found.labels[3] == "cat"
    assert np.bincount(found.targets).tolist() == [1000] * 10
    assert found.images([0, 7]).shape == (2, 32, 32, 3)


def test_imagenette_is_resized_and_named(shared):
    found = data.open_data("imagenette/160px-v2", "validation", 72, shared / "tfds")
    assert found.labels[:2] == ("tench", "English springer")
    assert found.images([0, 1, 2]).shape == (3, 72, 72, 3)


def test_batches_come_in_the_same_order_wherever_a_run_starts():
    given = tiny.data(10)
    whole = [batch.labels.tolist() for batch in data.batches(given, 4, 1, 0, 6)]
    tail = [batch.labels.tolist() for batch in data.batches(given, 4, 1, 3, 6)]
    assert tail == whole[3:]
    assert len(whole) == 6
    other = [batch.labels.tolist() for batch in data.batches(given, 4, 2, 0, 6)]
    assert other != whole


def test_every_epoch_shows_each_image_at_most_once():
    given = tiny.data(10)
    pairs = list(data.batches(given, 5, 1, 0, 2))
    shown = np.concatenate([batch.images for batch in pairs]).reshape(10, -1)
    assert len(np.unique(shown, axis=0)) == 10


def test_prefetching_keeps_order_and_passes_errors_on():
    assert list(data.prefetched(lambda number: number, range(7))) == list(range(7))
    assert list(data.prefetched(lambda number: number, range(1))) == [0]
    with pytest.raises(ZeroDivisionError):
        list(data.prefetched(lambda number: 1 / (2 - number), range(5)))


def test_tfds_data_through_its_mock(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    base = importlib.import_module("tensorflow_datasets.core.data_sources.base").BaseDataSource
    # The mock's own batched read lacks its receiver; single reads are what it mocks.
    monkeypatch.setattr(base, "__getitems__", lambda self, keys: [self[key] for key in keys])
    # It makes up encoded pictures by TensorFlow.
    monkeypatch.setattr(tfds_data, "_undecoded", lambda tfds, features: None)
    with tfds.testing.mock_data(num_examples=7):
        found = data.open_data("cifar10", "train", 16, tmp_path).in_memory()
    assert len(found) == 7
    assert found.labels[:2] == ("airplane", "automobile")
    assert set(found.targets.tolist()) <= set(range(10))
    images = found.images([0, 6])
    assert images.shape == (2, 16, 16, 3)
    assert images.dtype == np.uint8
    assert len(np.unique(images)) > 10
