"""The one place that decides which class of a network a folder, or a data set's class, is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pagjax.io.files.errors import DataError, shown
from pagjax.wording.names import by_name, normal

if TYPE_CHECKING:
    from pagjax.networks.base import BaseNetwork

CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
# Imagenette's WordNet ids: their names, and their places in ImageNet's order.
IMAGENETTE = {
    "n01440764": ("tench", 0),
    "n02102040": ("English springer", 217),
    "n02979186": ("cassette player", 482),
    "n03000684": ("chain saw", 491),
    "n03028079": ("church", 497),
    "n03394916": ("French horn", 566),
    "n03417042": ("garbage truck", 569),
    "n03425413": ("gas pump", 571),
    "n03445777": ("golf ball", 574),
    "n03888257": ("parachute", 701),
}
IMAGENET = 1000
_WORDNET_ID = re.compile(r"n[0-9]{8}")
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Classes:
    """A network's classes.

    Attributes:
        labels: names in order; the indices as text where it knows none.
        wordnet_ids: WordNet ids in the same order, such as ``"n01440764"``, or None.
    """

    labels: tuple[str, ...]
    wordnet_ids: tuple[str, ...] | None = None

    @classmethod
    def of(cls, network: BaseNetwork) -> Classes:
        """Of a `pagjax.networks.BaseNetwork`."""
        return cls(tuple(network.labels), network.description.wordnet_ids)

    @property
    def named(self) -> bool:
        """Whether the labels are more than the indices as text."""
        return self.labels != tuple(map(str, range(len(self.labels))))


def is_wordnet_id(name: str) -> bool:
    """Whether a name has the form of an ImageNet class's id."""
    return _WORDNET_ID.fullmatch(name) is not None


def match(names: Sequence[str], classes: Classes, where: str) -> tuple[int, ...]:
    """The class index of each name, by label, else by index, else by WordNet id; never by place.

    A label matches a folder that is called as it, or as one of its synonyms between commas; case,
    underscores, hyphens and spaces do not matter. Numbers count from 0.

    Args:
        names: of folders or of a data set's classes; some of the network's classes, or all.
        classes: the network's.
        where: the folder or data set, for messages.

    Returns:
        Class indices, all different, one for each name.

    Raises:
        DataError: if a name means no class or several, or two names mean the same; the message
            lists them.

    Example:
        >>> imagenet = Classes(("tench, Tinca tinca", "goldfish", "golf ball"))
        >>> match(["golf_ball", "Tench"], imagenet, "photographs")
        (2, 0)
        >>> match(["01"], imagenet, "photographs")
        (1,)
    """
    candidates = _by_label(names, classes)
    if classes.named and any(candidates):
        unknown = [name for name, found in zip(names, candidates, strict=True) if not found]
        if unknown:
            raise DataError(_no_class(unknown, names, classes, where))
        indices = _decided(names, candidates, classes, where)
    elif all(_NUMBER.fullmatch(name) for name in names):
        indices = _by_index(names, classes, where)
    elif all(is_wordnet_id(name) for name in names):
        indices = _by_wordnet_id(names, classes, where)
    else:
        raise DataError(_no_class(list(names), names, classes, where))
    _check_distinct(names, indices, classes, where)
    return tuple(indices)


def match_one(name: str, classes: Classes) -> int:
    """The class that a name means.

    Raises:
        DataError: if it means none or several.
    """
    return match([name], classes, f"`class_name={name}`")[0]


def _by_label(names: Sequence[str], classes: Classes) -> list[frozenset[int]]:
    """For each name the classes that one of whose synonyms it is, or all of them together."""
    return [by_name(name, classes.labels) for name in names]


def _decided(
    names: Sequence[str], candidates: Sequence[frozenset[int]], classes: Classes, where: str
) -> list[int]:
    """One class for each name.

    Of several the one whose whole label the name is, if the others have folders of their own.
    """
    whole = [_whole(name, found, classes) for name, found in zip(names, candidates, strict=True)]
    indices = []
    for position, (name, found) in enumerate(zip(names, candidates, strict=True)):
        others = {
            next(iter(given)) if len(given) == 1 else own
            for other, (given, own) in enumerate(zip(candidates, whole, strict=True))
            if other != position
        }
        own = whole[position]
        if len(found) == 1:
            indices.append(next(iter(found)))
        elif own is not None and found - {own} <= others:
            indices.append(own)
        else:
            told = " or ".join(f"{i} ({classes.labels[i]})" for i in sorted(found))
            raise DataError(
                f"{where}: {name!r} may be class {told}: name every folder by its index, "
                f"0 to {len(classes.labels) - 1}, or by WordNet id"
            )
    return indices


def _whole(name: str, found: Iterable[int], classes: Classes) -> int | None:
    """The only class whose whole label a name is: letter by letter, else as `normal` reads it."""
    for same in (lambda label: label == name, lambda label: normal(label) == normal(name)):
        equal = [index for index in found if same(classes.labels[index])]
        if len(equal) == 1:
            return equal[0]
    return None


def _by_index(names: Sequence[str], classes: Classes, where: str) -> list[int]:
    count = len(classes.labels)
    # A longer number is out of range, and Python refuses to read the longest.
    outside = [name for name in names if len(name.lstrip("0")) > 9 or int(name) >= count]
    if outside:
        raise DataError(
            f"{where}: {shown(outside)} out of range for {count} classes, which are numbered from "
            f"0 to {count - 1}: rename the folders"
        )
    return [int(name) for name in names]


def _by_wordnet_id(names: Sequence[str], classes: Classes, where: str) -> list[int]:
    if classes.wordnet_ids is not None:
        known: Mapping[str, int] = {id_: i for i, id_ in enumerate(classes.wordnet_ids)}
    elif is_imagenet(names) and may_be_imagenet(classes):
        known = {id_: i for i, id_ in enumerate(sorted(names))}
    else:
        labels = [IMAGENETTE[name][0] for name in names if name in IMAGENETTE]
        found = dict(zip(labels, _by_label(labels, classes), strict=True))
        known = {
            id_: next(iter(found[label]))
            for id_, (label, _) in IMAGENETTE.items()
            if len(found.get(label, ())) == 1
        }
    unknown = [name for name in names if name not in known]
    if unknown:
        cure = (
            "rename or remove them"
            if classes.wordnet_ids is not None
            else "convert it with the `labels` of a file that has them, such as "
            "LOC_synset_mapping.txt, or name the folders by label or index"
        )
        raise DataError(
            f"{where}: {shown(unknown)} among WordNet ids that the network does not know: {cure}"
        )
    return [known[name] for name in names]


def is_imagenet(names: Sequence[str]) -> bool:
    """Whether names are the ids of ImageNet's 1000 classes, by number and Imagenette's places."""
    ordered = sorted(set(names))
    return len(ordered) == IMAGENET and all(
        ordered[place] == id_ for id_, (_, place) in IMAGENETTE.items()
    )


def may_be_imagenet(classes: Classes) -> bool:
    """Whether labels, if there are any, are ImageNet's in the order of WordNet ids."""
    if len(classes.labels) != IMAGENET:
        return False
    return not classes.named or all(
        normal(name) in map(normal, classes.labels[place].split(","))
        for name, place in IMAGENETTE.values()
    )


def _no_class(unknown: list[str], names: Sequence[str], classes: Classes, where: str) -> str:
    count = len(classes.labels)
    if not classes.named:
        return (
            f"{where}: the network has no names for its {count} classes, so what is class "
            f"{shown(unknown)}? Name the folders by index, 0 to {count - 1}, or convert the "
            "network with its `labels`"
        )
    if len(unknown) < len(names):
        which = f"{len(unknown)} of {len(names)} names are no class of the network"
    else:
        which = "no class of the network is called so"
    return (
        f"{where}: {which}: {shown(unknown)}. It knows {shown(list(classes.labels), 10)}: name all "
        f"by label, all by index (0 to {count - 1}) or all by WordNet id, and move others away"
    )


def _check_distinct(
    names: Sequence[str], indices: Sequence[int], classes: Classes, where: str
) -> None:
    seen: dict[int, str] = {}
    for name, index in zip(names, indices, strict=True):
        if index in seen:
            raise DataError(
                f"{where}: {seen[index]!r} and {name!r} both mean class {index} "
                f"({classes.labels[index]}): merge them"
            )
        seen[index] = name
