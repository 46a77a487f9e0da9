"""What a comparison works on: judges, starts, neighbours' images, statistics."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pagjax import checkpoints
from pagjax.alignment import Judge
from pagjax.checkpoints.identity import network_digest, weights_digest
from pagjax.comparison import jury
from pagjax.comparison.settings import CENTRE, Comparison
from pagjax.comparison.starts import Starts, from_data
from pagjax.io.data import tfds_data
from pagjax.io.data.class_folders import Classes
from pagjax.io.data.labelled_images import LabelledImages, open_data
from pagjax.io.files import atomic
from pagjax.io.pictures import crops
from pagjax.jobs.errors import JobError
from pagjax.jobs.targets import resolve_target
from pagjax.networks.base import BaseNetwork
from pagjax.seeds import starts, store
from pagjax.seeds.store import ClassStatistics
from pagjax.synthesis.inputs import check_crop

LOW_PASS = "low_pass"


class JudgingNetworks(NamedTuple):
    """Who judges, by the names of their judgements; one network may have several.

    Attributes:
        networks: by kind, see `pagjax.comparison.jury`.
        weights: SHA-256 of their weights.
        identities: SHA-256 of all that they are.
    """

    networks: dict[str, BaseNetwork]
    weights: dict[str, str]
    identities: dict[str, str]


def read_judges(asked: Comparison, networks: Mapping[str, BaseNetwork]) -> JudgingNetworks:
    """The networks that judge.

    Raises:
        JobError: if a judge made all pictures itself, is given twice, or knows other classes.
    """
    makers = {weights_digest(network) for network in networks.values()}
    judges: dict[str, BaseNetwork] = {}
    digests: dict[str, str] = {}
    named = [*zip(jury.kinds(len(asked.judge or ())), asked.judge or (), strict=True)]
    if not named:
        print("no robust judge: its numbers are left out", file=sys.stderr)
    if asked.vanilla_judge is None:
        print("no vanilla judge: its numbers are left out", file=sys.stderr)
    else:
        named.append((jury.VANILLA, asked.vanilla_judge))
    for kind, name in named:
        judge = checkpoints.load(name)
        digest = weights_digest(judge)
        if makers == {digest}:
            raise JobError(
                f"{name} makes all pictures here and cannot judge them: name a judge that is not "
                "the only one of `networks`"
            )
        if judge.labels != next(iter(networks.values())).labels:
            raise JobError(f"{name} knows other classes than the networks: name another judge")
        if kind != jury.VANILLA and digest in digests.values():
            raise JobError(f"`judge={name}` is given twice: a panel hears each network once")
        judges[kind], digests[kind] = judge, digest
    identities = {kind: network_digest(judge) for kind, judge in judges.items()}
    if jury.VANILLA in judges:
        for told in (digests, identities):
            told[LOW_PASS] = told[jury.VANILLA]
    return JudgingNetworks(judges, digests, identities)


def impartial(judges: Mapping[str, BaseNetwork], name: str, network: BaseNetwork) -> list[Judge]:
    """The judges of a network's pictures: none that is partial to it.

    Who is left out is told, see `pagjax.comparison.jury.partial_to`.
    """
    partial = {kind: jury.partial_to(judge, network) for kind, judge in judges.items()}
    for kind, why in partial.items():
        told = f"no {kind.replace('_', ' ')} judge"
        if why == jury.MADE:
            print(f"{name} does not judge its own pictures: {told}", file=sys.stderr)
        elif why:
            print(f"{told} of {name}'s pictures: {why}", file=sys.stderr)
    kept = {kind: judge for kind, judge in judges.items() if not partial[kind]}
    return jury.judges(kept, low_pass=LOW_PASS)


def check_names(names: Sequence[str]) -> None:
    """Refuses networks that cannot be told apart: they would share a folder and a column.

    Raises:
        JobError: for a name or path that is given twice, and folders of one name.
    """
    seen: dict[str, str] = {}
    for name in names:
        short = Path(name).resolve().name
        if short in seen:
            told = "is given twice" if seen[short] == name else f"and {seen[short]} are one name"
            raise JobError(f"`networks={name}`: {told}, {short}: call the folders differently")
        seen[short] = name


def common_form(networks: Mapping[str, BaseNetwork]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The classes and the image shape that all networks share; others are refused."""
    first = next(iter(networks.values()))
    for name, network in networks.items():
        if network.labels != first.labels or network.image_shape != first.image_shape:
            raise JobError(f"{name} has other classes or images than {next(iter(networks))}")
    return first.labels, first.image_shape


def find_statistics(asked: Comparison, labels: Sequence[str], side: int) -> ClassStatistics | None:
    """Gaussians of the networks' classes; None where there are none and the starts need none."""
    if asked.statistics is not None:
        found = store.load(asked.statistics)
        found.scale_to(side)  # or refuses
        if found.labels != tuple(labels):
            raise JobError(f"`statistics={asked.statistics}` is of other classes than the networks")
        return found
    try:
        return store.for_labels(labels, side)
    except store.StatisticsError:
        if asked.data is None:
            raise
        print("no class statistics: numbers that need them are left out", file=sys.stderr)
        return None


def statistics_digest(statistics: ClassStatistics) -> str:
    """SHA-256, as hex, of the Gaussians themselves, whatever they are called."""
    told = [statistics.labels, statistics.side, statistics.factor, statistics.regulariser]
    fits = [(f.mean, f.factors, np.array([f.dropped, f.count])) for f in statistics.fits]
    return atomic.digest_json([told, atomic.digest(*(array for fit in fits for array in fit))])


def data_digest(data: str, split: str, data_dir: Path | None) -> str:
    """SHA-256, as hex, of which files a data set has, how large they are and when they changed.

    Args:
        data: a folder of class folders, or a TFDS name whose data are prepared.
        split: which part is looked at.
        data_dir: where TFDS prepared it.
    """
    folder = Path(data)
    if folder.is_dir():
        folder = folder / split if (folder / split).is_dir() else folder
    else:
        folder = Path(tfds_data.library(data).builder(data, data_dir=data_dir).data_path)
    found = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    told = [[str(path.relative_to(folder)), s.st_size, s.st_mtime_ns] for path, s in found]
    return atomic.digest_json([split, told])


def crop_of(asked: Comparison) -> str:
    """What is kept of the data's pictures, in one form, see `pagjax.io.pictures.crops.parse`.

    Raises:
        JobError: for a crop that is none, and where it would change nothing.
    """
    crop = check_crop(asked.crop, ())
    if crop == CENTRE:
        return crop
    if asked.data is None:
        raise JobError(f"`crop={asked.crop}`: class seeds are whole; it is for pictures of `data`")
    if asked.preprocessing == "cohen" and len(crops.parse(crop)) == 2:
        raise JobError(
            f"`crop={asked.crop}`: `preprocessing=cohen` keeps the centre; give a box as "
            "left,top,right,bottom, or `preprocessing=cover`"
        )
    return crop


def read_starts(
    asked: Comparison,
    classes: Classes,
    shape: Sequence[int],
    crop: str = CENTRE,
) -> tuple[Starts, Callable[[], LabelledImages] | None, str]:
    """Where pictures start, what opens the images among which neighbours are looked for, and which.

    The last says which images those are, by a digest, so that others are looked among anew. All are
    cropped as `crop_of` says.
    """
    if asked.count < 1 or asked.neighbours < 0:
        raise JobError(f"`count={asked.count}` `neighbours={asked.neighbours}`: at least 1 and 0")
    labels = classes.labels
    if asked.data is None:
        print("no data set: starting from draws of the class statistics", file=sys.stderr)
        each = -(-asked.count // len(labels))
        names, own_classes = starts.names(
            labels, labels, asked.statistics, count=each, seed=asked.seed, side=shape[0]
        )
        order = [kind * each + number for number in range(each) for kind in range(len(labels))]
        chosen = order[: asked.count]
        images = np.stack([starts.read(names[i], (shape[0], shape[1])) for i in chosen])
        own = np.array([resolve_target(own_classes[i], labels) for i in chosen])
        return Starts("class seeds", images, own), None, ""
    opened = partial(
        open_data,
        asked.data,
        side=shape[0],
        data_dir=asked.data_dir,
        classes=classes,
        preprocessing=asked.preprocessing,
        class_name=asked.class_name,
        crop=crops.parse(crop),
    )
    data = opened(asked.split)
    found = from_data(data, asked.count, asked.seed)
    for line in data.notes:
        print(line, file=sys.stderr)
    if not asked.neighbours:
        return found, None, ""
    digest = data_digest(asked.data, asked.train_split, asked.data_dir)
    source = f"{asked.data} {asked.train_split} {digest}"
    if asked.preprocessing != "cover":
        source += f" {asked.preprocessing}"
    if crop != CENTRE:
        source += f" {crop}"
    return found, partial(opened, asked.train_split), source
