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

import numpy as np
import pytest
from PIL import Image

from pagjax import align, checkpoints, synthesize
from pagjax.checkpoints import identity
from pagjax.comparison import measuring
from pagjax.figures import __main__ as figures
from pagjax.io.files import atomic, locks, ownership
from pagjax.io.pictures import images
from pagjax.networks.base import BaseNetwork
from pagjax.seeds import store
from pagjax.seeds.fitting import fit_classes
from pagjax.synthesis import results
from tests.safety import stubs
from tests.safety.injection import Killed, snapshot, watched
from tests.support import tiny_checkpoint
from tests.training import tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """A network, statistics of its classes, a picture."""
    folder = tmp_path_factory.mktemp("inputs")
    tiny_checkpoint.save(folder)
    fitted = fit_classes(tiny.data(60), split="train", share=0.9)
    store.save(folder / "tiny.npz", dataclasses.replace(fitted, labels=tiny_checkpoint.LABELS))
    Image.new("RGB", (16, 16), (100, 50, 20)).save(folder / "0.png")
    return folder


@pytest.fixture(scope="module")
def networks(given) -> dict[str, BaseNetwork]:
    tiny_one = checkpoints.load(given / "tiny")
    return {str(given / "tiny"): tiny_one, "": checkpoints.load("cifar10-gaussian-0.25")}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch, networks):
    stubs.install(monkeypatch, networks)


def _synthesize(given: Path, out: Path | str, *more: str, start: str | None = None) -> int:
    arguments = ["--checkpoint", str(given / "tiny"), "--images", start or str(given / "0.png")]
    arguments += ["--targets", "dog", "--steps", "2", "--num-samples", "1", "--out", str(out)]
    return synthesize.main([*arguments, *more])


def _align(given: Path, out: Path | str, *more: str) -> int:
    arguments = ["--networks", str(given / "tiny"), "--statistics", str(given / "tiny.npz")]
    arguments += ["--count", "2", "--steps", "2", "--num-samples", "1", "--out", str(out)]
    return align.main([*arguments, *more])


def _figures(given: Path, out: Path | str, *more: str) -> int:
    small = ["--rows", "1", "--columns", "1", "--steps", "2", "--num-samples", "1"]
    return figures.main(["2", *small, "--out", str(out), *more])


COMMANDS = [_synthesize, _align, _figures]


def test_pictures_in_the_output_folder_are_never_touched(given, tmp_path, capsys):
    project = tmp_path / "proj"
    (project / "images").mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(project / "images" / "holiday.png")
    before = snapshot(tmp_path)
    for more in ([], ["--overwrite"], ["--resume"]):
        assert _synthesize(given, project, *more, start=str(project / "images")) == 2
        assert "images, which this command reads" in capsys.readouterr().err
        assert _synthesize(given, project, *more) == 2
        assert "holds images/holiday.png, which no result" in capsys.readouterr().err
    assert snapshot(tmp_path) == before


def test_results_among_the_pictures_are_no_pictures(given, tmp_path, capsys):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    Image.new("RGB", (16, 16)).save(photographs / "holiday.png")
    found = images.find([photographs])
    for name in ("painted", "again"):
        assert _synthesize(given, photographs / name, start=str(photographs)) == 0
        assert images.find([photographs]) == found
        record = json.loads((photographs / name / "record.json").read_text())
        assert record["job"]["images"] == [str(photographs / "holiday.png")]
    # Asked for by name they are starting images as any other.
    assert len(images.find([photographs / "painted" / "images"])) == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_the_working_folder_is_not_emptied(given, tmp_path, capsys, command, more):
    if command is _figures and more:
        return
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "numbers.csv").write_text("mine")
    with contextlib.chdir(tmp_path):
        assert command(given, ".", *more) == 2
    told = capsys.readouterr().err
    assert "numbers.csv, thesis.tex" in told
    assert told.count("\n") == 1
    assert snapshot(tmp_path).keys() == {"thesis.tex", "numbers.csv"}


@pytest.mark.parametrize("command", COMMANDS)
def test_root_home_and_files_are_no_output(given, tmp_path, capsys, command, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "file").write_text("mine")
    for out in ("/", tmp_path / "home", tmp_path / "file", tmp_path / "file" / "below"):
        assert command(given, out) == 2
        told = capsys.readouterr().err
        assert told.startswith("error: ")
        assert told.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_second_job_in_a_folder_is_refused(given, tmp_path, capsys, command):
    with locks.held(tmp_path / "out"):
        assert command(given, tmp_path / "out") == 2
    assert f"out is in use by another job (process {os.getpid()} on " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_the_systems_refusals_are_one_line(given, tmp_path, capsys, command, code, monkeypatch):
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(atomic, "write_bytes", refuse)
    assert command(given, tmp_path / "out") == 2
    (told,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert str(tmp_path / "out") in told
    assert os.strerror(code) in told


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_too_long_is_told_before_any_work(given, tmp_path, capsys, command, monkeypatch):
    monkeypatch.setattr(stubs.execute, "targeted_pgd", None)
    assert command(given, tmp_path / ("x" * 300)) == 2
    assert "name too long: choose a shorter name" in capsys.readouterr().err


def test_long_labels_and_stems_are_cut_and_told_apart(given, tmp_path):
    network = checkpoints.load(given / "tiny")
    name = "ü" * 120 + ".png"
    Image.new("RGB", (16, 16)).save(tmp_path / name)
    assert _synthesize(given, tmp_path / "out", start=str(tmp_path / name)) == 0
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert (tmp_path / "out" / record["pictures"][0]["file"]).is_file()
    job = results.Job.from_json(record["job"])
    job = dataclasses.replace(job, targets=(0, 1), pairs=((0, 0), (0, 1)))
    stems = results.picture_names(job, ["a" * 300, "a" * 299 + "b", *network.labels])
    assert len(set(stems)) == 2
    assert all(len(stem.encode()) < 180 for stem in stems)


def _left(given: Path, out: Path, *more: str) -> None:
    """Kills a run once a batch of it is on disk."""
    with watched(out) as disk:
        assert _synthesize(given, out, *more) == 0
    batch = disk.operations.index(("replace", ".unfinished/batch-00000.npz"))
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with watched(out, kill_before=batch + 1), contextlib.suppress(Killed):
        _synthesize(given, out, *more)


def test_states_of_other_jobs_are_never_mixed_in(given, tmp_path, capsys):
    _left(given, tmp_path / "a")
    _left(given, tmp_path / "b", "--seed", "9")
    state, other = (tmp_path / name / ".unfinished" for name in "ab")
    for name in ("batch-00000.npz", "current.npz"):
        (state / name).write_bytes((other / name).read_bytes())
    assert _synthesize(given, tmp_path / "a", "--resume") == 2
    assert "batch-00000.npz belongs to another job: pass --over" in capsys.readouterr().err
    assert _synthesize(given, tmp_path / "a", "--overwrite") == 0
    assert _synthesize(given, tmp_path / "c") == 0
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "c")


def test_a_linked_state_is_refused(given, tmp_path, capsys):
    _left(given, tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".unfinished").symlink_to(tmp_path / "a" / ".unfinished")
    before = snapshot(tmp_path / "a")
    for more in ([], ["--resume"], ["--overwrite"]):
        assert _synthesize(given, tmp_path / "b", *more) == 2
        assert "holds .unfinished, which no result" in capsys.readouterr().err
    assert snapshot(tmp_path / "a") == before


def _claims_all(path: Path) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["image"] = np.broadcast_to(np.float32(0), (10**4, 16, 16, 3))
    np.savez_compressed(path, **arrays)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda state: (state / "batch-00000.npz").write_bytes(b"PK"), "is cut off or no .npz"),
        (lambda state: _claims_all(state / "batch-00000.npz"), r"image is (10000, 16, 16, 3)"),
        (lambda state: (state / "job.json").write_text("{"), "is no JSON"),
        (lambda state: (state / "job.json").write_text("[]"), "holds no settings"),
        (lambda state: (state / "job.json").write_text("{}"), "other settings"),
    ],
)
def test_damaged_states_are_named_with_the_cure(given, tmp_path, capsys, damage, told):
    out = tmp_path / "out"
    _left(given, out)
    damage(out / ".unfinished")
    assert _synthesize(given, out, "--resume") == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error")]
    assert told in line
    assert _synthesize(given, out, "--overwrite") == 0
    assert ".unfinished" not in {path.name for path in out.iterdir()}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_steps", 10**30),
        ("num_steps", "300"),
        ("sigma", -1),
        ("sigma", None),
        ("targets", [99]),
        ("targets", "dog"),
        ("pairs", [[0, 5]]),
        ("pairs", 3),
        ("image_size", [0, 16]),
        ("images_sha256", []),
        ("objective", "magic"),
        ("clip", 1),
        ("batch_size", 0),
        ("checkpoint", 7),
    ],
)
def test_edited_records_are_refused_by_field(given, tmp_path, capsys, field, value):
    assert _synthesize(given, tmp_path / "out") == 0
    path = tmp_path / "out" / "record.json"
    record = json.loads(path.read_text())
    record["job"][field] = value
    path.write_text(json.dumps(record))
    capsys.readouterr()
    assert synthesize.main(["--repeat", str(path), "--out", str(tmp_path / "b")]) == 2
    told = capsys.readouterr().err
    assert field in told
    assert told.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_old_results_without_a_list_are_known_by_their_record(given, tmp_path):
    assert _synthesize(given, tmp_path / "a", "--seed", "7") == 0
    assert _align(given, tmp_path / "b", "--seed", "7") == 0
    (tmp_path / "b" / ownership.LIST).unlink()
    for command, name in ((_synthesize, "a"), (_align, "b")):
        assert command(given, tmp_path / name, "--overwrite") == 0
        assert command(given, tmp_path / f"{name}-new", "--overwrite") == 0
        assert snapshot(tmp_path / name) == snapshot(tmp_path / f"{name}-new")


def test_results_of_another_command_are_not_replaced(given, tmp_path, capsys):
    assert _align(given, tmp_path / "out") == 0
    before = snapshot(tmp_path / "out")
    assert _synthesize(given, tmp_path / "out", "--overwrite") == 2
    assert "holds results of pagjax.align" in capsys.readouterr().err
    assert snapshot(tmp_path / "out") == before


def _other_statistics(given: Path, path: Path) -> Path:
    found = store.load(str(given / "tiny.npz"))
    fits = tuple(dataclasses.replace(fit, mean=fit.mean * 0.5) for fit in found.fits)
    store.save(path, dataclasses.replace(found, fits=fits))
    return path


def test_numbers_are_measured_again_with_other_statistics(given, tmp_path, monkeypatch):
    folder = tmp_path / "data"
    for label in tiny_checkpoint.LABELS:
        (folder / "test" / label).mkdir(parents=True)
        Image.new("RGB", (16, 16), (9, 9, len(label))).save(folder / "test" / label / "0.png")
    asked = []
    measure = measuring.measure

    def counted(*args, **kwargs):
        asked.append(kwargs["statistics"])
        return measure(*args, **kwargs)

    monkeypatch.setattr(measuring, "measure", counted)
    more = ["--data", str(folder), "--neighbours", "0"]
    other = str(_other_statistics(given, tmp_path / "tiny.npz"))
    for _ in range(2):
        assert _align(given, tmp_path / "out", *more) == 0
    assert len(asked) == 1
    assert _align(given, tmp_path / "out", *more, "--statistics", other) == 0
    assert len(asked) == 2


def test_changed_training_pictures_are_looked_among_again(given, tmp_path):
    folder = tmp_path / "data"
    for split in ("test", "train"):
        for number, label in enumerate(tiny_checkpoint.LABELS):
            (folder / split / label).mkdir(parents=True)
            picture = Image.new("RGB", (16, 16), (50 * number, 9, 9))
            picture.save(folder / split / label / "0.png")
    more = ["--data", str(folder), "--neighbours", "1"]
    found = []
    for colour in (None, None, (200, 200, 200)):
        for path in (folder / "train").rglob("*.png"):
            if colour is not None:
                Image.new("RGB", (16, 16), colour).save(path)
        assert _align(given, tmp_path / "out", *more) == 0
        found.append((tmp_path / "out" / "neighbours.npz").read_bytes())
    assert found[0] == found[1] != found[2]


def test_another_normaliser_is_another_network(networks, monkeypatch):
    network = networks[""]
    told = json.loads(json.dumps(network.metadata))
    told["normalizer"]["clamp"] = True
    other = dataclasses.replace(network, metadata=told)
    again = dataclasses.replace(
        network, metadata=told | {"normalizer": network.metadata["normalizer"]}
    )
    monkeypatch.setattr(identity, "weights_digest", lambda network: "the same")
    assert identity.network_digest(network) == identity.network_digest(again)
    assert identity.network_digest(network) != identity.network_digest(other)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", None])
def test_a_damaged_panel_is_made_again(given, tmp_path, capsys, damage):
    assert _figures(given, tmp_path / "out") == 0
    whole = snapshot(tmp_path / "out")
    (panel,) = (tmp_path / "out" / "panels").glob("*.npz")
    panel.write_bytes(panel.read_bytes()[:-50] if damage is None else damage)
    assert _figures(given, tmp_path / "out") == 0
    assert "it is made again" in capsys.readouterr().err
    assert snapshot(tmp_path / "out") == whole


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
