"""Logs, tables and the certify command: published logs give their published tables."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import pagjax
from benchmarks.attack import attack_certificates
from pagjax import certify as command
from pagjax.certificates import job as jobs
from pagjax.certificates import logs, plot, report
from pagjax.certification import ABSTAIN
from pagjax.checkpoints import store
from pagjax.mesh import make_mesh
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description
from pagjax.runs import certified
from pagjax.training.data import open_data
from tests.training import tiny

# Certified accuracy at radii 0, .25, ... and average certified radius, as published with the logs.
PUBLISHED = {
    "salman/certify/best_models/cifar10/cohen/resnet110/noise_0.12/test/sigma_0.12": (
        [0.8317, 0.5977],
        0.276,
    ),
    "salman/certify/best_models/cifar10/cohen/resnet110/noise_0.50/test/sigma_0.50": (
        [0.6568, 0.5491, 0.4279, 0.3245, 0.2197, 0.1412, 0.0826],
        0.525,
    ),
    "jeong/certify/cifar10/cohen/cifar_resnet20/noise_0.50_7483": (
        [0.6698, 0.5536, 0.4282, 0.3141, 0.2196, 0.1390, 0.0814],
        0.524,
    ),
}
ROOT = Path(__file__).resolve().parents[1]
HEADER = logs.header(logs.CERTIFY)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_logs_give_the_published_tables(shared, name):
    accuracies, radius = PUBLISHED[name]
    radii = [0.25 * step for step in range(len(accuracies))]
    summary = report.summarise(logs.read(shared / "logs" / name), name, radii=radii)
    assert [share.value for share in summary.accuracies] == pytest.approx(accuracies, abs=1e-9)
    assert summary.average_radius == pytest.approx(radius, abs=5e-4)
    assert summary.images == 10_000


def test_every_published_log_is_read_and_the_curve_file_refused(shared):
    for path in sorted((shared / "logs").rglob("*")):
        if path.is_dir():
            continue
        if path.name.endswith("_acc"):
            with pytest.raises(logs.LogError, match="line 1"):
                logs.read(path)
            continue
        log = logs.read(path)
        labels = np.array([line.label for line in log.lines])
        assert (log.correct == (log.predictions == labels)).all()
        assert (log.radii[log.predictions == ABSTAIN] == 0).all()


def test_predictions_and_abstentions_of_a_published_log(shared):
    folder = shared / "logs/cohen/predict/imagenet/resnet50/noise_0.25/test"
    summary = report.summarise(logs.read(folder / "N_100"), "N_100")
    assert summary.accuracies[0].value == pytest.approx(0.660)
    assert summary.abstention.value == pytest.approx(0.092)
    assert summary.average_radius is None


numbers = st.integers(0, 10**6)


@given(
    st.builds(
        logs.Line,
        numbers,
        numbers,
        st.integers(-1, 999),
        st.floats(0, 50),
        st.booleans(),
        st.integers(0, 10**12).map(lambda microseconds: microseconds / 1e6),
        st.none(),
    )
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_lines_survive_writing_and_radii_never_grow(line):
    (again,) = logs.parse(HEADER + logs.text_of(line)).lines
    assert again.radius <= line.radius < again.radius + 1e-6 + 1e-12
    assert again.seconds == pytest.approx(line.seconds, abs=2e-6)
    same = {"radius": None, "seconds": 0.0}
    assert again._replace(**same) == line._replace(**same)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty file"),
        ("0.0\t0.9\n", "not the header"),
        (HEADER + "1\t2\t3\n", "line 2: 3 columns instead of 6"),
        (HEADER + "1\t2\t2\tnan\t1\t0:00:01\n", "radius nan"),
        (HEADER + "1\t2\t2\t0.1\t2\t0:00:01\n", "line 2"),
        (HEADER + "1\t2\t2\t0.1\t1\tsoon\n", "time 'soon'"),
    ],
)
def test_what_is_no_log_is_named(text, message):
    with pytest.raises(logs.LogError, match=message):
        logs.parse(text)


def test_known_variants_are_read():
    text = HEADER.replace("\n", "\r\n") + "0\t1\t1\t7.11e-05\t1\t1 day, 0:00:02\r\n"
    (line,) = logs.parse(text).lines
    assert (line.radius, line.seconds) == (7.11e-05, 86402.0)
    assert logs.parse(HEADER).lines == ()
    summary = report.summarise(logs.parse(HEADER), "none")
    assert math.isnan(summary.average_radius)
    assert " - " in report.text_table([summary]) + " "


def test_the_curve_is_the_certified_accuracy():
    rows = [logs.Line(i, 0, 0 if i % 3 else 1, i / 7, bool(i % 3), 0.0) for i in range(20)]
    log = logs.Log(logs.CERTIFY, tuple(rows))
    radii, accuracy = plot.curve(log)
    direct = [(log.correct & (log.radii >= radius)).mean() for radius in radii]
    np.testing.assert_allclose(accuracy, direct)


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
    }
    return jobs.Job(**{**values, **changes})


def lines_of(path):
    return [line._replace(seconds=0.0) for line in logs.read(path).lines]


def brightest(x):
    return x.mean(axis=(1, 2)) * 20


def test_a_killed_log_goes_on_to_the_same_lines(tmp_path):
    job, mesh = a_job(), make_mesh(1, 200, jax.devices()[:1])
    whole, cut = tmp_path / "whole.tsv", tmp_path / "cut.tsv"
    assert jobs.begin(whole, job, overwrite=False) == set()
    jobs.run(job, brightest, tiny.data(4), range(4), whole, mesh=mesh)
    for path in (whole, cut):
        jobs.begin(path, job, overwrite=path is cut)
    text = whole.read_text()
    cut.write_text(text[: text.index("\n2\t") + 4])
    done = jobs.begin(cut, job, overwrite=False)
    assert done == {0, 1}
    jobs.run(job, brightest, tiny.data(4), [2, 3], cut, mesh=mesh)
    assert lines_of(cut) == lines_of(whole)
    assert [line.prediction for line in lines_of(whole)] == [0, 1, 2, 0]
    with pytest.raises(logs.LogError, match=re.escape("alpha: 0.001, now 0.01")):
        jobs.begin(cut, a_job(alpha=0.01), overwrite=False)
    jobs.settings_file(cut).unlink()
    with pytest.raises(logs.LogError, match="no settings beside it"):
        jobs.begin(cut, job, overwrite=False)


@pytest.mark.parametrize("method", ["soft", "predict"])
def test_the_other_methods_fill_logs(tmp_path, method):
    job, path = a_job(method=method), tmp_path / "log.tsv"
    jobs.begin(path, job, overwrite=False)
    mesh = make_mesh(1, 200, jax.devices()[:1])
    jobs.run(job, brightest, tiny.data(2), range(2), path, mesh=mesh)
    log = logs.read(path)
    assert log.certifies == (method == "soft")
    assert log.predictions.tolist() == [0, 1]


def test_several_devices_count_the_same_votes():
    program = """
import jax
from pagjax.certification.hard import count_votes
from pagjax.checkpoints import store
from pagjax.mesh import make_mesh
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description
from pagjax.runs import certified
from pagjax.training.data import open_data
from tests import closed_forms
assert jax.device_count() == 3
network, image = closed_forms.smooth_network(jax.random.key(0)), closed_forms.image()
for mesh in (None, make_mesh(1, 30)):
    votes = count_votes(network, image, jax.random.key(1), sigma=0.5, num_draws=30, mesh=mesh)
    print(votes.tolist())
"""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=3"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=ROOT
    )
    alone, shared_out = done.stdout.splitlines() or [done.stderr, ""]
    assert alone == shared_out
    assert sum(json.loads(alone)) == 30


def test_reports_print_tables_and_draw(tmp_path, capsys):
    path = tmp_path / "a_b" / "sigma_0.5"
    path.parent.mkdir()
    path.write_text(HEADER + "0\t1\t1\t0.6\t1\t1\n1\t1\t-1\t0.0\t0\t1\n")
    assert command.main(["report", str(path), "--plot", str(tmp_path / "curves.svg")]) == 0
    assert "50.00 (1.3-98.7)" in capsys.readouterr().out
    assert b"<svg" in (tmp_path / "curves.svg").read_bytes()
    assert command.main(["report", str(path), "--format", "csv", "--radii", "0.5", "1"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [float(row["certified_accuracy"]) for row in rows] == [0.5, 0.0]
    assert {row["sigma"] for row in rows} == {"0.5"}
    assert command.main(["report", str(path), "--format", "latex", "--names", "a_b"]) == 0
    assert r"a\_b & 0.5 & 50.00 & 50.00 & 50.00 & 0.00 & 0.00" in capsys.readouterr().out
    assert command.main(["report", str(path), "--card", "nowhere"]) == command.EXIT_REFUSED
    assert command.main(["report", str(tmp_path / "missing")]) == command.EXIT_REFUSED


def test_an_attack_within_the_radius_changes_no_certified_prediction(shared):
    network = pagjax.load("cifar10-gaussian-0.25")
    data = open_data("cifar10", "test", 32, shared / "tfds")
    outcomes = attack_certificates(
        network.logits_fn,
        data.images(range(0, 10_000, 1700)).astype(np.float32) / 255,
        sigma=0.25,
        num_draws=100,
        steps=4,
        attack_draws=4,
    )
    assert len(outcomes) >= 3
    for outcome in outcomes:
        assert outcome.attacked in (outcome.certified, ABSTAIN)
        assert 0 < outcome.distance < outcome.radius


def test_the_command_certifies_a_folder_and_fills_the_card(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    description = Description(
        "tiny", ResNetConfig("cifar", "basic", (1,), 4), 3, NORMALIZERS["none"], (8, 8)
    )
    variables = description.network().init(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))
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
    assert command.main([*given, "--limit", "1"]) == 0
    assert command.main(given) == 0
    paths = [tmp_path / "out" / f"certify-sigma_{sigma}.tsv" for sigma in ("0.25", "0.5")]
    for path in paths:
        assert [line.number for line in logs.read(path).lines] == [0, 2, 4]
    card = {
        "name": "tiny",
        "purpose": "a test",
        "accuracies": {"images": 3, "sigma": 0.0, "clean": 1.0, "under_noise": None}
        | {"attacked": None},
        "parameters": 1,
        "command": "",
        "settings": {"data": "", "image_size": 8, "procedure": "", "seed": 0, "precision": ""},
        "training_seconds": 0,
        "training_cpu_seconds": 0,
        "environment": {},
    }
    (network / "card.json").write_text(json.dumps(card))
    assert command.main(["report", *map(str, paths), "--card", str(network)]) == 0
    written = json.loads((network / "card.json").read_text())["certified"]
    assert [entry["sigma"] for entry in written] == [0.25, 0.5]
    assert "certified (hard) at sigma 0.5, 3 images" in (network / "card.md").read_text()
    jax.config.update("jax_compilation_cache_dir", None)


def test_pictures_are_certified_for_their_targets():
    network = SimpleNamespace(logits_fn=jax.tree_util.Partial(brightest))
    pictures = tiny.images(2).astype(np.float32) / 255
    job = SimpleNamespace(sigma=0.25, seed=3)
    right, wrong = certified.certify(network, job, pictures, np.array([0, 2]), 60)
    assert (right.prediction, wrong.prediction) == (0, ABSTAIN)
    assert certified.note(right) == f", R = {math.floor(right.radius * 100) / 100:.2f}"
    assert certified.note(wrong) == ", no R"
    record = certified.to_record(right, 0)
    assert (record["certified"], record["vote_share"]) == (True, 1.0)


@pytest.mark.parametrize(
    "arguments",
    [["--alpha", "0"], ["--sigma", "0"], ["--num-draws", "0"], ["--staged", "-1"]],
)
def test_bad_arguments_are_refused_before_any_work(arguments, capsys):
    with pytest.raises(SystemExit):
        command.main(["--checkpoint", "none", *arguments])
    assert arguments[0] in capsys.readouterr().err
