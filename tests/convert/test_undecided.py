"""What a file does not tell is said with its default and its option, or tried on pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pagjax.checkpoints import CheckpointError
from pagjax.convert import layouts, torch_resnets, undecided
from pagjax.convert.command import main
from pagjax.networks import NORMALIZERS, Normalizer
from pagjax.networks.normalizer import parse, spelled
from peers import torch_networks
from tests.convert.files import (
    Bottleneck,
    arrays,
    save_and_convert,
    small,
    state,
    torch_logits,
    with_pool,
)


def _options(content, given=None, structure=None):
    layout = layouts.recognise(content)
    architecture = torch_resnets.identify(layout.state)
    return (
        undecided.normalizers(layout, architecture, given),
        undecided.structures(layout, architecture, structure or {}),
    )


def test_code_of_known_publishers_settles_the_structure():
    for network in (small(), small("imagenet", Bottleneck)):
        _, structures = _options({"state_dict": arrays(network, "1.module.")})
        assert structures.warnings == ()
        assert list(structures.values) == [""]
        assert "stem of stride" in structures.notes[0]
        assert all("locuslab" in entry["by"] for entry in structures.decided.values())


@pytest.mark.parametrize(
    ("network", "words", "number"),
    [
        (small(), ["`stem_stride=2`", "`max_pool=True`"], 4),
        (small("imagenet"), ["`stem_stride=1`", "`max_pool=False`"], 4),
        (
            small("imagenet", Bottleneck),
            ["`stem_stride=1`", "`max_pool=False`", "`stride_on=1x1`"],
            8,
        ),
        (
            torch_networks.TorchResNet("cifar", type(small().layer1[0]), (1, 1), 4, 5, None),
            ["`stem_stride=2`", "`max_pool=True`", "`shortcut=padding_end`"],
            8,
        ),
    ],
)
def test_everything_open_is_one_warning(network, words, number):
    _, structures = _options(arrays(network))
    (warning,) = structures.warnings
    assert all(word in warning for word in (*words, "`probe_folder=DIR`"))
    assert len(structures.values) == number
    assert next(iter(structures.values)) == ""


def test_what_is_given_is_neither_said_nor_tried():
    structure = {"stem_stride": 1, "max_pool": False, "stride_on": "1x1"}
    _, structures = _options(arrays(small("imagenet", Bottleneck)), structure=structure)
    assert structures.warnings == structures.notes == ()
    assert list(structures.values.values()) == [structure]


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ({"stride_on": "1x1"}, "leaves only stem_stride, max_pool open"),
        ({"stem_stride": 3}, "stem_stride 3: must be 1 or 2"),
        ({"stem_stride": True}, "stem_stride True: must be 1 or 2"),
        ({"max_pool": 1}, "max_pool 1: must be False or True"),
        ({"padding": 1}, "padding 1: a .* leaves only"),
    ],
)
def test_choices_that_a_network_does_not_have(structure, message):
    with pytest.raises(CheckpointError, match=message):
        _options(arrays(small()), structure=structure)


STORED = {"mu": np.full((1, 3, 1, 1), 0.4), "sigma": np.full((1, 3, 1, 1), 0.2)}


def test_stored_numbers_say_nothing_of_a_clamp():
    content = {**STORED, **arrays(small())}
    taken, _ = _options(content)
    assert taken.default == Normalizer((0.4,) * 3, (0.2,) * 3)
    assert "`normalizer=stored-clamped`" in taken.warnings[0]
    clamped, _ = _options(content, "stored-clamped")
    assert clamped.default == Normalizer((0.4,) * 3, (0.2,) * 3, clamp=True)
    assert clamped.warnings == clamped.notes == ()
    replaced, _ = _options(content, "half")
    assert "own normaliser was replaced by half" in replaced.notes[0]
    with pytest.raises(CheckpointError, match="the file holds none"):
        _options(arrays(small()), "stored")


def test_stored_numbers_of_whole_pixels_are_refused_with_the_cure():
    content = {**STORED, "mu": np.full((1, 3, 1, 1), 102.0), "sigma": np.full((1, 3, 1, 1), 51.0)}
    with pytest.raises(
        CheckpointError, match=r"own normaliser \(at its top\).*0\.4,0\.4,0\.4/0\.2"
    ):
        _options(content | arrays(small()))
    assert _options(content | arrays(small()), "0.4/0.2")[0].default.mean == (0.4,) * 3


def test_normalisers_that_differ_are_refused():
    content = {"a.mean": np.full(3, 0.5), "a.std": np.full(3, 0.5)}
    content |= {"b.mean": np.full(3, 0.4), "b.std": np.full(3, 0.5)}
    with pytest.raises(CheckpointError, match=r"2 normalisers that differ \(at a., b.\)"):
        _options(content | arrays(small()))


def test_a_hundred_classes_are_cifar_100():
    taken, _ = _options(arrays(small(classes=100)))
    assert taken.default == NORMALIZERS["cifar100"]
    assert "took cifar100" in taken.warnings[0]


@pytest.mark.parametrize("name", NORMALIZERS)
def test_normalisers_are_read_as_they_are_spelled(name):
    assert parse(name) == parse(spelled(parse(name))) == NORMALIZERS[name]
    assert parse(spelled(NORMALIZERS[name]).removesuffix("-clamped") + "-clamped").clamp


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mnist", "choose one of imagenet"),
        ("0.5", "MEAN/SD"),
        ("0.5/", "MEAN/SD"),
        ("0.5/0.5/0.5", "MEAN/SD"),
        ("0.5,0.5/0.5", "one of each|2 channels"),
        ("0.5/0", "sd above 0"),
        ("nan/1", "finite"),
        ("123.675,116.28,103.53/58.395,57.12,57.375", "0.485,0.456,0.406/0.229,0.224,0.225"),
        ("127.5/127.5-clamped", "by 255: 0.5,0.5,0.5/0.5,0.5,0.5"),
    ],
)
def test_numbers_that_are_no_normaliser(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def _pictures(folder: Path, network: torch.nn.Module, normalizer: Normalizer) -> None:
    """Random pictures, filed under what the network calls them."""
    generator = np.random.default_rng(7)
    for index in range(70):
        colours = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(colours).resize((18, 18), Image.Resampling.NEAREST)
        pixels = np.float64(picture.crop((1, 1, 17, 17)))[None] / 255
        logits = torch_logits(network, pixels, normalizer.mean, normalizer.sd)
        label = folder / str(int(logits[0].argmax()))
        label.mkdir(parents=True, exist_ok=True)
        picture.save(label / f"{index}.png")


def _centred(network: torch.nn.Module, normalizer: Normalizer) -> torch.nn.Module:
    """With classes that random pictures fall into evenly."""
    seen = np.random.default_rng(0).random((200, 16, 16, 3))
    logits = torch_logits(network, seen, normalizer.mean, normalizer.sd)
    network.fc.weight.data /= torch.from_numpy(logits.std(0))[:, None]
    network.fc.bias.data -= torch.from_numpy(logits.mean(0))
    network.fc.bias.data /= torch.from_numpy(logits.std(0))
    return network


def test_probing_finds_structure_and_normaliser_together(tmp_path):
    normalizer = NORMALIZERS["cifar10-centered"]
    network = _centred(with_pool(small(width=8)), normalizer)
    _pictures(tmp_path / "pictures", network, normalizer)
    done = save_and_convert(tmp_path, {"net": state(network)}, probe_folder=tmp_path / "pictures")
    assert done.normalizer == "cifar10-centered"
    assert done.description.config.max_pool is True
    assert done.description.config.stem_stride == 1
    assert done.warnings == ()
    probe = done.description.origin["probe"]
    assert len(probe["accuracy"]) == 16
    assert probe["accuracy"]["cifar10-centered, max_pool=True"] > 0.9
    assert done.description.origin["structure"]["max_pool"] == {"value": True, "by": "probe"}
    again = save_and_convert(
        tmp_path,
        {"net": state(network)},
        normalizer="cifar10-centered",
        structure={"stem_stride": 1},
        probe_folder=tmp_path / "pictures",
        overwrite=True,
    )
    assert again.description.config.max_pool is True
    assert len(again.description.origin["probe"]["accuracy"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "nobody"], "weights 'nobody': none of this name; the file has\n  net:"),
        (["--normalizer", "123.675/58.4"], "by 255: 0.485"),
        (["--stride-on", "1x1"], "leaves only stem_stride, max_pool open"),
        (["--probe", "nowhere"], "nowhere"),
        (["--labels", "nowhere"], "nowhere"),
    ],
)
def test_errors_of_the_command(tmp_path, capsys, arguments, message):
    torch.save({"net": state(small())}, tmp_path / "file.pt")
    assert main([str(tmp_path / "file.pt"), str(tmp_path / "out"), *arguments]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert not (tmp_path / "out").exists()


def test_numbers_that_cannot_be_end_before_the_file_is_read(tmp_path, capsys):
    for arguments in (["--image-size", "0"], ["--sigma", "64"], ["--sigma", "25%"]):
        with pytest.raises(SystemExit, match="2"):
            main([str(tmp_path / "none.pt"), str(tmp_path / "out"), *arguments])
        assert arguments[0] in capsys.readouterr().err


def test_a_destination_that_cannot_be(tmp_path, capsys):
    torch.save({"net": state(small())}, tmp_path / "file.pt")
    for destination in (tmp_path / "file.pt", tmp_path / "file.pt" / "below"):
        assert main([str(tmp_path / "file.pt"), str(destination)]) == 1
        assert capsys.readouterr().err.startswith("error: ")
    assert (tmp_path / "file.pt").is_file()


def test_the_command_says_what_it_took(tmp_path, capsys):
    content = {"state_dict": state(small()), "state_dict_ema": state(small(seed=2))}
    torch.save(content, tmp_path / "file.pt")
    arguments = [str(tmp_path / "file.pt"), str(tmp_path / "out")]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "weights: state_dict\n" in told.out
    assert "warning: the file also holds other weights (state_dict_ema)" in told.err
    given = ["--weights", "state_dict_ema", "--normalizer", "0.5/0.5-clamped", "--overwrite"]
    assert main([*arguments, *given, "--stem-stride", "1", "--no-max-pool"]) == 0
    told = capsys.readouterr()
    assert "weights: state_dict_ema\n" in told.out
    assert "clamp=True" in told.out
    assert told.err == ""
