"""The description in a checkpoint's folder: read in bounded memory, checked before it is built."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pagjax.checkpoints.errors import CheckpointError
from pagjax.networks.base import Description
from pagjax.wording.numbers import MOST_SIGMA

FILE = Path("description") / "metadata"
MOST_BYTES = 2**24
MOST_CLASSES = 2**20
MOST_PIXELS = 4096  # of a side
MOST_BLOCKS = 1000
MOST_STAGES = 16
MOST_NUMBER = 2**16  # of a configuration: widths and the like

_KINDS: dict[str, tuple[type, ...]] = {
    "architecture": (str,),
    "config": (dict,),
    "config.stage_sizes": (list,),
    "normalizer": (dict,),
    "normalizer.mean": (list,),
    "normalizer.sd": (list,),
    "image_size": (list,),
    "labels": (list, type(None)),
    "wordnet_ids": (list, type(None)),
    "origin": (dict,),
}
_NAMES = {str: "a name", dict: "an object", list: "a list", type(None): "null"}


def read(folder: Path) -> tuple[Description, dict[str, Any]]:
    """The description of a checkpoint, and the JSON values that it was read from.

    Args:
        folder: of the checkpoint.

    Raises:
        CheckpointError: if it is none, or says what no network can be; the message names the file
            and the field.
    """
    path = folder / FILE
    values = read_json(path, MOST_BYTES)
    _check_kinds(values, path)
    try:
        description = Description.from_json(values)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {_told(error)}") from error
    check(description, path)
    return description, values


def _check_kinds(values: Mapping[str, Any], path: Path) -> None:
    """Refuses a field that is not of its JSON kind; fields that are missing are told elsewhere."""
    inner = {name: values.get(name) for name in ("config", "normalizer")}
    for name, kinds in _KINDS.items():
        outer, _, field = name.rpartition(".")
        holder = inner[outer] if outer else values
        if isinstance(holder, dict) and field in holder and not isinstance(holder[field], kinds):
            expected = " or ".join(_NAMES[kind] for kind in kinds)
            raise CheckpointError(f"{path}: {name} {_shown(holder[field])}: expected {expected}")
    if len(values.get("image_size", (1, 1))) != 2:
        raise CheckpointError(f"{path}: image_size {_shown(values['image_size'])}: expected two")


def read_json(path: Path, most_bytes: int) -> dict[str, Any]:
    """An object from a JSON file of bounded size.

    Raises:
        CheckpointError: if it holds none.
    """
    try:
        if not path.is_file():
            raise CheckpointError(f"{path}: no such file, or no plain one")
        if path.stat().st_size > most_bytes:
            raise CheckpointError(f"{path}: larger than {most_bytes:,} bytes")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: not a JSON object")
    return values


def check(description: Description, where: Path | str) -> None:
    """Refuses a description that no network can have, before anything of its size is made.

    Args:
        description: values of any type, as a file may hold them.
        where: what the message begins with.

    Raises:
        CheckpointError: naming the field and its value.

    Example:
        >>> from pagjax.networks import Normalizer, ResNetConfig
        >>> config = ResNetConfig("cifar", "basic", (1,), 8)
        >>> check(Description("tiny", config, 10, Normalizer(), (32, 32), None, -1.0), "here")
        Traceback (most recent call last):
        ...
        pagjax.checkpoints.errors.CheckpointError: here: training_sigma -1.0: expected a length \
of 0 to 2 in pixel units of [0, 1] (0.25, not 64)
    """

    def refuse(field: str, value: Any, expected: str) -> None:
        raise CheckpointError(f"{where}: {field} {_shown(value)}: expected {expected}")

    if not isinstance(description.architecture, str):
        refuse("architecture", description.architecture, "a name")
    if not _whole(description.num_classes, 1, MOST_CLASSES):
        refuse("num_classes", description.num_classes, f"a whole number, 1 to {MOST_CLASSES:,}")
    for side in description.image_size:
        if not _whole(side, 1, MOST_PIXELS):
            refuse("image_size", description.image_size, f"two sides, 1 to {MOST_PIXELS:,} pixels")
    sigma = description.training_sigma
    if sigma is not None and not (_number(sigma) and 0 <= sigma <= MOST_SIGMA):
        expected = f"a length of 0 to {MOST_SIGMA:g} in pixel units of [0, 1] (0.25, not 64)"
        refuse("training_sigma", sigma, expected)
    for field in ("labels", "wordnet_ids"):
        for name in getattr(description, field) or ():
            if not isinstance(name, str):
                refuse(field, name, "names")
    normalizer = description.normalizer
    for field, channels in (("mean", normalizer.mean), ("sd", normalizer.sd)):
        if len(channels) != 3 or not all(map(_number, channels)):
            refuse(f"normalizer.{field}", channels, "three finite numbers")
    if not isinstance(normalizer.clamp, bool):
        refuse("normalizer.clamp", normalizer.clamp, "true or false")
    if not isinstance(description.origin, Mapping):
        refuse("origin", description.origin, "an object")
    _check_config(description.config, refuse)


def _check_config(config: Any, refuse: Any) -> None:
    """Of whatever architecture: every field by its annotation, and no size out of bounds."""
    for name, kind in get_type_hints(type(config)).items():
        value, field = getattr(config, name), f"config.{name}"
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                refuse(field, value, "one of " + ", ".join(map(str, get_args(kind))))
        elif kind is bool:
            if not isinstance(value, bool):
                refuse(field, value, "true or false")
        elif kind is int:
            if not _whole(value, 0, MOST_NUMBER):
                refuse(field, value, f"a whole number, 0 to {MOST_NUMBER:,}")
        elif get_origin(kind) is tuple:
            numbers = isinstance(value, tuple) and all(_whole(v, 1, MOST_BLOCKS) for v in value)
            if not numbers or not 1 <= len(value) <= MOST_STAGES or sum(value) > MOST_BLOCKS:
                refuse(
                    field,
                    value,
                    f"1 to {MOST_STAGES} whole numbers, {MOST_BLOCKS:,} at most in sum",
                )
        elif kind is str and not isinstance(value, str):
            refuse(field, value, "a name")
        elif dataclasses.is_dataclass(value):
            _check_config(value, refuse)


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _number(value: Any) -> bool:
    """A finite number that a float32 can hold."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and abs(value) < 1e30 and math.isfinite(value)


def _shown(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _told(error: Exception) -> str:
    """An exception of missing or wrong fields as words."""
    if isinstance(error, KeyError):
        return f"the field {error} is missing"
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}..."
