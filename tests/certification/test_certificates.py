"""The certify command and what it is made of: jobs that resume, devices, attacks, cards."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import pagjax
from pagjax import certify as command
from pagjax.certification import ABSTAIN, certify
from pagjax.certified_logs import job as jobs
from pagjax.certified_logs import logs
from pagjax.certified_logs.attacking import AttackSettings, attack_certificates
from pagjax.certified_logs.resuming import begin
from pagjax.checkpoints import store
from pagjax.checkpoints.cards import Accuracies
from pagjax.core.mesh import MOST_CORES, make_mesh, num_cores
from pagjax.io.data.labelled_images import open_data
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description
from tests.training import tiny

ROOT = Path(__file__).resolve().parents[2]
KEY = jax.random.key(4)


def a_job(**changes):
    values = {
        "checkpoint": "tiny",
        "checkpoint_sha256": "0",
        "data": "squares",
        "split": "test",
        "image_size": tiny.SIDE,
        "sigma": 0.25,
        "method": "hard",
        "num_selection": 50,
        "num_draws": 200,
        "alpha": 0.001,
        "bound": "better",
        "rivals": "bounded",
        "radii": None,
        "seed": 0,
        "precision": "float32",
    }
    return jobs.LogJob(**{**values, **changes})


# Certifies, and is killed within the line of image 2.
KILLED = """
import os, signal, sys
from pathlib import Path
from pagjax import certify
from pagjax.certified_logs import logs
text_of = logs.text_of
def half(line):
    if line.number == 2:
        with next(Path(sys.argv[sys.argv.index("--out") + 1]).glob("*.tsv")).open("a") as log:
            log.write(text_of(line)[:2])
        os.kill(os.getpid(), signal.SIGKILL)
    return text_of(line)
logs.text_of = half
certify.main()
"""


def lines_of(path):
    return [line._replace(seconds=0.0) for line in logs.read(path).lines]


def brightest(x):
    return x.mean(axis=(1, 2)) * 20


def test_a_killed_log_goes_on_to_the_same_lines(tmp_path):
    job, mesh = a_job(), make_mesh(1, 200, jax.devices()[:1])
    whole, cut = tmp_path / "whole.tsv", tmp_path / "cut.tsv"
    assert begin(whole, job) == set()
    jobs.run(job, brightest, tiny.data(4), range(4), whole, mesh=mesh)
    for path in (whole, cut):
        begin(path, job)
    text = whole.read_text()
    cut.write_text(text[: text.index("\n2\t") + 4])
    done = begin(cut, job)
    assert done == {0, 1}
    jobs.run(job, brightest, tiny.data(4), [2, 3], cut, mesh=mesh)
    assert lines_of(cut) == lines_of(whole)
    assert [line.prediction for line in lines_of(whole)] == [0, 1, 2, 0]
    with pytest.raises(logs.LogError, match=re.escape("alpha: 0.001, now 0.01")):
        begin(cut, a_job(alpha=0.01))
    # Narrow products round other values on other devices: another network.
    narrow = a_job(precision="bfloat16", platform="cpu")
    cut.unlink()
    begin(cut, narrow)
    with pytest.raises(logs.LogError, match="platform: 'cpu', now 'gpu'"):
        begin(cut, replace(narrow, platform="gpu"))
    jobs.settings_file(cut).unlink()
    with pytest.raises(logs.LogError, match="no settings beside it"):
        begin(cut, job)


@pytest.mark.parametrize("method", ["soft", "predict"])
def test_the_other_methods_fill_logs(tmp_path, method):
    job, path = a_job(method=method), tmp_path / "log.tsv"
    begin(path, job)
    mesh = make_mesh(1, 200, jax.devices()[:1])
    jobs.run(job, brightest, tiny.data(2), range(2), path, mesh=mesh)
    log = logs.read(path)
    assert log.certifies == (method == "soft")
    assert log.predictions.tolist() == [0, 1]


def test_several_devices_count_the_same_votes():
    program = """
import jax
from pagjax.certification.sampling import DrawStream
from pagjax.certification.votes import count_votes
from pagjax.checkpoints import store
from pagjax.core.outputs import vote
from pagjax.core.mesh import make_mesh
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description
from pagjax.synthesis import certified
from pagjax.io.data.labelled_images import open_data
from tests.support import closed_forms
assert jax.device_count() == 3
network, image = closed_forms.smooth_network(jax.random.key(0)), closed_forms.image()
for mesh, at_once in ((None, None), (make_mesh(1, 30), None), (make_mesh(1, 30), 3)):
    stream = DrawStream(
        vote, network, image, jax.random.key(1), sigma=0.5, most=30, mesh=mesh, chunk_size=at_once
    )
    print(count_votes(stream, 30).tolist())
"""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=3"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=ROOT
    )
    alone, *shared_out = done.stdout.splitlines() or [done.stderr]
    assert shared_out == [alone, alone]
    assert sum(json.loads(alone)) == 30


def test_an_attack_within_the_radius_changes_no_certified_prediction(shared):
    network = pagjax.load("cifar10-gaussian-0.25")
    data = open_data("cifar10", "test", 32, shared / "tfds")
    images = data.images(range(0, 10_000, 2500)).astype(np.float32) / 255
    given = {"sigma": 0.25, "num_estimation": 100}
    found = [certify(network.logits_fn, image, KEY, **given) for image in jnp.asarray(images)]
    sure = [number for number, done in enumerate(found) if done.radius > 0]
    assert len(sure) >= 2
    predictions, radii = zip(*[(found[i].prediction, found[i].radius) for i in sure], strict=True)
    settings = AttackSettings(0.25, num_draws=100, num_steps=4, num_samples=4)
    outcomes = attack_certificates(network.logits_fn, images[sure], predictions, radii, settings)
    for outcome in outcomes:
        assert outcome.attacked in (outcome.certified, ABSTAIN)
        assert 0.9 * outcome.radius < outcome.distance < outcome.radius
        assert outcome.share > 0.2
    # The same attack far beyond the radius does change answers.
    (beyond,) = attack_certificates(
        network.logits_fn, images[sure[:1]], predictions[:1], [3.0], settings
    )
    assert beyond.share < 0.2


def test_the_command_certifies_a_folder_and_fills_the_card(tmp_path, capsys):
    description = Description(
        "tiny",
        ResNetConfig("cifar", "basic", (1,), 4),
        3,
        NORMALIZERS["none"],
        (8, 8),
        labels=("blue", "green", "red"),
    )
    variables = jax.jit(description.network().init)(
        jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32)
    )
    network = store.save(tmp_path / "tiny", description, variables)
    for index, pixels in enumerate(tiny.images(6)):
        home = tmp_path / "data" / ("blue", "green", "red")[index % 3]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(home / f"{index}.png")
    given = ["--checkpoint", str(network), "--data", str(tmp_path / "data")]
    given += ["--out", str(tmp_path / "out"), "--num-draws", "100", "--stride", "2"]
    assert command.main(given) == command.EXIT_REFUSED
    assert "pass --sigma" in capsys.readouterr().err
    given += ["--sigma", "0.25", "0.5"]
    paths = [tmp_path / "out" / f"certify-sigma_{sigma}.tsv" for sigma in ("0.25", "0.5")]
    killed = subprocess.run([sys.executable, "-c", KILLED, *given], cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = paths[0].read_text()
    assert left.endswith("\n2\t")  # one line on disk, and what was written of the next
    assert not paths[1].exists()
    settings = json.loads(jobs.settings_file(paths[0]).read_text())
    assert len(settings["devices"]) == min(num_cores(), MOST_CORES)
    assert command.main(given) == 0
    assert paths[0].read_text().startswith(left[:-2])
    for path in paths:
        assert [line.number for line in logs.read(path).lines] == [0, 2, 4]
    again = [*given, "--out", str(tmp_path / "again")]
    assert command.main(again) == 0
    assert lines_of(tmp_path / "again" / paths[0].name) == lines_of(paths[0])
    card = {
        "name": "tiny",
        "purpose": "a test",
        "accuracies": dataclasses.asdict(Accuracies(3, 1.0, *[None] * 4, 0, None, 0.0, 0.0)),
        "abstention_level": 0.001,
        "parameters": 1,
        "command": "",
        "settings": {"data": "", "image_size": 8, "procedure": "", "seed": 0, "precision": ""},
        "training_seconds": 0,
        "training_cpu_seconds": 0,
        "environment": {},
        "note": "of its owner",
    }
    (network / "card.json").write_text(json.dumps(card))
    assert command.main(["report", *map(str, paths), "--card", str(network)]) == 0
    whole = json.loads((network / "card.json").read_text())
    written = whole.pop("certified")
    assert whole == card
    assert [entry["sigma"] for entry in written] == [0.25, 0.5]
    assert "certified (hard) at sigma 0.5, 3 images" in (network / "card.md").read_text()


@pytest.mark.parametrize(
    "arguments",
    [["--alpha", "0"], ["--sigma", "0"], ["--num-draws", "0"], ["--staged", "-1"]],
)
def test_bad_arguments_are_refused_before_any_work(arguments, capsys):
    with pytest.raises(SystemExit):
        command.main(["--checkpoint", "none", *arguments])
    assert arguments[0] in capsys.readouterr().err
