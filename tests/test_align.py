"""Seeds in `synthesize --class`, and `python -m pagjax.align`, on a network of random weights."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from pagjax import align, synthesize
from pagjax.checkpoints import store as checkpoints
from pagjax.class_statistics import store
from pagjax.class_statistics.fitting import fit_classes
from pagjax.runs import seeds
from pagjax.runs.files import read_arrays
from pagjax.runs.job import JobError
from tests import tiny_checkpoint
from tests.training import tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return tiny_checkpoint.save(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def judge(checkpoint) -> Path:
    """The same architecture with other weights."""
    description, variables = checkpoints.restore(checkpoint)
    other = jax.tree.map(lambda leaf: np.asarray(leaf) * 1.25, variables)
    return checkpoints.save(checkpoint.with_name("judge"), description, other)


@pytest.fixture(scope="module")
def statistics(tmp_path_factory) -> Path:
    """Three classes at eight pixels, half the network's side."""
    fitted = fit_classes(tiny.data(60), split="train", share=0.9)
    file = tmp_path_factory.mktemp("statistics") / "tiny.npz"
    store.save(file, dataclasses.replace(fitted, labels=tiny_checkpoint.LABELS))
    return file


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    jax.config.update("jax_compilation_cache_dir", None)


def test_a_seeds_name_says_all(statistics):
    names, targets = seeds.names(["dog"], tiny_checkpoint.LABELS, str(statistics), count=2, seed=5)
    assert targets == ["1", "1"]
    one, other = (seeds.read(name, (16, 16)) for name in names)
    assert one.shape == (16, 16, 3)
    np.testing.assert_array_equal(one, seeds.read(names[0], (16, 16)))
    assert np.abs(one - other).max() > 0.01
    assert np.abs(one - seeds.read(names[0].replace("dog-5", "dog-6"), (16, 16))).max() > 0.01
    assert one[..., 1].mean() > one[..., 0].mean() + 0.2  # its class is brighter in this channel
    for name, message in (
        ("seed:horse", "write seed:STATISTICS"),
        ("seed:svhn/dog-0-0", "shipped"),
        (f"seed:{statistics}/bird-0-0", "no class of this network"),
    ):
        with pytest.raises(JobError, match=message):
            seeds.read(name, (16, 16))
    with pytest.raises(JobError, match="multiple of 8, not 20"):
        seeds.read(names[0], (20, 20))


def test_classes_are_painted_from_seeds_alone(checkpoint, statistics, tmp_path, capsys):
    given = ["--checkpoint", str(checkpoint), "--class", "dog", "cat", "--count", "2"]
    given += ["--statistics", str(statistics), "--steps", "2", "--num-samples", "2"]
    assert synthesize.main([*given, "--out", str(tmp_path / "out")]) == 0
    arrays = read_arrays(tmp_path / "out" / "arrays.npz")
    assert arrays["target"].tolist() == [1, 1, 0, 0]
    assert arrays["image"].tolist() == [0, 1, 2, 3]
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    expected = [seeds.read(name, (16, 16)) for name in record["job"]["images"]]
    np.testing.assert_array_equal(arrays["x0"], expected)
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.height > 4 * 160 > sheet.width  # two classes of two rows, two columns
    again = ["--repeat", str(tmp_path / "out" / "record.json"), "--out", str(tmp_path / "again")]
    assert synthesize.main(again) == 0
    assert "the same bits" in capsys.readouterr().out
    assert synthesize.main([*given, "--targets", "dog", "--out", str(tmp_path / "no")]) == 2
    assert "--class brings its own" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_several_networks_are_measured_and_kept(checkpoint, judge, statistics, tmp_path, capsys):
    given = ["--networks", str(checkpoint), "--vanilla-judge", str(judge), "--count", "4"]
    given += ["--statistics", str(statistics), "--steps", "2", "--num-samples", "2"]
    given += ["--agreement", "2", "--out", str(tmp_path / "out")]
    assert align.main(given) == 0
    told = capsys.readouterr()
    assert "judge low pass hit" in told.out
    assert "no robust judge" in told.err
    with (tmp_path / "out" / "numbers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    folder = tmp_path / "out" / "networks" / "tiny"
    pictures, numbers = folder / "pictures.npz", folder / "numbers.npz"
    kept = read_arrays(numbers)
    for name, values in kept.items():
        np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-4)
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    (network,) = record["networks"].values()
    mean = network["summary"]["distance"]["value"]
    assert mean == pytest.approx(kept["distance"].mean(), rel=1e-6)
    before = pictures.stat().st_mtime_ns, numbers.stat().st_mtime_ns
    assert align.main(given) == 0
    assert (pictures.stat().st_mtime_ns, numbers.stat().st_mtime_ns) == before
    assert align.main([*given, "--seed", "3"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert align.main([*given[:2], "--judge", str(checkpoint), *given[4:]]) == 2
    assert "cannot judge them" in capsys.readouterr().err
