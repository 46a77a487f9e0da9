"""What a command refuses before it writes anything, and in which words."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pagjax import align, checkpoints, synthesize
from pagjax.io.files import atomic, locks, ownership
from pagjax.io.pictures import images
from pagjax.synthesis import results
from tests.safety import stubs
from tests.safety.commands import align_of, figures_of, synthesis
from tests.safety.injection import snapshot

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("cheap")


COMMANDS = [synthesis, align_of, figures_of]


def test_pictures_in_the_output_folder_are_never_touched(inputs, tmp_path, capsys):
    project = tmp_path / "proj"
    (project / "images").mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(project / "images" / "holiday.png")
    before = snapshot(tmp_path)
    for more in ([], ["--overwrite"], ["--resume"]):
        assert synthesis(inputs, project, *more, start=str(project / "images")) == 2
        assert "images, which this command reads" in capsys.readouterr().err
        assert synthesis(inputs, project, *more) == 2
        assert "holds images/holiday.png, which no result" in capsys.readouterr().err
    assert snapshot(tmp_path) == before


def test_results_among_the_pictures_are_no_pictures(inputs, tmp_path, capsys):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    Image.new("RGB", (16, 16)).save(photographs / "holiday.png")
    found = images.find([photographs])
    for name in ("painted", "again"):
        assert synthesis(inputs, photographs / name, start=str(photographs)) == 0
        assert images.find([photographs]) == found
        record = json.loads((photographs / name / "record.json").read_text())
        assert record["job"]["images"] == [str(photographs / "holiday.png")]
    # Asked for by name they are starting images as any other.
    assert len(images.find([photographs / "painted" / "images"])) == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_the_working_folder_is_not_emptied(inputs, tmp_path, capsys, command, more):
    if command is figures_of and more:
        return
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "numbers.csv").write_text("mine")
    with contextlib.chdir(tmp_path):
        assert command(inputs, ".", *more) == 2
    told = capsys.readouterr().err
    assert "numbers.csv, thesis.tex" in told
    assert told.count("\n") == 1
    assert snapshot(tmp_path).keys() == {"thesis.tex", "numbers.csv"}


@pytest.mark.parametrize("command", COMMANDS)
def test_root_home_and_files_are_no_output(inputs, tmp_path, capsys, command, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "file").write_text("mine")
    for out in ("/", tmp_path / "home", tmp_path / "file", tmp_path / "file" / "below"):
        assert command(inputs, out) == 2
        told = capsys.readouterr().err
        assert told.startswith("error: ")
        assert told.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_second_job_in_a_folder_is_refused(inputs, tmp_path, capsys, command):
    with locks.held(tmp_path / "out"):
        assert command(inputs, tmp_path / "out") == 2
    assert f"out is in use by another job (process {os.getpid()} on " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_the_systems_refusals_are_one_line(inputs, tmp_path, capsys, command, code, monkeypatch):
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(atomic, "write_bytes", refuse)
    assert command(inputs, tmp_path / "out") == 2
    (told,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert str(tmp_path / "out") in told
    assert os.strerror(code) in told


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_too_long_is_told_before_any_work(inputs, tmp_path, capsys, command, monkeypatch):
    monkeypatch.setattr(stubs.execute, "targeted_pgd", None)
    assert command(inputs, tmp_path / ("x" * 300)) == 2
    assert "name too long: choose a shorter name" in capsys.readouterr().err


def test_long_labels_and_stems_are_cut_and_told_apart(inputs, tmp_path):
    network = checkpoints.load(inputs / "tiny")
    name = "ü" * 120 + ".png"
    Image.new("RGB", (16, 16)).save(tmp_path / name)
    assert synthesis(inputs, tmp_path / "out", start=str(tmp_path / name)) == 0
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert (tmp_path / "out" / record["pictures"][0]["file"]).is_file()
    job = results.Job.from_json(record["job"])
    job = dataclasses.replace(job, targets=(0, 1), pairs=((0, 0), (0, 1)))
    stems = results.picture_names(job, ["a" * 300, "a" * 299 + "b", *network.labels])
    assert len(set(stems)) == 2
    assert all(len(stem.encode()) < 180 for stem in stems)


def test_old_results_without_a_list_are_known_by_their_record(inputs, tmp_path):
    assert synthesis(inputs, tmp_path / "a", "--seed", "7") == 0
    assert align_of(inputs, tmp_path / "b", "--seed", "7") == 0
    (tmp_path / "b" / ownership.LIST).unlink()
    for command, name in ((synthesis, "a"), (align_of, "b")):
        assert command(inputs, tmp_path / name, "--overwrite") == 0
        assert command(inputs, tmp_path / f"{name}-new", "--overwrite") == 0
        assert snapshot(tmp_path / name) == snapshot(tmp_path / f"{name}-new")


def test_results_of_another_command_are_not_replaced(inputs, tmp_path, capsys):
    assert align_of(inputs, tmp_path / "out") == 0
    before = snapshot(tmp_path / "out")
    assert synthesis(inputs, tmp_path / "out", "--overwrite") == 2
    assert "holds results of pagjax.align" in capsys.readouterr().err
    assert snapshot(tmp_path / "out") == before


def test_wrong_platforms_are_named():
    command = [sys.executable, "-m", "pagjax.synthesize", "--out", "nowhere", "--steps", "1"]
    environment = os.environ | {"JAX_PLATFORMS": "nonsense", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: JAX_PLATFORMS=nonsense: ")
    assert done.stderr.count("\n") == 1


def test_an_interruption_during_start_up_is_one_line(monkeypatch, capsys):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for command, module in ((synthesize, synthesize), (align, align)):
        monkeypatch.setattr(module, "run", interrupt)
        needed = ["--networks", "x"] if command is align else []
        assert command.main(needed) == 130
        told = capsys.readouterr().err
        assert told.startswith("\ninterrupted; ")
        assert told.count("\n") == 2


def test_an_interrupted_import_ends_at_once_in_one_line(tmp_path):
    """Compiled modules that are interrupted while they initialise raise errors of their own."""
    (tmp_path / "slow.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    told = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from pagjax.jobs import interruption; interruption.install('go on'); import slow"
    )
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    environment = os.environ | {"PYTHONPATH": paths}
    command = [sys.executable, "-c", told]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (130, "\ninterrupted; go on\n")
