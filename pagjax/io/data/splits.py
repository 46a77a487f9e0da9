"""Which folder holds a split's class folders; a split is never taken for a class."""

from __future__ import annotations

import re
from pathlib import Path

from pagjax.io.data.class_folders import Classes, match
from pagjax.io.files.errors import DataError, shown
from pagjax.io.pictures import listing

SPLITS = frozenset(
    "dev eval evaluation holdout test testing tests train training val valid validation".split()  # noqa: SIM905
)

_WITH_THEM = frozenset("data dataset image images img imgs sample samples seg set split".split())  # noqa: SIM905


def is_split(name: str) -> bool:
    """Whether a folder is called as splits are.

    Example:
        >>> [is_split(name) for name in ("Train", "training_set", "val2017", "test tube")]
        [True, True, True, False]
    """
    words = set(re.findall(r"[^\W\d_]+", name.casefold()))
    return bool(words & SPLITS) and words <= SPLITS | _WITH_THEM


def find(folder: Path, split: str, classes: Classes | None) -> tuple[Path, bool]:
    """Where a split's class folders lie.

    A folder of that name inside `folder`; or `folder` itself, where it holds class folders and
    nothing that is called as splits are.

    Args:
        folder: the data.
        split: a plain name, such as ``"val"``.
        classes: of the network; where the folders are its labels, they are classes, whatever they
            are called.

    Returns:
        The folder, and whether it is the split's own.

    Raises:
        DataError: if there is no such split; the message lists those that are.
    """
    if "[" in split or "+" in split:
        raise DataError(f"split {split!r}: slices are for TFDS; {folder} is a folder")
    if split in ("", ".", "..") or Path(split).name != split:
        raise DataError(f"split {split!r}: the name of a folder in {folder}")
    inside = listing.subfolders(folder)
    named = [path for path in inside if path.name == split]
    named = named or [path for path in inside if path.name.casefold() == split.casefold()]
    if any(is_split(path.name) for path in inside) and _are_classes(inside, classes):
        return folder, False
    if len(named) == 1:
        return named[0], True
    there = [path.name for path in inside if is_split(path.name)]
    if there or not is_split(split):
        cure = f": pass `split={there[-1]}`" if there else ", which are no splits"
        names = there or [path.name for path in inside]
        raise DataError(
            f"no folder {split!r} in {folder}; found "
            + (f"{shown(names)}{cure}" if names else "no folders")
        )
    return folder, False


def _are_classes(folders: list[Path], classes: Classes | None) -> bool:
    if classes is None or not classes.named:
        return False
    try:
        match([path.name for path in folders], classes, "")
    except DataError:
        return False
    return True
