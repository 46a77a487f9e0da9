"""The pictures of a blind test, made by all networks from the same starts, and what judges say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pagjax.figures import blind_page, left_out, make, numbers, panels, places, starts
from pagjax.figures.blind_page import BlindPicture
from pagjax.figures.cast import Named
from pagjax.figures.left_out import LeftOut
from pagjax.figures.make import Choice
from pagjax.figures.panels import Panel
from pagjax.figures.recipes import Variant
from pagjax.figures.rotation import latin_targets
from pagjax.io.files import atomic
from pagjax.io.pictures import sheets
from pagjax.io.pictures.images import to_pillow
from pagjax.jobs import environment, processes
from pagjax.jobs.errors import JobError
from pagjax.networks.base import BaseNetwork
from pagjax.synthesis import inputs
from pagjax.synthesis.execute import Progress

ROWS = 10
_CLASSES, _CHOICES = 10, 20  # painted by default; more than a reader can choose from


@dataclass(frozen=True)
class Plan:
    """Who paints what.

    Attributes:
        starts: the starting images.
        classes: the target classes, each once.
        targets: of every start and network, shape ``[starts, networks]``.
        choices: names of the classes that a reader chooses from.
    """

    starts: starts.FigureStarts
    classes: tuple[int, ...]
    targets: np.ndarray
    choices: tuple[str, ...]


def plan(network: BaseNetwork, count: int, choice: Choice, tell: Callable[[LeftOut], None]) -> Plan:
    """Starts, and their targets rotated among so many networks of the same classes as `network`.

    Raises:
        JobError: for inputs that cannot be used.
    """
    labels, side = network.labels, network.image_shape[0]
    given = inputs.read_targets(choice.targets, labels)
    twice = [index for index in given if given.count(index) > 1]
    if twice:
        raise JobError(f"`targets`: class {twice[0]}, {labels[twice[0]]}, is given twice")
    drawn = np.random.default_rng(choice.seed).permutation(len(labels))
    few = range(len(labels)) if len(labels) <= _CHOICES else np.sort(drawn[:_CLASSES])
    classes = given or tuple(int(index) for index in few)
    begun = starts.choose(
        choice.images,
        labels,
        count=choice.rows or ROWS,
        part=0,
        seed=choice.seed,
        side=side,
        data_dir=choice.data_dir,
        crop=inputs.check_crop(choice.crop, choice.images),
    )
    for told in left_out.of_images(begun.left_out, choice.rows or ROWS, len(begun.names)):
        tell(told)
    targets = latin_targets(begun.classes, count, classes, seed=choice.seed)
    own = np.array([-1 if index is None else index for index in begun.classes])
    if same := int((targets == own[:, None]).sum()):
        words = f"{same} of {targets.size} pictures are of their start's own class: choose starts "
        tell(LeftOut(f"{words}of more classes, or more `targets`", False))
    names = labels if len(labels) <= _CHOICES else [labels[index] for index in classes]
    return Plan(begun, classes, targets, tuple(dict.fromkeys(names)))


def make_test(
    variants: Sequence[Variant],
    networks: Mapping[str, Named],
    judges: Mapping[str, Named],
    choice: Choice,
    out: Path,
    *,
    command: str,
    report: Callable[[str, Progress], None] = lambda what, progress: None,
    tell: Callable[[LeftOut], None] = lambda left_out: None,
) -> Path:
    """Makes the pictures, or what is left of them, and writes the page and its record.

    Args:
        variants: a network each; its label is its name in the answers.
        networks: by role, all of the same classes and images.
        judges: see `pagjax.figures.make.make_figure`.
        choice: what the user chose.
        out: panels are kept in ``out/panels``.
        command: to write into the record.
        report: told the network and its progress.
        tell: told what of the choice is left out, and which judges are not asked.

    Returns:
        The page.

    Raises:
        JobError: for inputs that cannot be used.
    """
    first = networks[variants[0].role].network
    planned = plan(first, len(variants), choice, tell)
    judges = make.fitting(judges, first, tell)
    asked = [make.impartial(judges, networks[variant.role], tell) for variant in variants]
    made = []
    for variant, column in zip(variants, planned.targets.T, strict=True):
        named = networks[variant.role]
        pairs = tuple((row, planned.classes.index(target)) for row, target in enumerate(column))
        job = make.job_of(variant, named, planned.starts, pairs, planned.classes, choice)
        shown = partial(report, variant.label)
        made.append(panels.make(named.network, job, planned.starts.pictures, out / "panels", shown))

    def measure(number: int) -> list[dict[str, float]]:
        variant = variants[number]
        network = networks[variant.role].network
        found = numbers.of_panel(variant, made[number], network, asked[number], None)
        return found.rows()

    rows = [row for rows in processes.shared_out(measure, range(len(made))) for row in rows]
    if processes.is_first():
        told = {
            "command": command,
            "judges": {which: judge.name for which, judge in judges.items()},
            "networks": {
                variant.label: {
                    "panel": panels.name(networks[variant.role].network, panel.job),
                    "judges": list(judged),
                    "job": panel.job.to_json(),
                }
                for variant, panel, judged in zip(variants, made, asked, strict=True)
            },
        }
        _write(out, planned, _pictures(variants, made, planned, first.labels), rows, told, choice)
    return out / places.BLIND_PAGE


def _pictures(
    variants: Sequence[Variant], made: Sequence[Panel], planned: Plan, labels: Sequence[str]
) -> list[BlindPicture]:
    return [
        BlindPicture(
            sheets.png(to_pillow(result)), variant.label, planned.starts.names[row], labels[target]
        )
        for variant, panel in zip(variants, made, strict=True)
        for row, (result, target) in enumerate(zip(panel.results, panel.targets, strict=True))
    ]


def _write(
    out: Path,
    planned: Plan,
    pictures: Sequence[BlindPicture],
    rows: Sequence[Mapping[str, float]],
    told: Mapping[str, Any],
    choice: Choice,
) -> None:
    """The page, then the record; answers to another test's pictures go before either."""
    order = blind_page.order(len(pictures), choice.seed)
    test = blind_page.name([pictures[index] for index in order])
    record = out / places.BLIND_RECORD
    if not _is_of(record, test):
        record.unlink(missing_ok=True)
        (out / places.BLIND_TABLE).unlink(missing_ok=True)
    blind_page.write(out, pictures, planned.choices, seed=choice.seed)
    entries = [
        {
            "picture": f"{test}-{number}",
            "network": pictures[index].network,
            "start": pictures[index].start,
            "target": pictures[index].target,
            "numbers": dict(rows[index]),
        }
        for number, index in enumerate(order, start=1)
    ]
    whole = {"test": test, **told, "pictures": entries, "environment": environment.describe()}
    atomic.write_json(record, whole)


def _is_of(record: Path, test: str) -> bool:
    try:
        found = atomic.read_json(record)
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("test") == test
