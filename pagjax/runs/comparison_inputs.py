"""What `python -m pagjax.align` works on: judges, starts, neighbours' images, statistics."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from pagjax import checkpoints
from pagjax.alignment import Judge
from pagjax.alignment.directions import other_classes
from pagjax.class_statistics import store
from pagjax.class_statistics.store import ClassStatistics
from pagjax.networks.base import BaseNetwork
from pagjax.runs import comparison, seeds
from pagjax.runs.comparison import OTHERS, Starts
from pagjax.runs.inputs import weights_digest
from pagjax.runs.job import JobError
from pagjax.training.data import LabelledImages, open_data

BLUR = 2


def read_judges(
    args: argparse.Namespace, networks: Mapping[str, BaseNetwork]
) -> tuple[list[Judge], dict[str, str]]:
    """The judges and the digests of their weights, by the names of their judgements.

    Raises:
        JobError: if a judge made all pictures itself, or knows other classes.
    """
    makers = {weights_digest(network) for network in networks.values()}
    judges, digests = [], {}
    for kind, name in (("robust", args.judge), ("vanilla", args.vanilla_judge)):
        if name is None:
            print(f"no {kind} judge: its numbers are left out", file=sys.stderr)
            continue
        judge = checkpoints.load(name)
        if makers == {weights_digest(judge)}:
            raise JobError(
                f"{name} makes all pictures here and cannot judge them: name a judge that is not "
                "the only one of --networks"
            )
        if judge.labels != next(iter(networks.values())).labels:
            raise JobError(f"{name} knows other classes than the networks: name another judge")
        digests[kind] = weights_digest(judge)
        # A network trained under noise judges under it, by its smoothed probabilities.
        sigma = judge.training_sigma or 0.0
        judges.append(Judge(kind, judge.logits_fn, sigma))
        if kind == "vanilla":
            judges.append(Judge("low_pass", judge.logits_fn, sigma, BLUR))
            digests["low_pass"] = digests[kind]
    return judges, digests


def impartial(
    judges: Sequence[Judge], digests: Mapping[str, str], name: str, network: BaseNetwork
) -> tuple[list[Judge], dict[str, str]]:
    """The judges, and their digests, but those that made a network's pictures: itself."""
    own = weights_digest(network)
    kept = [judge for judge in judges if digests[judge.name] != own]
    left_out = [judge.name for judge in judges if judge not in kept]
    if left_out:
        print(f"{name} does not judge its own pictures: no {', '.join(left_out)}", file=sys.stderr)
    return kept, {judge.name: digests[judge.name] for judge in kept}


def common_form(networks: Mapping[str, BaseNetwork]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The classes and the image shape that all networks share; others are refused."""
    first = next(iter(networks.values()))
    for name, network in networks.items():
        if network.labels != first.labels or network.image_shape != first.image_shape:
            raise JobError(f"{name} has other classes or images than {next(iter(networks))}")
    return first.labels, first.image_shape


def find_statistics(
    args: argparse.Namespace, labels: Sequence[str], side: int | None = None
) -> ClassStatistics | None:
    """Gaussians of the networks' classes; None where there are none and the starts need none."""
    if args.statistics is not None:
        found = store.load(args.statistics)
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


def read_starts(
    args: argparse.Namespace,
    labels: Sequence[str],
    shape: Sequence[int],
) -> tuple[Starts, Callable[[], LabelledImages] | None]:
    """Where pictures start, and what opens the images among which neighbours are looked for."""
    if args.count < 1 or args.neighbours < 0:
        raise JobError(f"--count {args.count} --neighbours {args.neighbours}: at least 1 and 0")
    if args.data is None:
        print("no --data: starting from draws of the class statistics", file=sys.stderr)
        each = -(-args.count // len(labels))
        names, classes = seeds.names(
            labels, labels, args.statistics, count=each, seed=args.seed, side=shape[0]
        )
        order = [kind * each + number for number in range(each) for kind in range(len(labels))]
        chosen = order[: args.count]
        images = np.stack([seeds.read(names[i], (shape[0], shape[1])) for i in chosen])
        own = np.array([int(classes[i]) for i in chosen])
        return Starts("class seeds", images, own), None
    data = open_data(args.data, args.split, shape[0], args.data_dir)
    if data.labels != tuple(labels):
        raise JobError(f"--data {args.data} has other classes than the networks")
    starts = comparison.from_data(data, args.count, args.seed)
    if not args.neighbours:
        return starts, None
    return starts, partial(open_data, args.data, args.train_split, shape[0], args.data_dir)


def draw_others(targets: np.ndarray, num_classes: int, seed: int) -> np.ndarray:
    """For every picture a class that is not its target, for the cosines that chance gives."""
    key = jax.random.fold_in(jax.random.key(seed), OTHERS)
    return np.asarray(other_classes(key, jnp.asarray(targets), num_classes))
