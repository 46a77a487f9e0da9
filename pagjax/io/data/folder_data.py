"""The pictures and classes of a folder."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from pagjax.io.data import splits
from pagjax.io.data.class_folders import (
    IMAGENETTE,
    Classes,
    is_imagenet,
    is_wordnet_id,
    match,
    match_one,
)
from pagjax.io.files.errors import DataError, shown
from pagjax.io.pictures import listing


class Found(NamedTuple):
    """Pictures of a folder, each one's class index, the classes, and what to tell of them."""

    files: list[Path]
    targets: list[int]
    classes: Classes
    notes: list[str]


def find(folder: Path, split: str, classes: Classes | None, class_name: str | None) -> Found:
    """The pictures of a split's class folders, or of a flat folder.

    Args:
        folder: the data.
        split: see `pagjax.io.data.splits.find`.
        classes: the network's; None takes the folders' own, in alphabetical order.
        class_name: of a flat folder.

    Raises:
        DataError: if there are no such folders, or their names mean no classes.
    """
    root, own = splits.find(folder, split, classes)
    if class_name is not None:
        return _flat(root, classes, class_name)
    folders = listing.subfolders(root)
    _check(root, folders)
    names = [path.name for path in folders]
    by_folder = [listing.pictures(path) for path in folders]
    count, loose = sum(map(len, by_folder)), len(listing.pictures(root, deep=False))
    if not folders or not count or (classes is None and len(folders) < 2):
        least = "two classes or more" if classes is None else "each class"
        flat = f"; {loose} pictures lie in it: are they of one class? pass `class_name=NAME`"
        raise DataError(
            f"{root}: expected a folder of pictures for each of {least}, found {len(folders)} "
            f"folders and {count} pictures in them" + (flat if loose else _unread(root, folders))
        )
    notes = []
    if not own:
        notes.append(f"{root} holds class folders itself, no splits: all of it is taken")
    empty = [name for name, files in zip(names, by_folder, strict=True) if not files]
    if classes is None:
        if empty:
            raise DataError(f"{root}: no pictures in class {shown(empty)}: remove the folder")
        indices, classes = tuple(range(len(names))), _defined(names)
        notes.append(f"{len(names)} classes in alphabetical order: {shown(list(classes.labels))}")
    else:
        indices = match(names, classes, str(root))
        if len(names) < len(classes.labels):
            notes.append(f"{len(names)} of the network's {len(classes.labels)} classes")
        if not classes.named and is_imagenet(names):
            notes.append("a network without labels: took its classes in the order of WordNet ids")
    if empty:
        notes.append(f"no pictures in class {shown(empty)}")
    if loose:
        notes.append(f"{loose} pictures beside the class folders are left out")
    notes += [unread.removeprefix("; ") for unread in [_unread(root, folders)] if unread]
    return Found(
        [file for files in by_folder for file in files],
        [index for index, files in zip(indices, by_folder, strict=True) for _ in files],
        classes,
        notes,
    )


def _flat(root: Path, classes: Classes | None, class_name: str) -> Found:
    files = listing.pictures(root, deep=False)
    deeper = [path.name for path in listing.subfolders(root) if listing.pictures(path)]
    if deeper:
        raise DataError(
            f"{root} holds folders with pictures ({shown(deeper)}): `class_name={class_name}` is "
            "for a folder that holds the pictures of one class itself"
        )
    if not files:
        raise DataError(f"{root}: no pictures, by suffix{_unread(root, [root])}")
    classes = classes or Classes((class_name,))
    index = match_one(class_name, classes) if len(classes.labels) > 1 or classes.named else 0
    told = f"all {len(files)} pictures are taken as class {index} ({classes.labels[index]})"
    return Found(files, [index] * len(files), classes, [told])


def _defined(names: list[str]) -> Classes:
    """Classes that folders define: Imagenette's ids get their names."""
    if not all(map(is_wordnet_id, names)):
        return Classes(tuple(names))
    known = all(name in IMAGENETTE for name in names)
    labels = tuple(IMAGENETTE[name][0] for name in names) if known else tuple(names)
    return Classes(labels, tuple(names))


def _check(root: Path, folders: list[Path]) -> None:
    """Refuses folders that are one folder, lead back to the root, or have unwritable names."""
    seen: dict[str, Path] = {}
    top = os.path.realpath(root)
    for path in folders:
        real = os.path.realpath(path)
        if (top + os.sep).startswith(real.rstrip(os.sep) + os.sep):
            raise DataError(f"{path} is a link that leads back to {root}: remove it")
        if real in seen:
            raise DataError(f"{seen[real]} and {path} are one folder: remove one of them")
        seen[real] = path
        try:
            path.name.encode("utf-8")
        except UnicodeEncodeError:
            raise DataError(f"{str(path)!a}: a name that is no text: rename it") from None


def _unread(root: Path, folders: list[Path]) -> str:
    """What is told of pictures of kinds that are not read, where there are any."""
    kinds: Counter[str] = Counter()
    for path in {root, *folders}:
        kinds += listing.other_suffixes(path)
    told = ", ".join(f"{count} {suffix}" for suffix, count in kinds.most_common(3))
    return f"; of kinds that are not read: {told}" if told else ""
