"""Images by their published numbers, in whatever order they came."""

from __future__ import annotations

import json
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pagjax import certify
from pagjax.certified_logs import columns, logs, resuming
from pagjax.certified_logs.job import settings_file
from pagjax.certified_logs.settings import Data
from pagjax.io.data import published_order, tfds_data
from pagjax.io.data.class_folders import CIFAR10
from pagjax.io.data.labelled_images import LabelledImages, open_data
from pagjax.io.data.published_order import in_published_order
from pagjax.io.files.errors import ImageError
from tests.support import tiny_checkpoint
from tests.training import tiny

COUNT = 20


@pytest.fixture
def images(monkeypatch, tmp_path):
    """A small test set whose published order is known."""
    made = np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), np.uint8)
    table = tmp_path / "checksums.npy"
    np.save(table, np.array([zlib.crc32(image.tobytes()) for image in made], np.uint32))
    monkeypatch.setattr(published_order, "_CHECKSUMS", table)
    return made


def data_of(images, labels=CIFAR10, side=32):
    targets = np.arange(len(images), dtype=np.int32) % 10
    return LabelledImages(
        "ours", labels, targets, side, lambda indices: [images[i] for i in indices]
    )


def test_shuffled_images_get_their_published_numbers(images):
    shuffled = data_of(images).subset(np.random.default_rng(1).permutation(COUNT))
    found = in_published_order(shuffled)
    np.testing.assert_array_equal(found.images(np.arange(COUNT)), images)
    np.testing.assert_array_equal(found.targets, np.arange(COUNT) % 10)
    assert found.notes == ("ours: numbered as in CIFAR-10's own test file, as published logs are",)


def test_other_data_is_left_as_it_is(images):
    as_published = data_of(images)
    another = images.copy()
    another[3, 0, 0, 0] ^= 1
    twice = images.copy()
    twice[3] = twice[4]
    for data in (
        as_published,
        data_of(another[::-1]),
        data_of(twice[::-1]),
        data_of(images[:0:-1]),
        data_of(images[::-1], side=16),
        data_of(images[::-1], labels=("plane", *CIFAR10[1:])),
    ):
        assert in_published_order(data) is data


class _Records:
    """As TFDS has them: the names of two classes are not sorted, nor are the files."""

    rows = ((0, "b"), (1, "c"), (0, "a"), (1, "a"))

    def __init__(self, decode=True):
        self.decode = decode

    def __len__(self):
        return len(self.rows)

    def __getitems__(self, indices):
        one = np.full((8, 8, 3), 7, np.uint8)
        return [
            {
                "label": self.rows[i][0],
                "file_name": self.rows[i][1].encode(),
                "image": one * i if self.decode else b"not decoded",
            }
            for i in indices
        ]


def test_tfds_records_with_files_are_numbered_as_class_folders(monkeypatch):
    label = SimpleNamespace(names=["n2", "n1"], num_classes=2)
    info = SimpleNamespace(
        features={"image": None, "label": label, "file_name": None}, splits={"validation": None}
    )
    builder = SimpleNamespace(
        info=info, as_data_source=lambda split, decoders=None: _Records(decoders is None)
    )
    registered = SimpleNamespace(DatasetNotFoundError=LookupError)
    library = SimpleNamespace(
        builder=lambda name, data_dir: builder,
        core=SimpleNamespace(registered=registered),
        decode=SimpleNamespace(SkipDecoding=object),
    )
    monkeypatch.setattr(tfds_data, "library", lambda name: library)
    data = open_data("imagenet2012", "validation", 8)
    assert data.targets.tolist() == [0, 1, 0, 1]
    found = in_published_order(data)
    assert found.targets.tolist() == [1, 1, 0, 0]
    assert found.images(np.arange(4))[:, 0, 0, 0].tolist() == [21, 7, 14, 0]
    assert found.notes[-1].startswith("imagenet2012: numbered by class and file")
    assert in_published_order(found) is found
    # A part's numbers are nobody's.
    part = open_data("imagenet2012", "validation[:50%]", 8)
    assert in_published_order(part) is part


def test_an_image_that_cannot_be_read_leaves_the_order_unknown(images):
    def read(indices):
        raise ImageError("damaged")

    data = LabelledImages("ours", CIFAR10, np.zeros(COUNT, np.int32), 32, read)
    assert in_published_order(data) is data


@pytest.mark.parametrize("begun", ["not", "as they came", "as published", "before digests"])
def test_a_log_goes_on_by_the_numbers_that_it_was_begun_with(images, tmp_path, begun):
    shuffled = data_of(images[::-1])
    log = tmp_path / "log.tsv"
    if begun != "not":
        log.write_text(logs.header(columns.CERTIFY))
        order = in_published_order(shuffled) if begun == "as published" else shuffled
        told = {} if begun == "before digests" else {"data": Data.of(order, {})._asdict()}
        settings_file(log).write_text(json.dumps({"job": {}} | told))
    found = resuming.numbered(shuffled, [log])
    assert (found is shuffled) == (begun in ("as they came", "before digests"))
    if found is not shuffled:
        np.testing.assert_array_equal(found.images([0])[0], images[0])


def test_the_command_counts_in_published_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(
        resuming.published_order,
        "in_published_order",
        lambda data: data.subset(np.array([2, 0, 1])),
    )
    network = tiny_checkpoint.save(tmp_path)
    for name, pixels in zip(tiny_checkpoint.LABELS, tiny.images(3), strict=True):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "data" / name / "a.png")
    given = ["--checkpoint", str(network), "--data", str(tmp_path / "data"), "--num-draws", "40"]
    certify.main([*given, "--num-selection", "10", "--out", str(tmp_path / "out")])
    (log,) = (tmp_path / "out").glob("*.tsv")
    assert [(line.number, line.label) for line in logs.read(log).lines] == [(0, 2), (1, 0), (2, 1)]


def test_published_logs_speak_of_the_same_images(shared):
    """Their labels are those of our images; and within a class, what certifies well is ours too."""
    import jax

    import pagjax

    data = in_published_order(open_data("cifar10", "test", 32, shared / "tfds"))
    folder = shared / "logs/salman/certify/best_models/cifar10/cohen/resnet110"
    lines = sorted(
        logs.read(folder / "noise_0.25/test/sigma_0.25").lines, key=lambda one: one.number
    )
    assert [line.label for line in lines] == data.targets.tolist()
    some = np.arange(0, len(data), 25)
    noise = 0.25 * np.random.default_rng(2).standard_normal((len(some), 32, 32, 3), np.float32)
    noisy = data.images(some).astype(np.float32) / 255 + noise
    network = pagjax.load("cifar10-gaussian-0.25")
    ours = np.asarray(jax.jit(network.logits_fn)(noisy)).argmax(axis=1) == data.targets[some]
    theirs = np.array([lines[number].correct for number in some])
    by_class = np.argsort(data.targets[some], kind="stable")
    agree = [np.corrcoef(ours[by_class], np.roll(theirs[by_class], by))[0, 1] for by in range(4)]
    # Without an order the coefficient has a standard error of 1 / 20.
    assert agree[0] > max(agree[1:]) + 5 / 20
