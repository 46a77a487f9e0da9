"""Files that pagjax 0.1.0 wrote before the package had rooms: read, gone on with, repeated.

`files/` was written by commit ec6206a, by the commands that the tests repeat: a tiny network, a
run of synthesize and one that was killed, a log of certificates, an unfinished training.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import pagjax
from pagjax import certify, synthesize, train
from pagjax.certified_logs import logs

FILES = Path(__file__).parent / "files"
PAINT = [
    *("--checkpoint", "tiny", "--images", "pictures/test/cat/0.png", "pictures/test/dog/0.png"),
    *("--targets", "golf ball", "1", "--steps", "20", "--num-samples", "4"),
]
CERTIFY = [
    *("--checkpoint", "tiny", "--data", "pictures", "--split", "test"),
    *("--num-draws", "100", "--num-selection", "20", "--out", "certified"),
]
TRAIN = [
    *("--data", "pictures", "--image-size", "16", "--stem", "cifar", "--stage-sizes", "1"),
    *("--width", "4", "--normalizer", "none", "--batch-size", "3", "--procedure", "gaussian"),
    *("--sigma", "0.1", "--epochs", "3", "--peak-rate", "0.05", "--average", "0.5"),
    *("--draws", "10", "--out", "trained", "--no-evaluate"),
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    found = shutil.copytree(FILES, tmp_path / "files")
    monkeypatch.chdir(found)
    return found


def _pictures(folder: Path) -> np.ndarray:
    with np.load(folder / "arrays.npz") as arrays:
        return arrays["x_star"]


def _close(found: np.ndarray, sought: np.ndarray) -> None:
    """To the bit on the machine that wrote them; other processors add in another order."""
    np.testing.assert_allclose(found, sought, atol=1e-5)


def test_a_record_is_repeated(files, capsys):
    assert synthesize.main(["--repeat", "painted/record.json", "--out", "again"]) == 0
    assert "as recorded" in capsys.readouterr().out
    _close(_pictures(files / "again"), _pictures(files / "painted"))
    jobs = [
        json.loads((files / f / "record.json").read_text())["job"] for f in ("again", "painted")
    ]
    assert jobs[0] == jobs[1]


def test_a_killed_run_goes_on(files):
    assert synthesize.main([*PAINT, "--batch-size", "2", "--out", "interrupted", "--resume"]) == 0
    _close(_pictures(files / "interrupted"), _pictures(files / "painted"))


def test_a_log_is_read_and_gone_on_with(files, capsys):
    path = files / "certified" / "certify-sigma_0.25.tsv"
    whole = logs.read(path).lines
    assert [line.number for line in whole] == list(range(6))
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    assert certify.main(CERTIFY) == 0
    after = logs.read(path).lines
    assert [line.number for line in after] == list(range(6))
    for old, new in zip(whole, after, strict=True):
        assert (old.label, old.prediction) == (new.label, new.prediction)
        assert new.radius == pytest.approx(old.radius, abs=0.02)  # a vote, on another processor
    capsys.readouterr()


def test_a_training_goes_on(files, capsys):
    assert train.main(TRAIN) == 0
    capsys.readouterr()
    read = [json.loads(line) for line in (files / "trained-whole.jsonl").read_text().splitlines()]
    found = [
        json.loads(line) for line in (files / "trained/metrics.jsonl").read_text().splitlines()
    ]
    assert found[-1]["step"] == read[-1]["step"] == 9
    assert found[-1]["loss"] == pytest.approx(read[-1]["loss"], abs=1e-3)
    assert pagjax.load("trained/checkpoint").training_sigma == 0.1


def test_a_checkpoint_is_loaded(files):
    network = pagjax.load("tiny")
    assert tuple(network.labels) == ("cat", "dog", "golf ball")
