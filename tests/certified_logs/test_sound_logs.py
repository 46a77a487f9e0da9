"""`certify --sound`: the log says so, goes on in its mode alone, and is read like any other."""

from __future__ import annotations

import json

import jax
import pytest
from PIL import Image

from pagjax import certify as command
from pagjax.certified_logs import job as jobs
from pagjax.certified_logs import logs
from tests.support import tiny_checkpoint
from tests.training import tiny


@pytest.fixture
def given(tmp_path):
    network = tiny_checkpoint.save(tmp_path)
    for index, pixels in enumerate(tiny.images(3)):
        home = tmp_path / "data" / tiny_checkpoint.LABELS[index]
        home.mkdir(parents=True)
        Image.fromarray(pixels).save(home / "a.png")
    return [
        *("--checkpoint", str(network), "--data", str(tmp_path / "data"), "--num-draws", "40"),
        *("--num-selection", "10", "--out", str(tmp_path / "out")),
    ]


def test_a_sound_log_says_so_and_goes_on_in_its_mode_alone(given, tmp_path, capsys):
    path = tmp_path / "out" / "certify-sigma_0.25.tsv"
    assert command.main([*given, "--sound", "--limit", "2"]) == 0
    assert "hold in floating point" in capsys.readouterr().err
    settings = json.loads(jobs.settings_file(path).read_text())
    assert settings["job"]["sound"] is True
    assert settings["job"]["platform"] == jax.default_backend()
    assert path.read_text().startswith("idx\tlabel\tpredict\tradius\tcorrect\ttime")
    before = path.read_text()
    assert command.main(given) == command.EXIT_REFUSED
    said = capsys.readouterr().err
    assert "sound: True, now False" in said
    assert "choose another --out" in said
    assert path.read_text() == before
    assert command.main([*given, "--sound"]) == 0
    assert path.read_text().startswith(before)
    lines = logs.read(path).lines
    assert [line.number for line in lines] == [0, 1, 2]
    # A log of before does not say, and was not sound.
    del settings["job"]["sound"]
    jobs.settings_file(path).write_text(json.dumps(settings))
    assert command.main([*given, "--sound"]) == command.EXIT_REFUSED
    assert "sound: False, now True" in capsys.readouterr().err


def test_soft_certificates_are_refused_in_one_line(given, capsys):
    assert command.main([*given, "--sound", "--soft", "better"]) == command.EXIT_REFUSED
    said = capsys.readouterr().err.strip()
    assert "--sound counts votes" in said
    assert "\n" not in said
    assert command.main([*given, "--sound", "--alpha", "1e-13", "--num-draws", "100000"]) == 2
    assert "with --sound 100,000 draws of 768 values" in capsys.readouterr().err
