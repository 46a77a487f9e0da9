"""Checkpoints on disk: damage is told, and nonsense is refused quickly, by file and field."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from pagjax import checkpoints
from pagjax.checkpoints import CheckpointError, arrays, digests, store
from pagjax.networks import NORMALIZERS, ResNetConfig
from pagjax.networks.base import Description
from tests.support import tiny_checkpoint


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    return tiny_checkpoint.save(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def network(kept, tmp_path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "tiny"))


def _leaves(tree) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def _same(found, wanted) -> bool:
    ours, theirs = _leaves(found[1]), _leaves(wanted[1])
    return found[0] == wanted[0] and all(
        ours[name].dtype == theirs[name].dtype and np.array_equal(ours[name], theirs[name])
        for name in ours | theirs
    )


def _told_or_unchanged(network: Path, wanted) -> bool:
    """Whether the damage is told, in one line with the checkpoint's name."""
    try:
        found = store.restore(network)
    except CheckpointError as error:
        told = str(error)
    else:
        assert _same(found, wanted)
        return False
    assert str(network) in told
    assert "\n" not in told
    return True


def test_a_flipped_bit_is_told_or_changes_nothing(network, kept):
    """Of every file, a few bits at places drawn by a seed, and the first and the last byte."""
    wanted = store.restore(kept)
    generator = np.random.default_rng(0)
    told = 0
    for file in sorted(path for path in network.rglob("*") if path.is_file()):
        content = file.read_bytes()
        places = [0, len(content) - 1, *generator.integers(0, len(content), 12)]
        for place in places:
            flipped = bytearray(content)
            flipped[place] ^= 1 << int(generator.integers(8))
            file.write_bytes(flipped)
            told += _told_or_unchanged(network, wanted)
        file.write_bytes(content)
    assert told > 45
    assert _same(store.restore(network), wanted)


@pytest.mark.parametrize("kind", ["cut", "emptied", "removed"])
def test_a_damaged_file_is_told_or_changes_nothing(network, kept, kind):
    wanted = store.restore(kept)
    for file in sorted(path for path in network.rglob("*") if path.is_file()):
        content = file.read_bytes()
        if kind == "removed":
            file.unlink()
        else:
            file.write_bytes(content[: len(content) // 2] if kind == "cut" else b"")
        _told_or_unchanged(network, wanted)
        file.write_bytes(content)


def test_a_checkpoint_of_before_has_no_digest_and_gets_one(network, kept):
    (network / digests.FILE).unlink()
    assert _same(store.restore(network), store.restore(kept))
    before = {path: path.read_bytes() for path in network.rglob("*") if path.is_file()}
    assert store.add_digest(network) == network / digests.FILE
    assert (network / digests.FILE).read_bytes() == (kept / digests.FILE).read_bytes()
    assert all(path.read_bytes() == content for path, content in before.items())


def test_edited_weights_and_descriptions_are_told(network, tmp_path):
    description, variables = store.restore(network)
    variables["params"]["head"]["bias"] = variables["params"]["head"]["bias"] + 1
    other = store.save(tmp_path / "other", description, variables)
    shutil.copy(network / digests.FILE, other / digests.FILE)
    with pytest.raises(CheckpointError, match=r"other: its weights changed .*digest.json"):
        store.restore(other)
    file = network / "description" / "metadata"
    file.write_text(file.read_text().replace("0.4914", "0.4915"))
    with pytest.raises(CheckpointError, match="its description changed"):
        store.restore(network)


HUGE = 10**30
EDITS = {
    "training_sigma": [-1, "0.25", float("inf"), float("nan"), HUGE, True, [0.25]],
    "num_classes": [0, -3, 4, 10**9, HUGE, 3.0, "3", None, True],
    "image_size": [[0, 16], [16, HUGE], [10**7, 10**7], ["16", 16], [16], 16, None, "ab"],
    "labels": [["cat"], [1, 2, 3], "cat", 7, [None] * 3],
    "normalizer": [
        None,
        {"mean": [0, 0, 0], "sd": [1, 1, 0], "clamp": False},
        {"mean": [0, 0, 0], "sd": [1, 1, float("nan")], "clamp": False},
        {"mean": [0, 0, "0"], "sd": [1, 1, 1], "clamp": False},
        {"mean": [0], "sd": [1], "clamp": False},
        {"mean": [0, 0, 0], "sd": [1, 1, 1], "clamp": "no"},
        {"mean": [0, 0, 0], "sd": [1, 1, 1]},
    ],
    "architecture": [None, 7],
    "origin": [None, []],
    "format": [None, 2, "1"],
}
CONFIG = {
    "stage_sizes": [[100000], [1] * 40, [0], [HUGE], [], "1", 1, [1, 1], [500, 500], [1.0]],
    "width": [0, -8, 10**9, HUGE, 8.0, "8", None, 9],
    "stem": ["cifer", None, 7],
    "block": ["bottleneck", "", None],
    "unknown": [1],
}


def _refused(network: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        checkpoints.load(network)
    told = str(refused.value)
    assert "\n" not in told
    assert len(told) < 1500
    return told


@pytest.mark.parametrize("digest", [True, False])
def test_a_description_that_cannot_be_is_refused_by_file_and_field(network, digest):
    if not digest:
        (network / digests.FILE).unlink()
    file = network / "description" / "metadata"
    values = json.loads(file.read_text())
    edits = [({field: value}, field) for field, tried in EDITS.items() for value in tried]
    edits += [
        ({"config": {**values["config"], field: value}}, field)
        for field, tried in CONFIG.items()
        for value in tried
    ]
    for edit, field in edits:
        file.write_text(json.dumps({**values, **edit}))
        told = _refused(network)
        assert str(file) in told, edit
        said = (
            field,
            field.replace("izer", "iser"),
            "disagree",
            "labels for",
            "clamp",
            "no network",
        )
        assert any(word in told for word in said), (edit, told)
    for field in values.keys() - {"wordnet_ids"}:  # which descriptions of before do not have
        file.write_text(json.dumps({key: value for key, value in values.items() if key != field}))
        assert field in _refused(network)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "[" * 100_000, '{"format": 1}'])
def test_a_description_that_is_none(network, text):
    (network / "description" / "metadata").write_text(text)
    assert str(network / "description" / "metadata") in _refused(network)


def test_arrays_of_other_shapes_are_refused_unread(network, tmp_path, monkeypatch):
    """Orbax by itself gives the shapes on disk whatever it is asked for."""
    description, variables = store.restore(network)
    variables["params"]["head"]["bias"] = np.zeros(2**20, np.float32)
    other = store.save(tmp_path / "other", description, variables)
    monkeypatch.setattr(arrays, "read", None)
    told = _refused(other)
    assert "params.head.bias: (1048576,), described as (3,)" in told


CLAIMS = {
    "shape": [[10**15], [-3], [3, 1], "three", [2**40, 2**40]],
    "chunks": [[2**32], [0], [10**18]],
    "dtype": ["<i4", "|b1", "<c8", "|O", "<U9", "<f16", 7],
    "zarr_format": [3, None],
    "compressor": [{"id": "none"}, 7],
}


@pytest.mark.parametrize("field", CLAIMS)
@pytest.mark.parametrize("digest", [True, False])
def test_what_an_array_claims_is_refused_in_bounded_memory(network, field, digest):
    import tensorstore

    if not digest:
        (network / digests.FILE).unlink()
    files = {"driver": "file", "path": f"{network / 'variables'}/"}
    database = tensorstore.KvStore.open({"driver": "ocdbt", "base": files}).result()
    key = "params.head.bias/.zarray"
    header = json.loads(database.read(key).result().value)
    for claimed in CLAIMS[field]:
        database.write(key, json.dumps({**header, field: claimed}).encode()).result()
        assert str(network / "variables") in _refused(network)
    database.write(key, json.dumps(header).encode()).result()
    assert checkpoints.load(network).labels == tiny_checkpoint.LABELS


@pytest.mark.parametrize("dtype", [np.int8, np.int64, bool, np.complex64])
def test_only_floating_point_numbers_are_weights(network, tmp_path, monkeypatch, dtype):
    description, variables = store.restore(network)
    variables["params"]["head"]["kernel"] = variables["params"]["head"]["kernel"].astype(dtype)
    with pytest.raises(CheckpointError, match=r"params.head.kernel of type (int|bool|complex)"):
        store.save(tmp_path / "new", description, variables)
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr(arrays, "check_floating", lambda *_: None)
    other = store.save(tmp_path / "other", description, variables)
    monkeypatch.undo()
    assert "params.head.kernel of type" in _refused(other)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_every_floating_type_comes_back(network, tmp_path, dtype):
    description, variables = store.restore(network)
    wanted = jax.tree.map(
        lambda leaf: leaf.astype(jax.dtypes.bfloat16 if dtype == "bfloat16" else dtype), variables
    )
    other = store.save(tmp_path / "other", description, wanted)
    assert _same(store.restore(other), (description, wanted))


def test_what_cannot_be_read_back_is_not_saved(tmp_path):
    described = Description(
        "tiny",
        ResNetConfig("cifar", "basic", (1,), 8),
        3,
        NORMALIZERS["none"],
        (16, 16),
        None,
        -1.0,
    )
    with pytest.raises(CheckpointError, match=r"training_sigma -1\.0"):
        store.save(tmp_path / "new", described, {})
    assert list(tmp_path.iterdir()) == []
