"""States and results that are damaged, edited or of other jobs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pagjax import synthesize
from pagjax.checkpoints import identity
from pagjax.comparison import measuring
from pagjax.networks.base import Description
from pagjax.seeds import store
from tests.safety.commands import align_of, figures_of, synthesis
from tests.safety.injection import Killed, snapshot, watched
from tests.support import tiny_checkpoint

pytestmark = pytest.mark.usefixtures("cheap")


def _left(inputs: Path, out: Path, *more: str) -> None:
    """Kills a run once a batch of it is on disk."""
    with watched(out) as disk:
        assert synthesis(inputs, out, *more) == 0
    batch = disk.operations.index(("replace", ".unfinished/batch-00000.npz"))
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with watched(out, kill_before=batch + 1), contextlib.suppress(Killed):
        synthesis(inputs, out, *more)


def test_states_of_other_jobs_are_never_mixed_in(inputs, tmp_path, capsys):
    _left(inputs, tmp_path / "a")
    _left(inputs, tmp_path / "b", "--seed", "9")
    state, other = (tmp_path / name / ".unfinished" for name in "ab")
    for name in ("batch-00000.npz", "current.npz"):
        (state / name).write_bytes((other / name).read_bytes())
    assert synthesis(inputs, tmp_path / "a", "--resume") == 2
    assert "batch-00000.npz belongs to another job: pass --over" in capsys.readouterr().err
    assert synthesis(inputs, tmp_path / "a", "--overwrite") == 0
    assert synthesis(inputs, tmp_path / "c") == 0
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "c")


def test_a_linked_state_is_refused(inputs, tmp_path, capsys):
    _left(inputs, tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".unfinished").symlink_to(tmp_path / "a" / ".unfinished")
    before = snapshot(tmp_path / "a")
    for more in ([], ["--resume"], ["--overwrite"]):
        assert synthesis(inputs, tmp_path / "b", *more) == 2
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
def test_damaged_states_are_named_with_the_cure(inputs, tmp_path, capsys, damage, told):
    out = tmp_path / "out"
    _left(inputs, out)
    damage(out / ".unfinished")
    assert synthesis(inputs, out, "--resume") == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error")]
    assert told in line
    assert synthesis(inputs, out, "--overwrite") == 0
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
def test_edited_records_are_refused_by_field(inputs, tmp_path, capsys, field, value):
    assert synthesis(inputs, tmp_path / "out") == 0
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


def _other_statistics(inputs: Path, path: Path) -> Path:
    found = store.load(str(inputs / "tiny.npz"))
    fits = tuple(dataclasses.replace(fit, mean=fit.mean * 0.5) for fit in found.fits)
    store.save(path, dataclasses.replace(found, fits=fits))
    return path


def test_numbers_are_measured_again_with_other_statistics(inputs, tmp_path, monkeypatch):
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
    other = str(_other_statistics(inputs, tmp_path / "tiny.npz"))
    for _ in range(2):
        assert align_of(inputs, tmp_path / "out", *more) == 0
    assert len(asked) == 1
    assert align_of(inputs, tmp_path / "out", *more, "--statistics", other) == 0
    assert len(asked) == 2


def test_changed_training_pictures_are_looked_among_again(inputs, tmp_path):
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
        assert align_of(inputs, tmp_path / "out", *more) == 0
        found.append((tmp_path / "out" / "neighbours.npz").read_bytes())
    assert found[0] == found[1] != found[2]


def test_another_normaliser_is_another_network(networks, monkeypatch):
    network = networks[""]
    told = network.description
    normalizer = dataclasses.replace(told.normalizer, clamp=True)
    other, again = (
        dataclasses.replace(network, description=description)
        for description in (
            dataclasses.replace(told, normalizer=normalizer),
            Description.from_json(json.loads(json.dumps(network.metadata))),
        )
    )
    monkeypatch.setattr(identity, "weights_digest", lambda network: "the same")
    assert identity.network_digest(network) == identity.network_digest(again)
    assert identity.network_digest(network) != identity.network_digest(other)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", None])
def test_a_damaged_panel_is_made_again(inputs, tmp_path, capsys, damage):
    assert figures_of(inputs, tmp_path / "out") == 0
    whole = snapshot(tmp_path / "out")
    (panel,) = (tmp_path / "out" / "panels").glob("*.npz")
    panel.write_bytes(panel.read_bytes()[:-50] if damage is None else damage)
    assert figures_of(inputs, tmp_path / "out") == 0
    assert "it is made again" in capsys.readouterr().err
    assert snapshot(tmp_path / "out") == whole
