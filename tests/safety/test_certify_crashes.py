"""certify, killed before each of its file operations: the same command ends in the same logs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pagjax import certify
from pagjax.certified_logs import job as jobs
from pagjax.certified_logs import logs, settings
from pagjax.io.data import identity
from pagjax.io.data.labelled_images import open_data
from pagjax.io.files import locks
from pagjax.jobs import environment
from tests.safety.injection import check_every_kill, snapshot
from tests.support import tiny_checkpoint
from tests.training import tiny

OLD, NEW = ("--seed", "1"), ("--seed", "2")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    from pagjax import checkpoints

    return checkpoints.load(tiny_checkpoint.save(tmp_path_factory.mktemp("network")))


@pytest.fixture
def data(tmp_path) -> Path:
    for index, pixels in enumerate(tiny.images(3)):
        home = tmp_path / "data" / "test" / tiny_checkpoint.LABELS[index]
        home.mkdir(parents=True)
        Image.fromarray(pixels).save(home / "a.png")
    return tmp_path / "data"


@pytest.fixture
def run(network, data, monkeypatch) -> Callable[..., int]:
    """The command, whose certificates are told by image, sigma and seed at once."""

    def of_image(job, logits_fn, image, index, label, chunk_size, mesh):
        return index % 3, job.sigma / (2 + index + job.seed), f"100[{index % 3}:90]"

    monkeypatch.setattr(jobs.LogJob, "of_image", of_image)
    monkeypatch.setattr("pagjax.checkpoints.load", lambda *_, **__: network)
    monkeypatch.setattr(environment, "prepare", lambda: None)
    monkeypatch.setattr(environment, "describe", dict)
    monkeypatch.setattr("pagjax.core.mesh.use_cores", lambda: None)
    monkeypatch.setattr(jobs.time, "monotonic", lambda: 0.0)

    def command(out: Path, *more: str) -> int:
        given = ["--checkpoint", "tiny", "--data", str(data), "--out", str(out)]
        return certify.main([*given, "--sigma", "0.25", "0.5", "--num-draws", "100", *more])

    return command


def _but_locks(folder: Path) -> dict[str, str]:
    return snapshot(folder, leave_out=lambda name: name.endswith(".lock"))


def _agree(folder: Path) -> None:
    """A log that is there is that of the settings beside it."""
    for log in folder.glob("*.tsv"):
        seed = json.loads(jobs.settings_file(log).read_text())["job"]["seed"]
        sigma = float(log.stem.rpartition("_")[2])
        text = log.read_text()  # what a kill left of a line is cut off by the next start
        for line in logs.parse(text[: text.rfind("\n") + 1] or text).lines if "\n" in text else ():
            assert line.radius == pytest.approx(sigma / (2 + line.number + seed), abs=1e-6), log


def test_kills_of_a_first_start(run, tmp_path):
    total = check_every_kill(
        prepare=lambda folder: None,
        run=lambda folder: run(folder, *NEW),
        result=_but_locks,
        between=lambda folder, point: _agree(folder),
        folder=_made(tmp_path),
    )
    assert total > 20


def test_kills_of_an_overwriting_start(run, tmp_path):
    """Old logs stay until both new ones are whole; what was done is not done again."""
    old = tmp_path / "old"
    assert run(old, *OLD) == 0

    def between(folder, point):
        _agree(folder)
        there = list(folder.glob("*.tsv"))
        assert all(len(logs.read(log).lines) == 3 for log in there)
        assert len(there) == 2 or list(folder.glob(".pagjax-install-*"))

    total = check_every_kill(
        prepare=lambda folder: shutil.copytree(old, folder, dirs_exist_ok=True),
        run=lambda folder: run(folder, *NEW, "--overwrite"),
        result=_but_locks,
        between=between,
        folder=_made(tmp_path),
    )
    assert total > 40


def _made(folder: Path) -> Path:
    (folder / "kills").mkdir()
    return folder / "kills"


def test_what_was_certified_is_not_certified_again(run, tmp_path, monkeypatch):
    assert run(tmp_path / "out", *OLD) == 0
    seen: list[tuple[float, int]] = []
    answer = jobs.LogJob.of_image

    def counted(job, logits_fn, image, index, *rest):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append((job.sigma, index))
        return answer(job, logits_fn, image, index, *rest)

    monkeypatch.setattr(jobs.LogJob, "of_image", counted)
    assert run(tmp_path / "out", *NEW, "--overwrite") == 130
    first, seen[:] = list(seen), []
    assert run(tmp_path / "out", *NEW, "--overwrite") == 0
    assert sorted(first + seen) == [(sigma, index) for sigma in (0.25, 0.5) for index in range(3)]
    assert not set(first) & set(seen)
    _agree(tmp_path / "out")


def test_the_second_process_is_refused_and_other_logs_are_not(run, tmp_path, capsys):
    log = tmp_path / "out" / "certify-sigma_0.5.tsv"
    with locks.held(log, beside=True):
        assert run(tmp_path / "out") == 2
        assert f"{log} is in use by another job" in capsys.readouterr().err
        assert run(tmp_path / "out", "--sigma", "1") == 0


@pytest.mark.parametrize("beside", [True, False])
def test_a_log_of_others_is_not_overwritten(run, tmp_path, capsys, beside):
    log = tmp_path / "out" / "certify-sigma_0.25.tsv"
    log.parent.mkdir()
    log.write_text("years of work")
    if beside:
        jobs.settings_file(log).write_text("{}")
    before = snapshot(tmp_path)
    assert run(tmp_path / "out", "--overwrite") == 2
    assert str(log) in capsys.readouterr().err
    assert snapshot(tmp_path) == before


EDITS = {
    "predict": (
        r"line 3.*predict .?1000",
        lambda text: text.replace("1\t1\t1", "1\t1\t1" + "0" * 30),
    ),
    "nan": (r"line 3.*radius nan", lambda text: text.replace("\t0.062500\t", "\tnan\t", 1)),
    "cut": (r"line 3", lambda text: text.replace("1\t1\t1\t0.0", "1\t1\n1\t0.0", 1)),
    "another class": (r"line 3.*of class 2", lambda text: text.replace("1\t1\t1\t", "1\t2\t2\t")),
    "another header": (r"line 1", lambda text: text.replace("radius", "rodius")),
    "far": (r"line 3.*image 77", lambda text: text.replace("\n1\t1\t1", "\n77\t1\t1")),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_log_is_refused_by_line(run, tmp_path, capsys, edit):
    assert run(tmp_path / "out", *OLD, "--sigma", "0.25") == 0
    log = tmp_path / "out" / "certify-sigma_0.25.tsv"
    pattern, change = EDITS[edit]
    changed = change(log.read_text())
    assert changed != log.read_text()
    log.write_text(changed)
    assert run(tmp_path / "out", *OLD, "--sigma", "0.25") == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"error: {log}")
    assert re.search(pattern, told), told
    assert log.read_text() == changed


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "no JSON"),
        ("[]", "holds no record"),
        ('{"job": 7}', "job"),
        ('{"job": {}}', "seed"),
        ("[" * 99_999, "no JSON"),
    ],
)
def test_edited_settings_are_refused_by_field(run, tmp_path, capsys, text, field):
    assert run(tmp_path / "out", "--sigma", "0.25") == 0
    log = tmp_path / "out" / "certify-sigma_0.25.tsv"
    jobs.settings_file(log).write_text(text)
    assert run(tmp_path / "out", "--sigma", "0.25") == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert str(log) in told
    assert field in told


def test_logs_of_before_go_on(run, tmp_path):
    """Their settings say nothing of the network's function, the images or preprocessing."""
    assert run(tmp_path / "new") == 0
    shutil.copytree(tmp_path / "new", tmp_path / "old")
    for log in (tmp_path / "old").glob("*.tsv"):
        file = jobs.settings_file(log)
        values = json.loads(file.read_text())
        del values["data"]
        for name in ("network_sha256", "preprocessing", "class_name"):
            del values["job"][name]
        file.write_text(json.dumps(values))
        text = log.read_text()
        log.write_text(text[: text.index("\n2\t") + 3])
    assert run(tmp_path / "old") == 0
    for log in (tmp_path / "new").glob("*.tsv"):
        assert (tmp_path / "old" / log.name).read_text() == log.read_text()


@pytest.mark.parametrize("change", ["content", "added", "removed", "renamed"])
def test_changed_images_are_told(run, data, tmp_path, capsys, change):
    assert run(tmp_path / "out") == 0
    picture = data / "test" / "dog" / "a.png"
    if change == "content":
        picture.write_bytes((data / "test" / "cat" / "a.png").read_bytes())
    elif change == "added":
        shutil.copy(picture, picture.with_name("b.png"))
    elif change == "renamed":
        picture.rename(picture.with_name("b.png"))
    else:
        picture.unlink()
    assert run(tmp_path / "out") == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "was begun on" in told
    assert ("other content" if change == "content" else "other images") in told


def test_a_mended_image_gets_its_line(run, data, tmp_path):
    picture = data / "test" / "dog" / "a.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:40])
    assert run(tmp_path / "out") == 1
    picture.write_bytes(whole)
    assert run(tmp_path / "out") == 0
    log = logs.read(tmp_path / "out" / "certify-sigma_0.5.tsv")
    assert sorted(line.number for line in log.lines) == [0, 1, 2]


def test_digests_of_data_do_not_say_where_it_lies(data, tmp_path):
    moved = shutil.copytree(data, tmp_path / "elsewhere" / "pictures")
    first, second = open_data(str(data), "test", 8), open_data(str(moved), "test", 16)
    assert identity.listing(first) == identity.listing(second)
    assert identity.content(first) == identity.content(second)
    assert identity.of(first) != identity.of(second)  # another side
    held = first.in_memory()
    assert identity.listing(held.subset(np.array([1, 0, 2]))) != identity.listing(held)


def test_out_that_is_a_file_and_a_full_disk_are_one_line(run, tmp_path, capsys, monkeypatch):
    (tmp_path / "out").write_text("mine")
    assert run(tmp_path / "out") == 2
    assert str(tmp_path / "out") in capsys.readouterr().err.splitlines()[-1]

    def full(*_, **__):
        raise OSError(28, "No space left on device", "here")

    monkeypatch.setattr(settings.atomic, "write_json", full)
    assert run(tmp_path / "new") == 2
    assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]


def test_an_edited_list_of_an_exchange_is_named(run, tmp_path, capsys):
    assert run(tmp_path / "out", *OLD) == 0
    listed = tmp_path / "out" / ".pagjax-install-0123456789abcdef.json"
    for text in ('{"logs": ["../thesis.tsv"]}', '{"logs": 7}', "{"):
        listed.write_text(text)
        assert run(tmp_path / "out", *OLD) == 2
        assert str(listed.parent) in capsys.readouterr().err
