"""What `python -m pagjax.align` works on: judges, starts, neighbours' images, statistics."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pagjax import checkpoints
from pagjax.alignment import Judge
from pagjax.alignment.directions import other_classes
from pagjax.checkpoints.identity import network_digest, weights_digest
from pagjax.comparison import jury, measuring
from pagjax.comparison.measuring import OTHERS, Starts
from pagjax.io.data.class_folders import Classes
from pagjax.io.data.labelled_images import LabelledImages, open_data
from pagjax.io.files import atomic
from pagjax.jobs.errors import JobError
from pagjax.jobs.targets import resolve_target
from pagjax.networks.base import BaseNetwork
from pagjax.seeds import starts, store
from pagjax.seeds.store import ClassStatistics

LOW_PASS = "low_pass"


def read_judges(
    args: argparse.Namespace, networks: Mapping[str, BaseNetwork]
) -> tuple[dict[str, BaseNetwork], dict[str, str], dict[str, str]]:
    """Judging networks, digests of their weights and of all they are, by their judgements' names.

    Raises:
        JobError: if a judge made all pictures itself, is given twice, or knows other classes.
    """
    makers = {weights_digest(network) for network in networks.values()}
    judges: dict[str, BaseNetwork] = {}
    digests: dict[str, str] = {}
    named = [*zip(jury.kinds(len(args.judge or ())), args.judge or (), strict=True)]
    if not named:
        print("no robust judge: its numbers are left out", file=sys.stderr)
    if args.vanilla_judge is None:
        print("no vanilla judge: its numbers are left out", file=sys.stderr)
    else:
        named.append((jury.VANILLA, args.vanilla_judge))
    for kind, name in named:
        judge = checkpoints.load(name)
        digest = weights_digest(judge)
        if makers == {digest}:
            raise JobError(
                f"{name} makes all pictures here and cannot judge them: name a judge that is not "
                "the only one of --networks"
            )
        if judge.labels != next(iter(networks.values())).labels:
            raise JobError(f"{name} knows other classes than the networks: name another judge")
        if kind != jury.VANILLA and digest in digests.values():
            raise JobError(f"--judge {name} is given twice: a panel hears each network once")
        judges[kind], digests[kind] = judge, digest
    identities = {kind: network_digest(judge) for kind, judge in judges.items()}
    if jury.VANILLA in judges:
        for told in (digests, identities):
            told[LOW_PASS] = told[jury.VANILLA]
    return judges, digests, identities


def impartial(
    judges: Mapping[str, BaseNetwork], name: str, network: BaseNetwork
) -> tuple[list[Judge], list[str]]:
    """The judges of a network's pictures, and who is on the panel: none that is partial to it.

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
    found = jury.judges(kept, low_pass=LOW_PASS)
    return found, [judge.name for judge in found if judge.on_panel]


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
            raise JobError(f"--networks {name}: {told}, {short}: call the folders differently")
        seen[short] = name


def common_form(networks: Mapping[str, BaseNetwork]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The classes and the image shape that all networks share; others are refused."""
    first = next(iter(networks.values()))
    for name, network in networks.items():
        if network.labels != first.labels or network.image_shape != first.image_shape:
            raise JobError(f"{name} has other classes or images than {next(iter(networks))}")
    return first.labels, first.image_shape


def find_statistics(
    args: argparse.Namespace, labels: Sequence[str], side: int
) -> ClassStatistics | None:
    """Gaussians of the networks' classes; None where there are none and the starts need none."""
    if args.statistics is not None:
        found = store.load(args.statistics)
        found.scale_to(side)  # or refuses
        if found.labels != tuple(labels):
            raise JobError(f"--statistics {args.statistics} is of other classes than the networks")
        return found
    try:
        return store.for_labels(labels, side)
    except store.StatisticsError:
        if args.data is None:
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
        import tensorflow_datasets as tfds

        folder = Path(tfds.builder(data, data_dir=data_dir).data_path)
    found = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    told = [[str(path.relative_to(folder)), s.st_size, s.st_mtime_ns] for path, s in found]
    return atomic.digest_json([split, told])


def read_starts(
    args: argparse.Namespace,
    classes: Classes,
    shape: Sequence[int],
) -> tuple[Starts, Callable[[], LabelledImages] | None, str]:
    """Where pictures start, what opens the images among which neighbours are looked for, and which.

    The last says which images those are, by a digest, so that others are looked among anew.
    """
    if args.count < 1 or args.neighbours < 0:
        raise JobError(f"--count {args.count} --neighbours {args.neighbours}: at least 1 and 0")
    labels = classes.labels
    if args.data is None:
        print("no --data: starting from draws of the class statistics", file=sys.stderr)
        each = -(-args.count // len(labels))
        names, own_classes = starts.names(
            labels, labels, args.statistics, count=each, seed=args.seed, side=shape[0]
        )
        order = [kind * each + number for number in range(each) for kind in range(len(labels))]
        chosen = order[: args.count]
        images = np.stack([starts.read(names[i], (shape[0], shape[1])) for i in chosen])
        own = np.array([resolve_target(own_classes[i], labels) for i in chosen])
        return Starts("class seeds", images, own), None, ""
    how: dict[str, Any] = {
        "classes": classes,
        "preprocessing": args.preprocessing,
        "class_name": args.class_name,
    }
    data = open_data(args.data, args.split, shape[0], args.data_dir, **how)
    found = measuring.from_data(data, args.count, args.seed)
    for line in data.notes:
        print(line, file=sys.stderr)
    if not args.neighbours:
        return found, None, ""
    opened = partial(open_data, args.data, args.train_split, shape[0], args.data_dir, **how)
    digest = data_digest(args.data, args.train_split, args.data_dir)
    source = f"{args.data} {args.train_split} {digest}"
    if args.preprocessing != "cover":
        source += f" {args.preprocessing}"
    return found, opened, source


def draw_others(targets: np.ndarray, num_classes: int, seed: int) -> np.ndarray:
    """For every picture a class that is not its target, for the cosines that chance gives."""
    key = jax.random.fold_in(jax.random.key(seed), OTHERS)
    return np.asarray(other_classes(key, jnp.asarray(targets), num_classes))
