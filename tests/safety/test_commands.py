"""Synthesize, align and figures, killed before every file operation, and started again."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from pagjax import align, synthesize
from pagjax.figures import __main__ as figures
from pagjax.io.files import ownership
from tests.safety import stubs
from tests.safety.injection import Killed, check_every_kill, snapshot, watched


def _synthesize(inputs: Path, out: Path, *more: str) -> list[str]:
    return [
        *("--checkpoint", str(inputs / "tiny"), "--images", str(inputs / "0.png")),
        *(str(inputs / "1.png"), "--targets", "dog", "--steps", "2", "--num-samples", "1"),
        *("--batch-size", "1", "--out", str(out), *more),
    ]


def _align(inputs: Path, out: Path, *more: str) -> list[str]:
    return [
        *("--networks", str(inputs / "tiny"), "--statistics", str(inputs / "tiny.npz")),
        *("--count", "2", "--steps", "2", "--num-samples", "1", "--out", str(out), *more),
    ]


def _names(place: Path) -> set[str]:
    return set(snapshot(place))


def _whole_or_none(results: list[dict[str, str]], leave_out=lambda name: name.startswith(".")):
    """Asks of what a kill left that a record has its own result beside it, file by file."""

    def look(place: Path, point: int) -> None:
        assert (place / "desktop.ini").read_text() == "somebody's"
        found = snapshot(place)
        if "record.json" in found:
            assert any(
                all(found.get(name) == own for name, own in result.items() if not leave_out(name))
                for result in results
            ), f"a mixed result, killed at {point}"

    return look


@pytest.mark.usefixtures("cheap")
def test_synthesize_goes_on_from_every_kill(inputs, tmp_path):
    def prepare(place: Path) -> None:
        (place / "desktop.ini").write_text("somebody's")

    total = check_every_kill(
        prepare=prepare,
        run=lambda place: synthesize.main(_synthesize(inputs, place)),
        again=lambda place: synthesize.main(_synthesize(inputs, place, "--resume")),
        result=snapshot,
        folder=tmp_path,
    )
    assert total > 50
    pictures = {f"images/{number}-to-dog.png" for number in range(2)}
    made = {"record.json", "arrays.npz", "sheet.png", *pictures, "desktop.ini"}
    assert _names(tmp_path / "whole") == made


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize(("old_targets", "every"), [("cat", 1), ("dog", 5)])
def test_synthesize_overwrites_from_every_kill(inputs, tmp_path, old_targets, every):
    given = ["--overwrite", "--animate"]
    assert synthesize.main([*_synthesize(inputs, tmp_path / "new"), *given]) == 0
    old = [*_synthesize(inputs, tmp_path / "old", "--seed", "7"), "--targets", old_targets]
    assert synthesize.main(old) == 0
    results = [snapshot(tmp_path / name) for name in ("old", "new")]

    def prepare(place: Path) -> None:
        shutil.copytree(tmp_path / "old", place, dirs_exist_ok=True)
        (place / "desktop.ini").write_text("somebody's")

    check_every_kill(
        prepare=prepare,
        run=lambda place: synthesize.main(_synthesize(inputs, place, *given)),
        result=snapshot,
        between=_whole_or_none(results),
        folder=tmp_path,
        every=every,
    )
    assert snapshot(tmp_path / "whole").keys() - {"desktop.ini"} == results[1].keys()


@pytest.mark.usefixtures("cheap")
def test_an_overwriting_run_goes_on_where_it_was(inputs, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert synthesize.main(_synthesize(inputs, out, "--seed", "7")) == 0
    given = _synthesize(inputs, out, "--overwrite")
    with watched(out) as disk:
        assert synthesize.main(given) == 0
    batch = disk.operations.index(("replace", ".unfinished/batch-00000.npz"))
    steps: list[int] = []

    def counted(*args, **kwargs):
        steps.append(1)
        return stubs.fake_pgd(*args, **kwargs)

    monkeypatch.setattr(stubs.execute, "targeted_pgd", counted)
    assert synthesize.main([*given, "--seed", "7"]) == 0
    assert len(steps) == 4
    steps.clear()
    with watched(out, kill_before=batch + 1), pytest.raises(Killed):
        synthesize.main(given)
    assert synthesize.main(given) == 0
    assert len(steps) == 4  # two before the kill, two after it


@pytest.mark.usefixtures("cheap")
def test_align_goes_on_from_every_kill(inputs, tmp_path):
    total = check_every_kill(
        prepare=lambda place: (place / "desktop.ini").write_text("somebody's"),
        run=lambda place: align.main(_align(inputs, place)),
        result=snapshot,
        folder=tmp_path,
    )
    assert total > 40
    of_network = ("pictures.npz", "job.json", "numbers.npz", "measured.json")
    made = {f"networks/tiny/{name}" for name in of_network}
    made |= {"record.json", "numbers.csv", ownership.LIST, "desktop.ini"}
    assert _names(tmp_path / "whole") == made


@pytest.mark.usefixtures("cheap")
def test_align_overwrites_from_every_kill(inputs, tmp_path):
    assert align.main(_align(inputs, tmp_path / "new")) == 0
    assert align.main(_align(inputs, tmp_path / "old", "--seed", "7")) == 0
    results = [snapshot(tmp_path / name) for name in ("old", "new")]
    for result in results:  # of which arguments made it
        del result["record.json"]

    def prepare(place: Path) -> None:
        shutil.copytree(tmp_path / "old", place, dirs_exist_ok=True)
        (place / "desktop.ini").write_text("somebody's")

    check_every_kill(
        prepare=prepare,
        run=lambda place: align.main(_align(inputs, place, "--overwrite")),
        result=snapshot,
        between=_whole_or_none(results),
        folder=tmp_path,
    )


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("old", [False, True])
def test_figures_go_on_from_every_kill(tmp_path, old):
    given = ["2", "--rows", "1", "--columns", "1", "--steps", "2", "--num-samples", "1"]

    def run(place: Path, *more: str) -> None:
        with contextlib.chdir(place):
            figures.main([*given, "--out", ".", *more])

    if old:
        (tmp_path / "old").mkdir()
        run(tmp_path / "old", "--seed", "7")

    def prepare(place: Path) -> None:
        (place / "desktop.ini").write_text("somebody's")
        if old:
            shutil.copytree(tmp_path / "old", place, dirs_exist_ok=True)

    every = 1 if old else 5
    check_every_kill(prepare=prepare, run=run, result=snapshot, folder=tmp_path, every=every)
    home = {"record.json", "figure.png", "figure.pdf", "numbers.csv", "means.csv", "ways/1.png"}
    made = {f"figure-02/{name}" for name in home}
    made |= {"index.html", ownership.LIST, "desktop.ini"}
    panels = {name for name in _names(tmp_path / "whole") if name.startswith("panels/")}
    assert len(panels) == 1 + old
    assert _names(tmp_path / "whole") == made | panels
