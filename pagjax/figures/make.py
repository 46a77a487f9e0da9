"""Makes one figure: panels, numbers, drawing and record, each written whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pagjax.alignment import Measurements
from pagjax.comparison import jury
from pagjax.figures import grid, left_out, numbers, panels, places, starts, writing
from pagjax.figures.cast import Named
from pagjax.figures.left_out import LeftOut
from pagjax.figures.recipes import Figure, Variant
from pagjax.jobs import processes
from pagjax.jobs.errors import JobError
from pagjax.networks.base import BaseNetwork
from pagjax.synthesis import inputs
from pagjax.synthesis.execute import Progress
from pagjax.synthesis.inputs import Inputs
from pagjax.synthesis.job import SUBJECT, Job, make_pairs
from pagjax.synthesis.plan import Asked, plan

__all__ = ("Choice", "make_figure")


@dataclass(frozen=True)
class Choice:
    """What a user may choose beside the networks.

    Attributes:
        images: starting images, see `pagjax.figures.starts.choose`; empty for what is shipped.
        targets: class names or indices; empty draws them.
        rows: of the grid; None for the figure's own.
        columns: target classes of a ``targets`` or ``seeds`` grid; None for the figure's own.
        preset: see `pagjax.presets.settings`.
        num_steps: steps; None takes the preset's.
        num_samples: draws a step, where the figure does not vary them; None takes the preset's.
        seed: of targets, images and noise.
        certification_draws: for a certified radius of every picture; None for none.
        data_dir: where TFDS prepared data.
        crop: what is kept of starting images, see `pagjax.synthesis.job.Job`.
    """

    images: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    rows: int | None = None
    columns: int | None = None
    preset: str = "paper"
    num_steps: int | None = None
    num_samples: int | None = None
    seed: int = 0
    certification_draws: int | None = None
    data_dir: Path | None = None
    crop: str = SUBJECT


def make_figure(
    recipe: Figure,
    networks: Mapping[str, Named],
    judges: Mapping[str, Named],
    choice: Choice,
    out: Path,
    *,
    command: str,
    report: Callable[[str, Progress], None] = lambda what, progress: None,
    tell: Callable[[LeftOut], None] = lambda left_out: None,
) -> Path:
    """Makes a figure, or what is left of it.

    Several processes make the pictures together and share the variants' numbers out; the first one
    writes.

    Args:
        recipe: which.
        networks: one per role of the recipe, all of the same classes.
        judges: see `pagjax.figures.cast.Cast.judges`; one of other classes or images is not asked,
            and none about pictures to which it is partial.
        choice: what the user chose.
        out: panels are kept in ``out/panels``, the figure in ``out/figure-NN``.
        command: to write beside it.
        report: told the variant and its progress.
        tell: told what of the choice the figure leaves out.

    Returns:
        The figure's folder: ``figure.png``, ``figure.pdf``, ``numbers.csv``, ``means.csv``,
        ``ways/``, ``record.json``.

    Raises:
        JobError: for networks of different classes, or inputs that cannot be used.
    """
    first = networks[recipe.roles[0]].network
    for named in networks.values():
        if named.network.labels != first.labels:
            raise JobError(f"{named.name} has other classes than the figure's other networks")
    judges = fitting(judges, first, tell)
    side = first.image_shape[0]
    begun, pairs, targets = _pairs(recipe, choice, first, side, tell)
    made = []
    for variant in recipe.variants:
        named = networks[variant.role]
        job = job_of(variant, named, begun, pairs, targets, choice)
        made.append(
            panels.make(
                named.network,
                job,
                begun.pictures,
                out / "panels",
                partial(report, variant.label),
            )
        )

    asked_by = {role: impartial(judges, named, tell) for role, named in networks.items()}

    def measure(number: int) -> dict[str, list[float]]:
        variant, panel = recipe.variants[number], made[number]
        network = networks[variant.role].network
        asked = asked_by[variant.role]
        found = numbers.of_panel(variant, panel, network, asked, choice.certification_draws)
        return {name: np.asarray(column).tolist() for name, column in found.columns.items()}

    rows, means = [], []
    measured = processes.shared_out(measure, range(len(made)))
    for variant, panel, columns in zip(recipe.variants, made, measured, strict=True):
        found = Measurements({name: np.array(column) for name, column in columns.items()})
        rows.append(numbers.rows(recipe, variant, panel, found, begun.names, first.labels))
        means.append(numbers.means(variant, found))
    folder = out / places.figure(recipe.number)
    if not processes.is_first():
        return folder
    arranged = grid.arrange(recipe, begun, first.labels, made, rows)
    settings = writing.settings(made, judges)
    flat = [row for of_variant in rows for row in of_variant]
    return writing.write(recipe, arranged, flat, means, settings, command, folder)


def fitting(
    judges: Mapping[str, Named], network: BaseNetwork, tell: Callable[[LeftOut], None]
) -> dict[str, Named]:
    """The judges that know a network's classes and images; others are told."""
    kept = {}
    for which, judge in judges.items():
        form = judge.network.labels, judge.network.image_shape
        if form == (network.labels, network.image_shape):
            kept[which] = judge
            continue
        told = f"the {which} judge {judge.name} knows other classes or images: it is not asked"
        tell(LeftOut(told.replace("_", " ", 1), False))
    return kept


def impartial(
    judges: Mapping[str, Named], maker: Named, tell: Callable[[LeftOut], None]
) -> dict[str, BaseNetwork]:
    """The judges of a network's pictures; those of its kin are told, itself goes without saying."""
    kept = {}
    for which, judge in judges.items():
        if not (why := jury.partial_to(judge.network, maker.network)):
            kept[which] = judge.network
        elif why != jury.MADE:
            told = f"{judge.name} is not asked about pictures of {maker.name}: {why}"
            tell(LeftOut(told, False))
    return kept


def _pairs(
    recipe: Figure,
    choice: Choice,
    network: BaseNetwork,
    side: int,
    tell: Callable[[LeftOut], None],
) -> tuple[starts.FigureStarts, tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Starting images, and who meets which target."""
    labels, classes = network.labels, len(network.labels)
    given = inputs.read_targets(choice.targets, labels)
    twice = [index for index in given if given.count(index) > 1]
    if twice:
        raise JobError(f"`targets`: class {twice[0]}, {labels[twice[0]]}, is given twice")
    columns = min(choice.columns or recipe.columns, classes)
    if choice.crop != SUBJECT and not (choice.images and recipe.layout != "seeds"):
        tell(LeftOut(f"`crop={choice.crop}`: not used, as no `images` are", False))
    if recipe.layout == "seeds":
        statistics = starts.store.for_labels(labels, side)
        targets = given or tuple((recipe.part * columns + i) % classes for i in range(columns))
        _tell_targets(given, targets, choice.columns, labels, tell)
        begun = starts.seeds(statistics, targets, recipe.part, side)
        return begun, make_pairs(len(targets), len(targets), "one-to-one"), targets
    begun = starts.choose(
        choice.images,
        labels,
        count=choice.rows or recipe.rows,
        part=recipe.part,
        seed=choice.seed,
        side=side,
        data_dir=choice.data_dir,
        crop=inputs.check_crop(choice.crop, choice.images),
    )
    count = len(begun.names)
    for why in begun.skipped:
        tell(LeftOut(f"skipped: {why}", True))
    for told in left_out.of_images(begun.left_out, choice.rows or recipe.rows, count):
        tell(told)
    if recipe.layout == "targets":
        drawn = np.random.default_rng([choice.seed, recipe.part]).permutation(classes)[:columns]
        targets = given or tuple(int(index) for index in np.sort(drawn))
        _tell_targets(given, targets, choice.columns, labels, tell)
        return begun, make_pairs(count, len(targets), "all"), targets
    targets = starts.choose_targets(given, begun, classes, part=recipe.part, seed=choice.seed)
    _tell_targets(given, targets, None, labels, tell)
    return begun, make_pairs(count, count, "one-to-one"), targets


def _tell_targets(
    given: Sequence[int],
    chosen: Sequence[int],
    columns: int | None,
    labels: Sequence[str],
    tell: Callable[[LeftOut], None],
) -> None:
    asked, painted = ([labels[index] for index in indices] for indices in (given, chosen))
    for told in left_out.of_targets(asked, painted, columns, len(labels)):
        tell(told)


def job_of(
    variant: Variant,
    named: Named,
    begun: starts.FigureStarts,
    pairs: tuple[tuple[int, int], ...],
    targets: tuple[int, ...],
    choice: Choice,
) -> Job:
    """Everything that determines a variant's pictures."""
    given = Inputs(begun.names, begun.pictures, targets, pairs, skipped=())
    asked = Asked(
        preset=choice.preset,
        sigma=variant.sigma,
        objective=variant.objective,
        num_steps=choice.num_steps,
        num_samples=variant.num_samples or choice.num_samples,
        free_draws=True,
        seed=choice.seed,
    )
    return plan(named.name, named.network, given, asked)
