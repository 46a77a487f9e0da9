"""fit_seeds, killed before each file operation; what it finds on disk is right or refused."""

from __future__ import annotations

import io
import json
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pagjax import fit_seeds
from pagjax.io.files import locks
from pagjax.seeds import store
from pagjax.seeds.store import StatisticsError
from tests.safety.injection import check_every_kill, snapshot
from tests.training import tiny


def _write_data(folder: Path, seed: int) -> Path:
    for index, pixels in enumerate(tiny.images(9, seed)):
        home = folder / "train" / ("blue", "green", "red")[index % 3]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(home / f"{index}.bmp")  # of one size, whatever it shows
    return folder


@pytest.fixture
def data(tmp_path) -> Path:
    return _write_data(tmp_path / "data", 0)


@pytest.fixture
def run(data) -> Callable[..., int]:
    def command(out: Path, *more: str) -> int:
        given = [str(data), "--out", str(out / "fits.npz"), "--image-size", "8"]
        return fit_seeds.main([*given, "--factor", "2", *more])

    return command


def _but_locks(folder: Path) -> dict[str, str]:
    return snapshot(folder, leave_out=lambda name: name.endswith(".lock"))


def _made(folder: Path) -> Path:
    (folder / "kills").mkdir()
    return folder / "kills"


def test_kills_of_a_first_start(run, tmp_path):
    done = []

    def again(folder):
        done.append(run(folder))

    total = check_every_kill(
        prepare=lambda folder: None,
        run=run,
        again=again,
        result=_but_locks,
        folder=_made(tmp_path),
        twice=False,
    )
    assert total > 20
    # Done, but for the very last moment, in which nothing but the lock was left to remove.
    assert done.count(0) >= len(done) - 2


def test_kills_of_an_overwriting_start(run, data, tmp_path):
    assert run(tmp_path / "old") == 0
    old = snapshot(tmp_path / "old")["fits.npz"]
    shutil.rmtree(data)
    _write_data(data, 1)

    def between(folder, point):
        left = snapshot(folder)["fits.npz"]
        assert (
            left == old
            or not (folder / ".fits.npz.unfinished" / "class-00000.npz").exists()
            or (folder / ".fits.npz.saved").exists()
        )
        store.load(folder / "fits.npz")

    check_every_kill(
        prepare=lambda folder: shutil.copytree(tmp_path / "old", folder, dirs_exist_ok=True),
        run=lambda folder: run(folder, "--overwrite"),
        result=_but_locks,
        between=between,
        folder=_made(tmp_path),
    )


@pytest.mark.parametrize("change", ["images", "regulariser", "share"])
def test_no_class_of_an_older_fit_is_kept(run, data, tmp_path, monkeypatch, change):
    """Two classes are done, then something changes, and the fit is begun again."""

    def stop(self, index, fit):
        write(self, index, fit)
        if index == 1:
            raise KeyboardInterrupt

    write = fit_seeds_unfinished().write
    monkeypatch.setattr(fit_seeds_unfinished(), "write", stop)
    assert run(tmp_path / "out") == 130
    monkeypatch.undo()
    more = {"images": (), "regulariser": ("--regulariser", "0.01"), "share": ("--share", "0.5")}
    if change == "images":
        _write_data(data, 1)
    assert run(tmp_path / "out", *more[change], "--overwrite") == 0
    assert run(tmp_path / "whole", *more[change]) == 0
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "whole")


def fit_seeds_unfinished():
    from pagjax.seeds.unfinished import Unfinished

    return Unfinished


def test_the_second_process_is_refused(run, tmp_path, capsys):
    with locks.held(tmp_path / "fits.npz", beside=True):
        assert run(tmp_path) == 2
    assert "fits.npz is in use by another job" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["numbers", "text", "folder", "link"])
def test_only_statistics_are_replaced(run, tmp_path, capsys, kind):
    out = tmp_path / "out" / "fits.npz"
    out.parent.mkdir()
    if kind == "numbers":
        np.savez(out, mine=np.arange(3))
    elif kind == "folder":
        out.mkdir()
        (out / "thesis.tex").write_text("years")
    elif kind == "link":
        out.symlink_to(tmp_path / "data")
    else:
        out.write_text("years")
    before = snapshot(tmp_path)
    assert run(tmp_path / "out", "--overwrite") == 2
    assert str(out) in capsys.readouterr().err
    assert snapshot(tmp_path) == before


def test_files_of_others_among_finished_classes_stay(run, tmp_path, capsys):
    mine = tmp_path / ".fits.npz.unfinished" / "thesis.tex"
    mine.parent.mkdir()
    mine.write_text("years")
    assert run(tmp_path) == 2
    assert f"{mine} is in the way" in capsys.readouterr().err
    assert mine.read_text() == "years"


def test_an_edited_class_is_named(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fit_seeds_unfinished(), "save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path)
    monkeypatch.undo()
    kept = tmp_path / ".fits.npz.unfinished" / "class-00001.npz"
    whole = kept.read_bytes()
    for content in (whole[:100], b"", _npz(mean=np.zeros(3))):
        kept.write_bytes(content)
        assert run(tmp_path) == 2
        assert str(kept) in capsys.readouterr().err
    kept.write_bytes(whole)
    assert run(tmp_path) == 0


# What a file of statistics may say, and what it may not.


@pytest.fixture(scope="module")
def fitted() -> dict[str, np.ndarray]:
    about = {"format": 1, "data": "squares", "split": "train", "labels": ["a", "b"]}
    about |= {"side": 8, "factor": 2, "regulariser": 1e-4, "share": 0.9}
    arrays = {"about": np.array(json.dumps(about))}
    for index in range(2):
        arrays[f"mean_{index}"] = np.zeros((4, 4, 3), np.float16)
        arrays[f"steps_{index}"] = np.ones((5, 4, 4, 3), np.int8)
        arrays[f"scales_{index}"] = np.ones(5, np.float32)
        arrays[f"rest_{index}"] = np.array([0.0, 20.0])
    return arrays


def _npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


ABOUT = {
    "labels": [[], 7, ["a", 1], "ab", None, ["a", "b", "c"]],
    "side": [0, -8, 10**30, 8.0, "8", 9, 10**9, True],
    "factor": [0, 3, "2", 16, None],
    "regulariser": [-1, float("nan"), float("inf"), "0.1", 10**400],
    "share": [0, 1.5, None, -0.1],
    "data": [7, None],
    "split": [7],
    "format": [2, None],
    "seed": [1],
}
ARRAYS = {
    "mean_1": [np.zeros((4, 4), np.float16), np.zeros((4, 4, 3)), np.full((4, 4, 3), np.nan, "f2")],
    "steps_0": [np.zeros((5, 4, 4, 3), np.int16), np.zeros((6, 4, 4, 3), np.int8)],
    "scales_0": [np.full(5, np.inf, np.float32), np.ones((5, 1), np.float32), np.float32(1)],
    "rest_1": [
        np.array([0.0, 1.0]),
        np.array([0.0, 1e300]),
        np.array([-1.0, 20.0]),
        np.array([0.0, np.nan]),
        np.array([0.0]),
        np.array([0.0, 2.5]),
    ],
    "mine": [np.zeros(3)],
}


def test_edited_statistics_are_refused_by_field(fitted, tmp_path):
    path = tmp_path / "fits.npz"
    path.write_bytes(_npz(**fitted))
    assert store.load(path).labels == ("a", "b")
    about = json.loads(str(fitted["about"]))
    tried = [
        ({**fitted, "about": np.array(json.dumps({**about, field: value}))}, field)
        for field, values in ABOUT.items()
        for value in values
        if not (isinstance(value, int) and value > 10**300)
    ]
    tried += [
        ({**fitted, name: value}, name.partition("_")[0])
        for name, values in ARRAYS.items()
        for value in values
    ]
    tried += [({n: a for n, a in fitted.items() if n != gone}, gone) for gone in fitted]
    for arrays, field in tried:
        path.write_bytes(_npz(**arrays))
        with pytest.raises(StatisticsError) as refused:
            store.load(path)
        told = str(refused.value)
        assert str(path) in told
        assert "\n" not in told
        said = (field.partition("_")[0], "class 2", "mean", "steps")
        assert any(word in told for word in said), (field, told)


def _claiming(fitted, shape: str) -> bytes:
    """Statistics of which one array's header claims another shape."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in fitted.items():
            if name == "steps_0":
                header = f"{{'descr': '|i1', 'fortran_order': False, 'shape': {shape}, }}".encode()
                header += b" " * (-(len(header) + 11) % 64) + b"\n"
                content = (
                    b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"1" * 240
                )
            else:
                part = io.BytesIO()
                np.save(part, array)
                content = part.getvalue()
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


@pytest.mark.parametrize("shape", ["(1000000000000000,)", "(5, 4, 4, 3000000000000)", "(-1,)", "7"])
def test_a_claimed_size_is_refused_in_bounded_memory(fitted, tmp_path, shape):
    path = tmp_path / "fits.npz"
    path.write_bytes(_claiming(fitted, shape))
    assert _peak(path) < 2**23


def test_what_inflates_is_refused_in_bounded_memory(fitted, tmp_path):
    path, steps = tmp_path / "fits.npz", np.zeros((2**19, 4, 4, 3), np.int8)
    arrays = {**fitted, "steps_0": steps, "scales_0": np.zeros(2**19, np.float32)}
    np.savez_compressed(path, **arrays)
    assert path.stat().st_size < 2**18
    del steps, arrays
    assert _peak(path) < 2**23


def _peak(path: Path) -> int:
    tracemalloc.start()
    with pytest.raises(StatisticsError, match=str(path)):
        store.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
