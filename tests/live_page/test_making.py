"""Making the page's folder, its runtime, its server, and records that were edited."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pagjax
from pagjax import explore, synthesize
from pagjax.live_page import build, runtime, serve
from pagjax.live_page.notebook import Shown, show
from tests.live_page.conftest import SIDE


def test_another_runtime_is_refused(tmp_path, capsys):
    other = tmp_path / "onnxruntime-web-1.30.0.tgz"
    other.write_bytes(b"something else")
    given = ["--out", str(tmp_path / "page"), "--runtime", str(other), "--build-only"]
    assert explore.main(given) == 2
    assert "SHA-512 differs" in capsys.readouterr().err
    assert explore.main([*given[:2], "--runtime", str(tmp_path / "none")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_without_npm_the_cure_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert explore.main(["--out", str(tmp_path / "page"), "--build-only"]) == 2
    assert "npm pack onnxruntime-web@1.30.0" in capsys.readouterr().err


def test_a_folder_of_others_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert explore.main(["--out", str(tmp_path), "--build-only"]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert explore.main(["--out", str(tmp_path / "thesis.txt"), "--build-only"]) == 2
    assert "this is a file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_paints_is_offered_and_no_judge():
    names = build.shipped_networks()
    assert names[0].startswith("imagenette")
    assert not any("judge" in name for name in names)


def test_the_list_says_all_of_the_networks(live):
    page = json.loads((live / "page.json").read_text())
    (family,) = page["families"]
    assert (family["name"], family["size"], family["sigma"]) == ("tiny", SIDE, 0.25)
    assert [one["title"] for one in family["networks"]] == ["smoothed, σ 0.25", "vanilla"]
    assert family["first"] == ["tiny-gaussian-0.25", "tiny-vanilla"]
    assert family["presets"]["paper"]["num_samples"] == 20
    assert page["runtime"]["version"] in (live / "runtime" / "version.txt").read_text()
    for one in (*family["networks"], *page["photographs"]):
        assert (live / one["file"]).is_file()


def test_what_is_there_is_kept(live, checkpoints, package):
    file = live / "networks" / "tiny-vanilla.onnx"
    before = file.stat().st_mtime_ns
    networks = {str(path): pagjax.load(path) for path in checkpoints.values()}
    build.build(live, networks, given_runtime=package, kernels="float32", tell=lambda _: None)
    assert file.stat().st_mtime_ns == before


def test_the_server_isolates_the_page(tmp_path):
    (tmp_path / "a.mjs").write_text("export {}")
    url = serve.in_background(tmp_path)
    with urllib.request.urlopen(url + "a.mjs") as answer:
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Content-Type"] == "text/javascript"


def test_a_notebook_gets_a_frame(tmp_path):
    shown = Shown("http://127.0.0.1:1/", tmp_path, 700)
    assert '<iframe src="http://127.0.0.1:1/"' in shown._repr_html_()
    assert 'height="700"' in shown._repr_html_()


def test_a_network_is_shown(tmp_path, checkpoints, package):
    network = pagjax.load(checkpoints["tiny-vanilla"])
    shown = show({"mine": network}, folder=tmp_path / "page", runtime=package)
    with urllib.request.urlopen(shown.url + "page.json") as answer:
        (family,) = json.load(answer)["families"]
    assert family["networks"][0]["title"] == "mine"
    assert shown.url in repr(shown)


def test_pictures_that_are_not_square_are_refused(tmp_path, monkeypatch):
    from pagjax.networks import NORMALIZERS, ResNetConfig
    from pagjax.networks.base import Description, base_network

    description = Description(
        "wide", ResNetConfig("cifar", "basic", (1,), 4), 2, NORMALIZERS["none"], (8, 12)
    )
    import jax

    image = jax.ShapeDtypeStruct((1, 8, 12, 3), np.float32)
    shapes = jax.eval_shape(description.network().init, jax.random.key(0), image)
    network = base_network(description, jax.tree.map(lambda leaf: np.ones(leaf.shape), shapes))
    monkeypatch.setattr(runtime, "install", lambda *_: None)
    with pytest.raises(build.PageError, match="8x12"):
        build.build(tmp_path / "page", {"wide": network})


def _record(path: Path, checkpoint: Path, **changes) -> Path:
    buffer = io.BytesIO()
    Image.fromarray(np.full((SIDE, SIDE, 3), 90, np.uint8)).save(buffer, "PNG")
    network = pagjax.load(checkpoint)
    from pagjax.checkpoints.identity import weights_digest

    job = {
        "checkpoint": str(checkpoint), "checkpoint_sha256": weights_digest(network),
        "image_size": [SIDE, SIDE], "targets": [1], "sigma": 0.25, "epsilon": 1.0, "step_size": 0.2,
        "num_steps": 3, "num_samples": 2, "sampling": "antithetic", "momentum": 0.5,
        "schedule": "linear", "objective": "tcm", "projection": "ball-then-box", "noise": "fresh",
        "keep": "last", "clip": True, "seed": 0, "mask": None,
    }  # fmt: skip
    record = {"live_page": "0.1.0", "start_png": base64.b64encode(buffer.getvalue()).decode()}
    record |= {"steps_done": 3, "settings_changed_at_steps": [], "job": job}
    for name, value in changes.items():
        (record if name in record else job)[name] = value
    path.write_text(json.dumps(record))
    return path


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"start_png": "bm8gcGljdHVyZQ=="}, "start_png holds no picture"),
        ({"start_png": 7}, "start_png holds no picture"),
        ({"image_size": [8, 8]}, "image_size"),
        ({"mask": "AAAA"}, "mask has 3 bytes"),
        ({"mask": "no base64!"}, "mask is not base64"),
        ({"mask": 5}, "mask is 5"),
        ({"epsilon": "much"}, "epsilon"),
        ({"job": []}, "no job in it"),
        ({"targets": [9]}, "targets hold 9"),
        ({"checkpoint_sha256": "0" * 64}, "no longer holds the weights"),
    ],
)
def test_edited_records_are_refused(tmp_path, checkpoints, capsys, changes, told):
    record = _record(tmp_path / "record.json", checkpoints["tiny-gaussian-0.25"], **changes)
    assert synthesize.main(["--repeat", str(record), "--out", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert told in lines[-1]
    assert not (tmp_path / "out" / "record.json").exists()


def test_a_repetition_can_be_repeated(tmp_path, checkpoints, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    left = np.packbits(np.arange(SIDE * SIDE) % SIDE < 4).tobytes()
    record = _record(
        tmp_path / "seen.json",
        checkpoints["tiny-gaussian-0.25"],
        mask=base64.b64encode(left).decode(),
        steps_done=2,
        settings_changed_at_steps=[1],
    )
    first, second = tmp_path / "first", tmp_path / "second"
    assert synthesize.main(["--repeat", str(record), "--out", str(first)]) == 0
    told = capsys.readouterr().out
    assert "settings were changed on the way" in told
    assert "stopped after 2 of the 3 steps" in told
    assert (first / "images" / "seen-to-dog.png").exists()
    given = ["--repeat", str(first / "record.json"), "--out", str(second)]
    assert synthesize.main(given) == 0
    assert "the same bits" in capsys.readouterr().out
