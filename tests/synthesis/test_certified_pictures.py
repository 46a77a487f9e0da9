"""Synthesised pictures with a proven ball: in captions, records and the command."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from PIL import Image

from pagjax import checkpoints, synthesize
from pagjax.certification import ABSTAIN, certify_class
from pagjax.io.files.atomic import read_arrays
from pagjax.synthesis import certified
from tests.support import tiny_checkpoint
from tests.training import tiny


def brightest(x):
    return x.mean(axis=(1, 2)) * 20


def test_pictures_are_certified_for_their_targets():
    network = SimpleNamespace(logits_fn=jax.tree_util.Partial(brightest))
    pictures = tiny.images(2).astype(np.float32) / 255
    job = SimpleNamespace(clip=True, sigma=0.25, seed=3)
    right, wrong = certified.certify(network, job, pictures, np.array([0, 2]), 60)
    assert (right.prediction, wrong.prediction) == (0, ABSTAIN)
    assert certified.note(right) == f", R = {math.floor(right.radius * 100) / 100:.2f}"
    assert certified.note(wrong) == ", no R"
    record = certified.to_record(right, 0)
    assert (record["certified"], record["vote_share"]) == (True, 1.0)


def test_the_command_proves_every_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path, out = tiny_checkpoint.save(tmp_path), tmp_path / "out"
    Image.fromarray(tiny.images(1)[0]).resize((16, 16)).save(tmp_path / "start.png")
    given = ["--checkpoint", str(path), "--images", str(tmp_path / "start.png"), "--out", str(out)]
    given += ["--targets", "dog", "2", "--steps", "20", "--num-samples", "1", "--epsilon", "8"]
    given += ["--step-size", "1", "--certify", "200"]
    assert synthesize.main(given) == 0
    network, pictures = checkpoints.load(path), read_arrays(out / "arrays.npz")["x_star"]
    record = json.loads((out / "record.json").read_text())
    found = record["pictures"]
    assert any(row["certified"] for row in found)
    for row, picture, target in zip(found, pictures, (1, 2), strict=True):
        assert row["certification_draws"] == 200
        # Other draws of the same picture: close to the same share of votes.
        again = certify_class(
            network.logits_fn, picture, target, jax.random.key(77), sigma=0.25, num_draws=200
        )
        share = again.totals[target] / 200
        error = (share * (1 - share) / 100 + 1e-3) ** 0.5
        assert row["vote_share"] == pytest.approx(share, abs=5 * error)
        assert row["certified"] == (row["certified_radius"] > 0)
        assert row["vote_share_lower_bound"] < row["vote_share"] or row["vote_share"] == 0
    assert synthesize.main([*given, "--sigma", "0", "--overwrite"]) != 0
    assert "--certify needs noise" in capsys.readouterr().err
    jax.config.update("jax_compilation_cache_dir", None)
