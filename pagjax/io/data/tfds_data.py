"""A prepared data set of TFDS, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pagjax.io.data.class_folders import CIFAR10, IMAGENETTE, Classes, is_wordnet_id, match
from pagjax.io.files.errors import DataError, shown

_WORKERS = 8
_FILE = "file_name"


class Source(NamedTuple):
    """A split's records: how to read pictures, class indices, classes, what to tell, its parts.

    Where the records of a whole split name their files, `by_file` has their numbers sorted by class
    and file, as those of class folders are.
    """

    read: Callable[[Sequence[int]], list[Any]]
    targets: np.ndarray
    classes: Classes
    notes: list[str]
    spans: tuple[tuple[str, int, int], ...] | None
    by_file: np.ndarray | None = None


def find(name: str, split: str, classes: Classes | None, data_dir: str | Path | None) -> Source:
    """A split of a data set.

    Args:
        name: of the data set.
        split: as TFDS reads it.
        classes: the network's; None takes the data set's. A network without names is taken to
            have the data set's order, if it has as many classes, and told so.
        data_dir: where TFDS prepared it; None means TFDS's own default.

    Raises:
        DataError: if it is unknown, not prepared, has no such split, no labelled images, or other
            classes than the network.
    """
    tfds = library(name)
    where = data_dir or "~/tensorflow_datasets"
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        source = builder.as_data_source(split)
        decoders = _undecoded(tfds, builder.info.features)
        beside = builder.as_data_source(split, decoders=decoders) if decoders else source
    except tfds.core.registered.DatasetNotFoundError:
        raise DataError(f"{name!r} is neither a folder nor a data set that TFDS knows") from None
    except (ValueError, OSError, KeyError, AssertionError, NotImplementedError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        if said.startswith("Unknown split"):
            raise DataError(f"{name}: {said} (pass `split`)") from error
        is_local = data_dir is not None and "://" not in str(data_dir)
        if is_local and not Path(str(data_dir)).expanduser().is_dir():
            raise DataError(f"{data_dir}: no such folder (`data_dir`)") from error
        if "file format" in said:
            said = "no files in a format that is read image by image (array_record)"
        raise DataError(
            f"{name} ({split}) is not ready in {where}: {said}\n"
            f'prepare it once with `python -c "import tensorflow_datasets as tfds; '
            f"tfds.builder('{name}', data_dir='{where}', file_format='array_record')"
            f'.download_and_prepare()"` (needs the internet), or pass `data_dir`'
        ) from error
    features = builder.info.features
    missing = [key for key in ("image", "label") if key not in features]
    if missing or getattr(features["label"], "num_classes", None) is None:
        raise DataError(f"{name} has no {missing[0] if missing else 'class'}: not labelled images")
    own = _classes(name, features["label"])

    def read(indices: Sequence[int]) -> list[Any]:
        return [record["image"] for record in source.__getitems__(list(indices))]

    labels, files = _told(beside)
    whole = _FILE in features and split in builder.info.splits
    by_file = _by_file(features["label"], labels, files) if whole else None
    spans = _spans(tfds, builder, split)
    if classes is None:
        return Source(read, labels, own, [], spans, by_file)
    if not classes.named and len(own.labels) == len(classes.labels):
        note = f"the network has no class names: taken in {name}'s order"
        notes = [f"{note}, {shown(list(own.labels), 3)}"] if own.named else []
        return Source(read, labels, own, notes, spans, by_file)
    indices = match_data_set(own, classes, name)
    return Source(read, np.array(indices, np.int32)[labels], classes, [], spans, by_file)


def _undecoded(tfds: Any, features: Any) -> Any:
    """Decoders that leave pictures alone, where labels are all that is read."""
    return {"image": tfds.decode.SkipDecoding()} if "image" in features else None


def _told(records: Any) -> tuple[np.ndarray, list[Any]]:
    """Class indices of all records, and the names of their files, where they have them."""

    def told(indices: np.ndarray) -> list[tuple[int, Any]]:
        found = records.__getitems__(indices.tolist())
        return [(int(record["label"]), record.get(_FILE)) for record in found]

    parts = np.array_split(np.arange(len(records)), max(1, len(records) // 1024))
    with ThreadPoolExecutor(_WORKERS) as pool:
        both = [one for part in pool.map(told, parts) for one in part]
    return np.array([label for label, _ in both], np.int32), [file for _, file in both]


def _by_file(feature: Any, labels: np.ndarray, files: Sequence[Any]) -> np.ndarray:
    names = _names(feature)
    keys = [(names[label], file) for label, file in zip(labels, files, strict=True)]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), int)


def library(name: str) -> Any:
    """TFDS, for a data set of that name.

    Raises:
        DataError: where it is not installed, as on systems for which its reader has no wheels.
    """
    try:
        import array_record  # noqa: F401
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            f"{name!r} is no folder, and TFDS's data sets cannot be read here ({error}): pass a "
            "folder of class folders; or install tensorflow-datasets and array-record, which has "
            "wheels for Linux and for macOS on ARM"
        ) from error
    return tfds


def match_data_set(own: Classes, classes: Classes, name: str) -> tuple[int, ...]:
    """The network's class of each of a data set's, by name or WordNet id.

    Raises:
        DataError: if the network has no such classes.
    """
    try:
        return match(own.labels, classes, name)
    except DataError as error:
        if own.wordnet_ids is None or own.wordnet_ids == own.labels:
            raise
        try:
            return match(own.wordnet_ids, classes, name)
        except DataError:
            raise error from None


def _classes(name: str, feature: Any) -> Classes:
    """With names for people where TFDS has digits or WordNet numbers."""
    names = _names(feature)
    if name.split("/")[0].split(":")[0] == "cifar10":
        return Classes(CIFAR10)
    known = [IMAGENETTE[given][0] if given in IMAGENETTE else given for given in names]
    ids = tuple(names) if all(map(is_wordnet_id, names)) else None
    if ids is not None and not all(given in IMAGENETTE for given in names):
        return Classes(ids, ids)
    return Classes(tuple(known), ids)


def _names(feature: Any) -> list[str]:
    return [str(given) for given in getattr(feature, "names", None) or range(feature.num_classes)]


def _spans(tfds: Any, builder: Any, split: str) -> tuple[tuple[str, int, int], ...] | None:
    """The split's parts; None where TFDS does not say, as for its mocks."""
    try:
        read = tfds.core.ReadInstruction.from_spec(split).to_absolute(builder.info.splits)
        count = {name: info.num_examples for name, info in builder.info.splits.items()}
        return tuple(
            (part.splitname, int(part.from_ or 0), int(part.to or count[part.splitname]))
            for part in read
        )
    except Exception:  # an internal interface, asked for advice only
        return None
