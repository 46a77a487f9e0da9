"""A checkpoint that is written, or replaced, is there whole, old or new, wherever a kill comes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pagjax import checkpoints
from pagjax.checkpoints import CheckpointError, digests, folders, store
from pagjax.convert.conversion import convert
from pagjax.io.files import locks, replacing
from tests.safety.injection import Killed, check_every_kill, snapshot, watched
from tests.support import tiny_checkpoint


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tiny_checkpoint.save(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def new(kept):
    """Another network than the one kept."""
    description, variables = store.restore(kept)
    variables["params"]["head"]["bias"] = np.arange(3, dtype=np.float32)
    return description, variables


def _quick_write(folder, description, values):
    """A few files of a checkpoint's names, under another name first, as Orbax does.

    Orbax itself cannot be killed within this process: its threads wait for each other.
    """
    unfinished = folder.with_name(f"{folder.name}.orbax-checkpoint-tmp")
    for name in ("description/metadata", "variables/_METADATA", "variables/manifest.ocdbt"):
        (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
        (unfinished / name).write_text(str(values["params"]["head"]["bias"].tolist()))
    (unfinished / "description" / "metadata").write_text(json.dumps(description.to_json()))
    unfinished.rename(folder)


@pytest.mark.parametrize("overwrite", [False, True])
def test_kills_while_saving(kept, new, tmp_path, monkeypatch, overwrite):
    monkeypatch.setattr(store, "_write", _quick_write)
    old = store.save(tmp_path / "old", *store.restore(kept)) if overwrite else None

    def prepare(folder):
        if old is not None:
            shutil.copytree(old, folder / "net")

    def run(folder):
        if not overwrite and (folder / "net").exists():
            return  # it was whole already
        store.save(folder / "net", *new, overwrite=overwrite, beside=_card)

    def between(folder, point):
        folders.finish(folder / "net")  # what loading does first
        left = snapshot(folder / "net") if (folder / "net").exists() else None
        assert left in ((snapshot(old), whole) if overwrite else (None, whole))

    run(_made(tmp_path / "reference", prepare))
    whole = snapshot(tmp_path / "reference" / "net")
    total = check_every_kill(
        prepare=prepare, run=run, result=_but_locks, between=between, folder=tmp_path
    )
    assert total > 20


def _card(folder: Path) -> None:
    (folder / "card.json").write_text("{}")


def _made(folder: Path, prepare) -> Path:
    folder.mkdir()
    prepare(folder)
    return folder


def test_a_full_disk_leaves_the_old_one_and_nothing_beside(kept, new, tmp_path, monkeypatch):
    shutil.copytree(kept, tmp_path / "net")

    def full(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.save(tmp_path / "net", *new, overwrite=True, beside=full)
    assert [path.name for path in tmp_path.iterdir()] == ["net"]
    assert snapshot(tmp_path / "net") == snapshot(kept)


def test_what_tensorstore_says_of_the_disk_is_one_line(new, tmp_path, monkeypatch):
    def full(*_):
        raise ValueError("NOT_FOUND:\n  writing: No space left on device")

    monkeypatch.setattr(store, "_write", full)
    with pytest.raises(CheckpointError, match=r"net cannot be written: .* No space left"):
        store.save(tmp_path / "net", *new)
    assert list(tmp_path.iterdir()) == []


def test_loading_finishes_what_a_kill_left_or_says_why_not(kept, tmp_path, monkeypatch):
    net = Path(shutil.copytree(kept, tmp_path / "net"))
    net.rename(replacing.retired(net))
    with locks.held(net, beside=True), pytest.raises(CheckpointError, match="in use by another"):
        checkpoints.load(net)
    monkeypatch.setattr(locks, "held", lambda *_, **__: (_ for _ in ()).throw(OSError("read-only")))
    with pytest.raises(CheckpointError, match=r"cannot be finished \(read-only\)"):
        checkpoints.load(net)
    monkeypatch.undo()
    assert checkpoints.load(net).labels == tiny_checkpoint.LABELS
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_the_second_writer_is_refused(new, tmp_path):
    with locks.held(tmp_path / "net", beside=True), pytest.raises(CheckpointError, match="in use"):
        store.save(tmp_path / "net", *new)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "made", ["empty", "thesis", "file", "with notes", "nested", "link", "link within", "dangling"]
)
def test_only_a_checkpoint_is_replaced(kept, new, tmp_path, made):
    """Whatever else is at the destination stays as it is."""
    home = tmp_path / "home"
    home.mkdir()
    net = home / "net"
    if made == "empty":
        net.mkdir()
    elif made == "thesis":
        net.mkdir()
        (net / "thesis.tex").write_text("years")
    elif made == "file":
        net.write_text("years")
    elif made == "dangling":
        net.symlink_to(tmp_path / "nowhere")
    elif made == "link":
        net.symlink_to(shutil.copytree(kept, tmp_path / "elsewhere"))
    else:
        shutil.copytree(kept, net)
    if made == "with notes":
        (net / "notes.txt").write_text("mine")
    if made == "nested":
        (net / "variables" / "d" / "mine").mkdir(parents=True)
        (net / "variables" / "d" / "mine" / "data.csv").write_text("mine")
    if made == "link within":
        (net / "card.md").symlink_to(kept / "description" / "metadata")
    before = snapshot(tmp_path)
    with pytest.raises(CheckpointError, match=str(net)) as refused:
        store.save(net, *new, overwrite=True)
    assert "\n" not in str(refused.value)
    assert snapshot(tmp_path) == before
    assert [path.name for path in home.iterdir()] == ["net"]


def test_a_checkpoint_with_its_card_is_replaced(kept, new, tmp_path):
    net = Path(shutil.copytree(kept, tmp_path / "net"))
    for name in ("card.json", "card.md", "predictions.npz", ".DS_Store", ".card.json.writing"):
        (net / name).write_text("{}")
    store.save(net, *new, overwrite=True)
    assert json.loads((net / digests.FILE).read_text())["weights_sha256"] == digests.weights(new[1])
    assert not (net / "card.json").exists()


def test_a_kill_is_seen_as_one(kept, new, tmp_path):
    """The harness kills: without it nothing here would be shown."""
    with watched(tmp_path, kill_before=0), pytest.raises(Killed):
        store.save(tmp_path / "net", *new)


def _but_locks(folder: Path) -> dict[str, str]:
    """A killed process's lock file locks nothing."""
    return snapshot(folder, leave_out=lambda name: name.endswith(".lock"))


def test_the_converter_replaces_checkpoints_only_and_says_so_first(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years")
    (tmp_path / "file").write_text("years")
    before = snapshot(tmp_path)
    for name in ("thesis", "file"):
        with pytest.raises(CheckpointError, match=rf"{tmp_path / name} is no"):
            convert(tmp_path / "no such file.pt", tmp_path / name, overwrite=True)
    assert snapshot(tmp_path) == before
