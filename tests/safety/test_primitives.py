"""What the disk is asked: whole files, locks that die, whose files these are."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pagjax.io.files import atomic, locks, ownership, replacing
from pagjax.io.files.atomic import Form
from pagjax.io.files.errors import RefusedError
from tests.safety.injection import Killed, check_every_kill, snapshot, watched

_HOLD = """
import sys, time
from pathlib import Path
from pagjax.io.files import locks
with locks.held(Path(sys.argv[1]), beside=sys.argv[2] == "beside"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("where", ["inside", "beside"])
def test_a_lock_names_its_holder_and_dies_with_it(tmp_path, where):
    folder, beside = tmp_path / "out", where == "beside"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, folder, where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(locks.InUseError, match=rf"out is in use .*process {holder.pid} on "),
            locks.held(folder, beside=beside),
        ):
            pass
        holder.kill()
    assert locks.lock_file(folder, beside=beside).exists()  # what it left behind locks nothing
    with locks.held(folder, beside=beside):
        pass
    assert not locks.lock_file(folder, beside=beside).exists()


def test_a_lock_follows_no_link(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    locks.lock_file(tmp_path / "out").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(OSError, match="symbolic link"), locks.held(tmp_path / "out"):
        pass
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, capsys):
    def without(descriptor: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks, "_lock", without)
    with locks.held(tmp_path / "out"):
        pass
    assert "has no locks (No locks available)" in capsys.readouterr().err


def test_a_file_is_old_or_new_at_every_kill(tmp_path):
    def look(place: Path, point: int) -> None:
        assert (place / "a.json").read_text() in ('{\n  "x": 1\n}\n', '{\n  "x": 2\n}\n')

    check_every_kill(
        prepare=lambda place: atomic.write_json(place / "a.json", {"x": 1}),
        run=lambda place: atomic.write_json(place / "a.json", {"x": 2}),
        result=snapshot,
        between=look,
        folder=tmp_path,
    )


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    atomic.write_bytes(tmp_path / "a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_bytes(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_the_longest_names_can_be_written(tmp_path):
    atomic.write_bytes(tmp_path / ("a" * 255), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a" * 255]


def _npz(path: Path, header: bytes, content: bytes = b"", size: int | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header + content)
    return path


def _header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        written, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return written.getvalue()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: _npz(path, _header((10**15,))), "not its size"),
        (lambda path: _npz(path, _header((10**7,)), bytes(4 * 10**7)), "claims 40,000,000 bytes"),
        (lambda path: _npz(path, _header((2,), "|O"), bytes(16)), "Python objects"),
        (lambda path: _npz(path, _header((3,)), bytes(12)), r"x is \(3,\) of float32, not \(2,\)"),
        (lambda path: _npz(path, b"nothing"), "magic"),
        (lambda path: path.write_bytes(b"PK\x03\x04"), "cut off or no .npz"),
        (lambda path: path.write_bytes(b""), "cut off or no .npz"),
        (lambda path: np.savez(path, y=np.zeros(2)), "no x in it"),
        (lambda path: np.savez(path, x=np.zeros(2, "<f4"), y=1), "y does not belong"),
    ],
)
def test_arrays_of_another_form_are_refused_by_name(tmp_path, make, words):
    path = tmp_path / "state.npz"
    make(path)
    with pytest.raises(RefusedError, match=f"state.npz .*{words}.*: start anew"):
        atomic.read_arrays(path, {"x": Form((2,), "float32")}, cure="start anew", most_bytes=10**6)


@pytest.mark.parametrize("cut", [1, 100, 400, 900])
def test_a_flipped_or_cut_file_is_refused(tmp_path, cut):
    path = tmp_path / "state.npz"
    atomic.write_arrays(path, {"x": np.arange(200, dtype=np.float32)})
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    with pytest.raises(RefusedError, match=r"state\.npz"):
        atomic.read_arrays(path)
    path.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    with pytest.raises(RefusedError, match=r"state\.npz"):
        atomic.read_arrays(path)


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "scalar": np.array(3),
        "empty": np.zeros((0, 4)),
        "words": np.array(["a", "bc"]),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    }
    atomic.write_arrays(tmp_path / "a.npz", arrays)
    found = atomic.read_arrays(tmp_path / "a.npz")
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def _folder(path: Path, word: str) -> None:
    path.mkdir()
    for name in ("one", "two"):
        (path / name).write_text(word)


def test_a_folder_is_old_or_new_at_every_kill(tmp_path):
    def run(place: Path) -> None:
        replacing.recover(place / "net")
        _folder(replacing.staging(place / "net"), "new")
        replacing.replace_folder(place / "net")

    def look(place: Path, point: int) -> None:
        held = [p for p in place.iterdir() if {f.name for f in p.iterdir()} >= {"one", "two"}]
        assert any({f.read_text() for f in p.iterdir()} in ({"old"}, {"new"}) for p in held)

    check_every_kill(
        prepare=lambda place: _folder(place / "net", "old"),
        run=run,
        result=snapshot,
        between=look,
        folder=tmp_path,
    )


def test_recovering_alone_gives_a_whole_folder_and_leaves_nothing_beside(tmp_path):
    def replace(place: Path) -> None:
        _folder(replacing.staging(place / "net"), "new")
        replacing.replace_folder(place / "net")

    found = []
    for point in range(30):
        place = tmp_path / str(point)
        place.mkdir()
        _folder(place / "net", "old")
        with watched(place, kill_before=point), contextlib.suppress(Killed):
            replace(place)
        replacing.recover(place / "net")
        assert [path.name for path in place.iterdir()] == ["net"]
        (word,) = {(place / "net" / name).read_text() for name in ("one", "two")}
        found.append(word)
    assert found == sorted(found, reverse=True)  # old until a moment, new from then on
    assert set(found) == {"old", "new"}


def test_an_install_is_finished_from_every_kill(tmp_path):
    def prepare(place: Path) -> None:
        (place / "images").mkdir()
        for name in ("record.json", "images/a.png", "images/b.png", "notes.txt"):
            (place / name).write_text("old")

    def run(place: Path) -> None:
        state = place / ".unfinished"
        replacing.finish(state)
        if (place / "record.json").read_text() == "new":
            return
        for name in ("record.json", "images/b.png", "more/c.png"):
            atomic.write_bytes(state / "result" / name, b"new")
        old = ["record.json", "images/a.png", "images/b.png"]
        replacing.install(state, remove=old)

    def look(place: Path, point: int) -> None:
        assert (place / "notes.txt").read_text() == "old"
        if (place / "record.json").exists():
            word = (place / "record.json").read_text()
            assert (place / "images/b.png").read_text() == word
            assert (place / "images/a.png").exists() == (word == "old")

    total = check_every_kill(
        prepare=prepare, run=run, result=snapshot, between=look, folder=tmp_path
    )
    assert total > 20
    left = snapshot(tmp_path / "whole")
    assert set(left) == {"record.json", "images/b.png", "more/c.png", "notes.txt"}


@pytest.mark.parametrize("name", ["../precious", "/precious", "link/precious", "a/../../precious"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "precious").write_text("mine")
    (folder / "link").symlink_to(tmp_path)
    (folder / ownership.LIST).write_text(json.dumps({"files": [name]}))
    with pytest.raises(RefusedError, match="precious"):
        ownership.listed(folder)
    assert (tmp_path / "precious").exists()


def test_only_what_is_listed_is_ours(tmp_path):
    (tmp_path / "images").mkdir()
    ownership.claim(tmp_path, ["record.json", "images/a.png", "images/never.png"])
    for name in ("record.json", "images/a.png", "images/mine.png", "thesis.tex"):
        (tmp_path / name).write_text(name)
    assert ownership.foreign_files(tmp_path) == ["thesis.tex", "images/mine.png"]


def test_what_is_somebody_elses_cannot_be_claimed(tmp_path):
    (tmp_path / "numbers.csv").write_text("mine")
    with pytest.raises(RefusedError, match=r"numbers\.csv is not of an earlier result"):
        ownership.claim(tmp_path, ["record.json", "numbers.csv"])
    assert snapshot(tmp_path).keys() == {"numbers.csv"}


@pytest.mark.parametrize("inside", [".", "a", "a/b"])
def test_inputs_in_around_or_as_the_output_are_refused(tmp_path, inside):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(RefusedError, match=r"`out` .* this command reads"):
        ownership.check_output(tmp_path / "a", [tmp_path / inside])


def test_links_hide_no_input(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "pictures")
    with pytest.raises(RefusedError, match="this command reads"):
        ownership.check_output(tmp_path / "out", [tmp_path / "pictures"])


@pytest.mark.parametrize("name", ["/", "~"])
def test_root_and_home_are_refused(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(RefusedError, match="choose a folder of its own"):
        ownership.check_output(Path(name).expanduser())


def test_what_systems_put_into_folders_is_nobodys(tmp_path):
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_text("")
    ownership.check_output(tmp_path)


def test_a_dead_process_does_nothing_more(tmp_path):
    with watched(tmp_path, kill_before=0) as disk:
        for _ in range(2):
            with pytest.raises(Killed):
                atomic.write_bytes(tmp_path / "a", b"x")
    assert disk.operations == []
    assert not list(tmp_path.iterdir())
