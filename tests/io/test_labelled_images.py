"""Data opened for a network: splits, hidden things, damage, flat folders, TFDS names."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pagjax.io.data import tfds_data
from pagjax.io.data.class_folders import IMAGENETTE, Classes
from pagjax.io.data.labelled_images import LabelledImages, num_shared, open_data
from pagjax.io.files.errors import DataError, ImageError
from pagjax.io.pictures import listing

CIFAR = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
KNOWN = Classes(CIFAR)
SHADE = {name: 20 * index for index, name in enumerate(CIFAR)}


def picture(path: Path, shade: int = 0, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), (shade, 100, 0)).save(path)


def opened(folder: Path, split: str = "test", classes: Classes | None = KNOWN, **how: object):
    return open_data(str(folder), split, 8, classes=classes, **how)


def labels_of(data: LabelledImages) -> list[str]:
    return [data.labels[index] for index in data.targets]


def test_folders_are_the_networks_classes_whatever_their_order(cases):
    network = Classes(CIFAR[::-1])
    data = opened(cases / "class_folders" / "other-order", classes=network)
    assert data.labels == CIFAR[::-1]
    assert data.files is not None
    assert labels_of(data) == [file.parent.name for file in data.files]
    assert data.targets.tolist() == list(range(10))[::-1]


@pytest.mark.parametrize("classes", [None, KNOWN, Classes(("ants", "bees"))])
def test_a_split_that_is_not_there_is_refused_with_those_that_are(classes, cases):
    folder = cases / "class_folders" / "hymenoptera"
    with pytest.raises(DataError, match=r"no folder 'test' in .*; found 'train', 'val': pass `spl"):
        opened(folder, classes=classes)
    assert opened(folder, "val", Classes(("bees", "ants"))).targets.tolist() == [1, 0]
    assert opened(folder, "VAL", None).labels == ("ants", "bees")


@pytest.mark.parametrize("names", [("training_set", "test_set"), ("Train2017", "val2017")])
def test_what_is_called_as_splits_are_is_no_class(names, tmp_path):
    for name in names:
        picture(tmp_path / name / "cat" / "0.png")
        picture(tmp_path / name / "dog" / "0.png")
    with pytest.raises(DataError, match=rf"found .*'{names[0]}'.*: pass `split"):
        opened(tmp_path, "validation", None)
    assert len(opened(tmp_path, names[0], None)) == 2


def test_splits(tmp_path):
    for name in CIFAR:
        picture(tmp_path / name / "0.png")
    assert "no splits" in opened(tmp_path).notes[0]
    with pytest.raises(DataError, match="no folder 'mine'"):
        opened(tmp_path, "mine")
    for split in ("train[:90%]", "train+test"):
        with pytest.raises(DataError, match="slices are for TFDS"):
            opened(tmp_path, split)
    for split in ("../x", "", "/etc", ".."):
        with pytest.raises(DataError, match="the name of a folder"):
            opened(tmp_path, split)
    # A class that is called as splits are.
    vehicles = tmp_path / "vehicles"
    for name in ("train", "bus"):
        picture(vehicles / name / "0.png")
    assert opened(vehicles, "train", Classes(("bus", "train"))).targets.tolist() == [0, 1]
    with pytest.raises(DataError, match="found 'train'"):
        opened(vehicles, "test", None)


def test_hidden_things_are_no_classes_and_no_pictures(cases, tmp_path):
    found = opened(cases / "class_folders" / "notebook", classes=None)
    assert found.labels == CIFAR
    shutil.copytree(cases / "class_folders" / "notebook", tmp_path / "data")
    for name in ("__MACOSX/cat/._0.jpg", "@eaDir/0.jpg", ".git/0.jpg", "cat/._0.jpg", "cat/.0.jpg"):
        picture(tmp_path / "data" / name)
    (tmp_path / "data" / "cat" / "Thumbs.db").write_bytes(b"x")
    assert labels_of(opened(tmp_path / "data")) == list(CIFAR)


def test_damaged_pictures_are_named_skipped_and_counted(cases):
    data = opened(cases / "class_folders" / "damaged")
    assert list(data.damaged(range(10))) == [4]
    assert "deer/0.jpg: not a readable picture" in data.damaged([4])[4]
    with pytest.raises(ImageError, match=r"deer/0\.jpg"):
        data.images(range(10))
    for hold in (False, True):
        kept = data.checked(hold=hold)
        assert labels_of(kept) == [name for name in CIFAR if name != "deer"]
        np.testing.assert_array_equal(kept.images([4, 8]), data.images([5, 9]))
        assert len(kept.skipped) == 1
        assert "1 of 10 pictures skipped" in kept.told()[-1]
    read, wrong = data.readable([3, 4, 5])
    assert (len(read), list(wrong)) == (2, [4])


def test_nothing_readable_is_refused(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"no picture can be read: .*0\.png"):
        opened(tmp_path).checked()


def test_a_flat_folder_of_one_class(tmp_path):
    for number in range(3):
        picture(tmp_path / f"{number}.png")
    with pytest.raises(DataError, match=r"3 pictures lie in it.*`class_name=NAME`"):
        opened(tmp_path)
    for name in ("ship", "8", "SHIP"):
        data = opened(tmp_path, class_name=name)
        assert data.targets.tolist() == [8] * 3
    assert "class 8 (ship)" in data.notes[0]
    assert opened(tmp_path, classes=None, class_name="boat").labels == ("boat",)
    with pytest.raises(DataError, match="'boat'"):
        opened(tmp_path, class_name="boat")
    picture(tmp_path / "deeper" / "0.png")
    with pytest.raises(DataError, match="'deeper'"):
        opened(tmp_path, class_name="ship")
    with pytest.raises(DataError, match="`class_name=ship`"):
        open_data("cifar10", "test", 32, tmp_path, class_name="ship")


def test_what_is_told(tmp_path):
    picture(tmp_path / "cat" / "0.png")
    picture(tmp_path / "loose.png")
    (tmp_path / "dog").mkdir()
    (tmp_path / "cat" / "1.heic").write_bytes(b"x")
    notes = "\n".join(opened(tmp_path).notes)
    assert "2 of the network's 10 classes" in notes
    assert "no pictures in class 'dog'" in notes
    assert "1 pictures beside" in notes
    assert "1 .heic" in notes
    with pytest.raises(DataError, match="no pictures in class 'dog'"):
        opened(tmp_path, classes=None)


def test_folders_that_are_none(tmp_path):
    (tmp_path / "file.zip").write_bytes(b"x")
    for name, message in (
        (str(tmp_path / "file.zip"), "no folder of class folders"),
        (str(tmp_path / "gone"), "no such folder"),
        ("", "no such folder"),
        ("x" * 5000, "x|name"),
    ):
        with pytest.raises(DataError, match=message):
            open_data(name, "test", 8, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found 0 folders and 0 pictures"):
        opened(tmp_path / "empty")


def test_links(tmp_path):
    for name in ("cat", "dog"):
        picture(tmp_path / "data" / name / "0.png")
    (tmp_path / "data" / "cat" / "up").symlink_to(tmp_path / "data")
    assert labels_of(opened(tmp_path / "data")) == ["cat", "dog"]
    (tmp_path / "data" / "ship").symlink_to(tmp_path / "data" / "dog")
    with pytest.raises(DataError, match="one folder"):
        opened(tmp_path / "data")
    (tmp_path / "data" / "ship").unlink()
    (tmp_path / "data" / "ship").symlink_to(tmp_path)
    with pytest.raises(DataError, match="leads back"):
        opened(tmp_path / "data")


def test_wordnet_folders_define_imagenettes_names(tmp_path):
    for id_ in ("n01440764", "n03028079"):
        picture(tmp_path / id_ / "0.png")
    found = opened(tmp_path, classes=None)
    assert found.labels == ("tench", "church")
    assert found.wordnet_ids == ("n01440764", "n03028079")
    picture(tmp_path / "n00000001" / "0.png")
    assert opened(tmp_path, classes=None).labels == ("n00000001", "n01440764", "n03028079")


def test_shared_images_are_counted(tmp_path):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            picture(tmp_path / split / name / "0.png")
    first, second = (opened(tmp_path, split) for split in ("train", "test"))
    assert num_shared(first, second) == 0
    assert num_shared(first, first) == 2
    (tmp_path / "test" / "cat" / "link.png").symlink_to(tmp_path / "train" / "dog" / "0.png")
    assert num_shared(first, opened(tmp_path, "test")) == 1


def test_tfds_names_are_matched_not_counted(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    base = pytest.importorskip("tensorflow_datasets.core.data_sources.base")
    monkeypatch.setattr(
        base.BaseDataSource, "__getitems__", lambda self, keys: [self[key] for key in keys]
    )
    monkeypatch.setattr(tfds_data, "_undecoded", lambda tfds, features: None)  # by TensorFlow
    with tfds.testing.mock_data(num_examples=9):
        own = open_data("cifar10", "test", 16, tmp_path)
        other = open_data("cifar10", "test", 16, tmp_path, classes=Classes(CIFAR[::-1]))
        assert labels_of(own) == labels_of(other)
        assert other.targets.tolist() == (9 - own.targets).tolist()
        unnamed = Classes(tuple(map(str, range(10))))
        taken = open_data("cifar10", "test", 16, tmp_path, classes=unnamed)
        assert taken.targets.tolist() == own.targets.tolist()
        assert "no class names" in taken.notes[0]
        named = Classes(tuple(f"class {letter}" for letter in "abcdefghij"))
        with pytest.raises(DataError, match="no class of the network"):
            open_data("cifar10", "test", 16, tmp_path, classes=named)


@pytest.mark.parametrize("missing", ["tensorflow_datasets", "array_record"])
def test_without_the_reader_of_tfds_folders_are_read(monkeypatch, tmp_path, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(DataError, match="pass a folder of class folders") as refused:
        open_data("cifar10", "test", 16, tmp_path)
    assert "\n" not in str(refused.value)
    for name in ("cat", "dog"):
        picture(tmp_path / "own" / name / "0.png")
    assert labels_of(opened(tmp_path / "own")) == ["cat", "dog"]


def test_a_folder_without_prepared_data_is_told_from_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"no such folder \(`data_dir`\)"):
        open_data("cifar10", "test", 32, tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"(?s)no files in a format .*\nprepare it once"):
        open_data("cifar10", "test", 32, tmp_path)


def test_tfds_wordnet_ids_are_matched_to_names_or_ids():
    names = tuple(name for name, _ in IMAGENETTE.values())
    own = Classes(names, tuple(IMAGENETTE))
    assert tfds_data.match_data_set(own, Classes(names[::-1]), "x") == tuple(range(10))[::-1]
    ids_only = Classes(tuple("abcdefghij"), tuple(IMAGENETTE)[::-1])
    assert tfds_data.match_data_set(own, ids_only, "x") == tuple(range(10))[::-1]


def test_unknown_splits_of_tfds_are_told(shared):
    with pytest.raises(DataError, match=r"validation.*`split"):
        open_data("imagenette/160px-v2", "test", 32, shared / "tfds")


NOISE = (".ipynb_checkpoints", "__MACOSX", ".DS_Store", "@eaDir")
SPELL = (str, str.upper, str.title, lambda name: f"{name}, other")


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(CIFAR),
    st.lists(st.sampled_from([*CIFAR, "unicorn", "3", "12"]), min_size=1, max_size=6, unique=True),
    st.lists(st.sampled_from(NOISE), max_size=2),
    st.sampled_from(["", "test", "val"]),
    st.sampled_from(SPELL),
)
def test_random_trees_are_right_or_refused(tmp_path_factory, labels, names, noise, split, spell):
    """Each picture's shade says what it shows; a number is a class of any name."""
    root = tmp_path_factory.mktemp("tree")
    for name in names:
        picture(root / split / spell(name) / "0.png", SHADE.get(name, 250))
    for name in noise:
        picture(root / split / name / "0.png", 251)
    try:
        data = opened(root, classes=Classes(tuple(labels)))
    except DataError:
        unnamed = any(name not in CIFAR for name in names)
        assert split == "val" or unnamed or spell is SPELL[-1]
        return
    shades = data.images(range(len(data)))[:, 0, 0, 0]
    for label, shade in zip(labels_of(data), shades, strict=True):
        assert shade == SHADE[label] or names == ["3"]
    assert len(data) == len(names)


def test_listing_refuses_what_cannot_be_listed(tmp_path):
    with pytest.raises(ImageError, match="cannot be listed"):
        listing.subfolders(tmp_path / "gone")
