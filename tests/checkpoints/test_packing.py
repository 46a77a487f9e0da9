"""Checkpoints are smaller than Orbax writes them, and still Orbax's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import tensorstore

from pagjax.checkpoints import arrays, packing

FILES = {"d", "manifest.ocdbt", "_METADATA"}


def test_values_stay_and_orbax_reads_them(tmp_path):
    random = np.random.default_rng(0)
    tree = {
        "params": {
            "kernel": (0.05 * random.standard_normal((3, 3, 64, 128))).astype(np.float16),
            "wide": random.standard_normal(7),
        },
        "batch_stats": {
            "mean": np.asarray(jnp.arange(5, dtype=jnp.bfloat16)),
            "one": np.float32(2),
        },
    }
    folder = tmp_path / "tree"
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder, tree)
    before, _ = _bytes(folder), packing.pack(folder)
    assert _bytes(folder) < 0.96 * before
    assert {file.name for file in folder.iterdir()} >= FILES
    assert not list(folder.glob("ocdbt.process_*"))
    with ocp.StandardCheckpointer() as checkpointer:
        restored = checkpointer.restore(folder)
    ours = arrays.read(folder, arrays.opened(folder))
    flat = jax.tree_util.tree_leaves_with_path(tree)
    for (path, leaf), theirs in zip(flat, jax.tree.leaves(restored), strict=True):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        for found in (theirs, ours[name]):
            assert np.asarray(found).dtype == leaf.dtype
            np.testing.assert_array_equal(np.asarray(found), leaf)


def test_another_format_is_left_as_it_is(tmp_path):
    folder = tmp_path / "tree"
    database = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{folder}/"}}
    array = tensorstore.open(
        {"driver": "zarr3", "kvstore": {**database, "path": "a/"}},
        create=True,
        dtype=np.float32,
        shape=[3],
    ).result()
    array.write(np.arange(3, dtype=np.float32)).result()
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    packing.pack(folder)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def _bytes(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
