"""The converter end to end: from files that torch writes to checkpoints that load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pagjax import checkpoints
from pagjax.checkpoints import CheckpointError, store
from pagjax.convert.command import main
from pagjax.convert.conversion import convert, read_labels
from pagjax.networks import NORMALIZERS
from peers import torch_networks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cohen_file(tmp_path: Path) -> tuple[Path, torch.nn.Module]:
    network = torch_networks.randomise(torch_networks.cohen_cifar(20), seed=2)
    _centre_logits(network)
    state = {f"1.{key}": value for key, value in network.state_dict().items()}
    path = tmp_path / "checkpoint.pth.tar"
    content = {"epoch": 90, "arch": "cifar_resnet20", "state_dict": state, "optimizer": {}}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path, network


def _picture(generator: np.random.Generator) -> Image.Image:
    colours = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((37, 37), Image.Resampling.BICUBIC)


def _logits(network: torch.nn.Module, picture: Image.Image, normalizer: str) -> torch.Tensor:
    scale = NORMALIZERS[normalizer]
    pixels = np.float32(picture.crop((2, 2, 34, 34))) / 255
    given = (pixels - np.float32(scale.mean)) / np.float32(scale.sd)
    with torch.no_grad():
        return network(torch.from_numpy(given.transpose(2, 0, 1)[None].copy()))[0]


def _centre_logits(network: torch.nn.Module) -> None:
    """Lets random weights tell random pictures apart, whichever class they would prefer."""
    generator = np.random.default_rng(0)
    seen = [_logits(network, _picture(generator), "cifar10-centered") for _ in range(30)]
    logits = torch.stack(seen)
    network.fc.bias.data -= logits.mean(0)


def test_a_converted_network_is_the_network(cohen_file, tmp_path):
    source, network = cohen_file
    labels = tuple("abcdefghij")
    done = convert(source, tmp_path / "out", labels=labels, sigma=0.25)
    base = checkpoints.load(tmp_path / "out")
    images = np.random.default_rng(0).random((3, 32, 32, 3), dtype=np.float32)
    normalizer = NORMALIZERS["cifar10"]
    given = (images - np.float32(normalizer.mean)) / np.float32(normalizer.sd)
    with torch.no_grad():
        expected = network(torch.from_numpy(given.transpose(0, 3, 1, 2).copy())).numpy()
    np.testing.assert_allclose(base.logits_fn(images), expected, rtol=1e-4, atol=1e-4)
    assert base.labels == labels
    assert base.image_shape == (32, 32, 3)
    assert base.training_sigma == 0.25
    assert base.metadata["origin"]["facts"]["arch"] == "cifar_resnet20"
    assert len(base.metadata["origin"]["sha256"]) == 64
    assert "`probe_folder=DIR`" in done.warnings[0]


def test_the_command_says_what_it_found(cohen_file, tmp_path, capsys):
    source, _ = cohen_file
    destination = tmp_path / "out"
    assert main([str(source), str(destination), "--normalizer", "cifar10-centered"]) == 0
    told = capsys.readouterr()
    assert "cifar-resnet20-b, 10 classes, 32x32" in told.out
    assert "cifar10-centered" in told.out
    assert told.err == ""
    assert main([str(source), str(destination)]) == 1
    assert "exists" in capsys.readouterr().err
    assert main([str(source), str(destination), "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"normalizer": "mnist"}, "choose one of"),
        ({"sigma": -1.0}, "sigma -1.0"),
        ({"labels": ["one"]}, "1 labels for 10 classes"),
        ({"normalizer": "none", "probe_folder": "."}, "give one of them"),
    ],
)
def test_bad_options_leave_nothing_behind(cohen_file, tmp_path, arguments, message):
    with pytest.raises(CheckpointError, match=message):
        convert(cohen_file[0], tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_failed_write_leaves_nothing_behind(cohen_file, tmp_path, monkeypatch):
    """The directory appears only once it is whole."""
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        convert(cohen_file[0], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_loading_what_is_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        store.restore(tmp_path / "missing")
    with pytest.raises(CheckpointError, match="no pagjax checkpoint"):
        store.restore(tmp_path)


def _labelled_folder(folder: Path, network: torch.nn.Module, normalizer: str, count: int) -> None:
    """Random pictures, filed under what the network calls them with this normaliser."""
    generator = np.random.default_rng(5)
    for index in range(count):
        picture = _picture(generator)
        label = str(int(_logits(network, picture, normalizer).argmax()))
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture.save(folder / label / f"{index}.png")


def test_probing_chooses_the_normalizer(cohen_file, tmp_path):
    source, network = cohen_file
    _labelled_folder(tmp_path / "pictures", network, "cifar10-centered", 60)
    done = convert(source, tmp_path / "out", probe_folder=tmp_path / "pictures")
    assert done.normalizer == "cifar10-centered"
    assert done.description.origin["probe"]["accuracy"]["cifar10-centered"] > 0.9
    assert done.warnings == ()


def test_probing_refuses_to_guess(cohen_file, tmp_path):
    source, network = cohen_file
    _labelled_folder(tmp_path / "pictures", network, "cifar10-centered", 4)
    with pytest.raises(CheckpointError, match="cannot be told from 4 pictures"):
        convert(source, tmp_path / "out", probe_folder=tmp_path / "pictures")


def test_labels_from_text_and_json(tmp_path):
    (tmp_path / "a.txt").write_text("tench\n goldfish \n\n")
    (tmp_path / "b.json").write_text(json.dumps({"0": ["n01", "tench"], "1": ["n02", "shark"]}))
    (tmp_path / "c.json").write_text("{")
    assert read_labels(tmp_path / "a.txt") == ("tench", "goldfish")
    assert read_labels(tmp_path / "b.json") == ("tench", "shark")
    with pytest.raises(CheckpointError, match=r"c\.json"):
        read_labels(tmp_path / "c.json")


def test_nothing_of_the_converter_imports_torch(cohen_file, tmp_path):
    program = (
        "import sys; from pagjax.convert.command import main; "
        f"code = main([{str(cohen_file[0])!r}, {str(tmp_path / 'out')!r}]); "
        "assert 'torch' not in sys.modules; raise SystemExit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_published_resnet20_keeps_its_accuracy(shared, tmp_path):
    """91.73% of CIFAR-10's 10,000 test images, as in PyTorch."""
    tfds = pytest.importorskip("tensorflow_datasets")
    import jax

    convert(shared / "published" / "resnet20-12fca82f.th", tmp_path / "out")
    base = checkpoints.load(tmp_path / "out")
    source = tfds.data_source("cifar10", split="test", data_dir=str(shared / "tfds"))
    correct = 0
    classify = jax.jit(lambda logits_fn, images: logits_fn(images).argmax(-1))
    for first in range(0, len(source), 500):
        rows = source.__getitems__(list(range(first, first + 500)))
        images = np.stack([row["image"] for row in rows]).astype(np.float32) / 255
        labels = np.array([row["label"] for row in rows])
        correct += int((np.asarray(classify(base.logits_fn, images)) == labels).sum())
    assert correct == 9173


def test_the_published_resnet50_agrees_with_pytorch(shared, tmp_path):
    path = shared / "published" / "noise_0.25" / "checkpoint.pth.tar"
    convert(path, tmp_path / "out", image_size=112, sigma=0.25)
    base = checkpoints.load(tmp_path / "out")
    content = torch.load(path, map_location="cpu", weights_only=False)
    network = torch_networks.resnet50(10).eval()
    network.load_state_dict(
        {k.removeprefix("1.module."): v.float() for k, v in content["state_dict"].items()}
    )
    images = np.random.default_rng(0).random((2, 112, 112, 3), dtype=np.float32)
    scale = NORMALIZERS["imagenet"]
    given = (images - np.float32(scale.mean)) / np.float32(scale.sd)
    with torch.no_grad():
        expected = network(torch.from_numpy(given.transpose(0, 3, 1, 2).copy())).numpy()
    np.testing.assert_allclose(base.logits_fn(images), expected, rtol=1e-4, atol=1e-4)
