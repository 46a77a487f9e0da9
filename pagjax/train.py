"""`python -m pagjax.train`: trains a base network, evaluates it and writes its checkpoint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pagjax.arguments import shared
from pagjax.arguments import types as types
from pagjax.arguments.parsing import Parser, parser_of
from pagjax.arguments.processes import add_processes
from pagjax.arguments.training import GROUPS
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE as EXIT_DONE
from pagjax.jobs.exit_status import EXIT_REFUSED as EXIT_REFUSED
from pagjax.jobs.exit_status import EXIT_SOME_SKIPPED as EXIT_SOME_SKIPPED

if TYPE_CHECKING:
    from pagjax.io.data.labelled_images import LabelledImages
    from pagjax.training.recipes import NamedSettings
    from pagjax.training.settings import Settings

DRAWS = 100
COSTS = (
    "the shipped recipes take three to five minutes on an H200, those of catrs, acr, smoothmix and "
    "aligned a quarter to half an hour; on two cores CIFAR-10's judge and SmoothAdv, with fewer "
    "epochs, 40 to 70 minutes."
)


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "train",
        "Trains a base network for smoothing. Interrupt it at any time: the same "
        "command goes on from the last saved state, with the same images in the same order. "
        "Settings override the recipe's. Lengths (sigma, epsilon) are l2 lengths in pixel units "
        "of [0, 1].",
        costs=COSTS,
    )
    what = parser.add_argument_group("what")
    what.add_argument("recipe", nargs="?", help="named settings, see --list")
    what.add_argument("--list", action="store_true", help="list the recipes and stop")
    where = parser.add_argument_group("where")
    where.add_argument("--out", type=Path, metavar="DIR", help="state, metrics and checkpoint")
    shared.add_data_dir(where)
    where.add_argument(
        "--overwrite",
        action="store_true",
        help="forget the run that DIR holds; interrupted, the same command goes on with its own",
    )
    end = parser.add_argument_group("the end of a training")
    end.add_argument(
        "--draws",
        type=types.count,
        default=DRAWS,
        metavar="N",
        help=f"noise draws of the final evaluation (default: {DRAWS})",
    )
    end.add_argument(
        "--evaluate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="without it the checkpoint is written with no card; the same command with it goes on",
    )
    end.add_argument(
        "--stop-after",
        type=types.count,
        metavar="STEPS",
        help="stop early, state saved, no evaluation",
    )
    end.add_argument(
        "--dry-run",
        action="store_true",
        help="say how long the training would take on this machine, by a few small steps; nothing "
        "is written",
    )
    add_processes(parser)
    settings = _setting_types()
    for title, members in GROUPS.items():
        group = parser.add_argument_group(f"settings: {title}")
        for name, told in members.items():
            _add_setting(group, name, *settings[name], told)
    return parser


def _add_setting(
    group: argparse._ArgumentGroup, name: str, kind: Any, default: Any, told: str
) -> None:
    flag = "--" + name.replace("_", "-")
    if kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=told)
    elif kind is tuple:
        member = types.real if name == "drops" else types.count
        group.add_argument(flag, nargs="*", type=member, metavar="N", help=told)
    else:
        shown = f"default: {default:g}" if kind is float else f"default: {default}"
        if default is None:
            shown = "required without a recipe" if name == "data" else "default: none"
        metavar = {float: "X", int: "N"}.get(kind, "NAME")
        reader = _reader(name, kind)
        group.add_argument(flag, type=reader, metavar=metavar, help=f"{told} ({shown})")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    return guarded(run, args)


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax.jobs import environment, processes
    from pagjax.training import own_files, recipes, step
    from pagjax.training.procedures import options
    from pagjax.training.settings import TrainingError

    if args.list:
        _list(recipes.BY_NAME)
        return EXIT_DONE
    chosen, name = _recipe(args)
    step.check_names(chosen.settings)
    options.check(chosen.settings, _given(args))
    environment.before_training(chosen.settings.batch_size)
    if args.dry_run:
        return _rehearse(args, chosen.settings, name)
    if args.out is None:
        raise TrainingError("where to? pass --out DIR")
    processes.start(args.coordinator, args.num_processes, args.process_id)

    with processes.locked(args.out):
        status = _run(args, chosen, name)
        if processes.is_first():
            own_files.forget_mark(args.out)
    return status


def _rehearse(args: argparse.Namespace, settings: Settings, name: str) -> int:
    """Says what a run would take; data and networks are looked at as the run would."""
    from pagjax.jobs import environment
    from pagjax.training import images, material, origins, rehearsal

    origins.check_init(settings.init)
    environment.prepare()
    start = origins.network_of_init(settings.init)
    data, _ = images.open_both(settings, args.data_dir, start)
    beside = material.without_teacher(settings, material.wanted(settings, data.labels))
    found = rehearsal.rehearse(settings, data, None if start is None else start.variables, beside)
    print(f"{name or settings.procedure}: {len(data):,} images of {settings.data}; {found.told()}")
    return EXIT_DONE


def _run(args: argparse.Namespace, chosen: NamedSettings, name: str) -> int:
    """Does so in a folder that is this job's alone."""
    from pagjax.io.files.errors import RefusedError
    from pagjax.jobs import environment, processes
    from pagjax.training import images, loop, material, origins, progress_bar, run_folder
    from pagjax.training.settings import TrainingError

    settings, training = chosen.settings, run_folder.Run(args.out, name, chosen)
    origins.check_init(settings.init)
    processes.from_first(partial(run_folder.begin, args.out, settings, overwrite=args.overwrite))
    environment.prepare()
    start = origins.network_of_init(settings.init)
    data, test = images.open_both(settings, args.data_dir, start)
    sources = material.wanted(settings, data.labels)
    known_by = (data, test, start, sources.digests())
    processes.from_first(partial(run_folder.check_data, args.out, *known_by))
    if processes.is_first():
        _announce(name, settings, data, test)
    with processes.losses_end_the_job("the same command", (RefusedError, TrainingError)):
        with progress_bar.shown() as report:
            beside = material.gather(settings, data, sources, args.out / "state", report.evaluation)
            state = loop.train(
                settings,
                data,
                test,
                args.out / "state",
                start=None if start is None else start.variables,
                report=lambda progress: report(args.out, progress),
                stop_after=args.stop_after,
                material=beside,
            )
        table = ""
        if args.stop_after is None and not args.evaluate:
            run_folder.write_checkpoint(training, state, data.classes)
        elif args.stop_after is None:
            with progress_bar.shown() as report:
                table = run_folder.finish(
                    training,
                    state,
                    data,
                    test,
                    command=_command(args),
                    num_draws=args.draws,
                    report=report.evaluation,
                )
        processes.wait_for_all("results")
    if table:
        print(table)
    return EXIT_SOME_SKIPPED if data.skipped or test.skipped else EXIT_DONE


def _announce(name: str, settings: Settings, data: LabelledImages, test: LabelledImages) -> None:
    """Says what will be trained on, and what of it could not be read."""
    for line in dict.fromkeys([*data.told(), *test.told()]):
        print(line, file=sys.stderr)
    print(
        f"{name}: {settings.procedure}, sigma {settings.sigma:g}, {len(data):,} images of "
        f"{settings.data}, {settings.epochs:g} epochs"
    )


def _setting_types() -> dict[str, tuple[Any, Any]]:
    """Each setting's type on the command line, and its default."""
    from dataclasses import MISSING

    from pagjax.training.settings import Settings

    types = {"bool": bool, "float": float, "int": int}
    found = {}
    for field in fields(Settings):
        kind = str(field.type)
        parsed = tuple if kind.startswith("tuple") else types.get(kind, str)
        found[field.name] = (parsed, None if field.default is MISSING else field.default)
    return found


def _reader(name: str, kind: type) -> Callable[[str], Any]:
    """How a setting is read from the command line."""
    own = {"sigma": types.sigma, "seed": types.seed}
    own |= dict.fromkeys(("epsilon", "step_length"), types.length)
    return own.get(name) or {float: types.real, int: types.whole}.get(kind, kind)


def _recipe(args: argparse.Namespace) -> tuple[NamedSettings, str]:
    from pagjax.training.procedures.options import PAPERS
    from pagjax.training.recipes import NamedSettings, recipe
    from pagjax.training.settings import Settings, TrainingError

    given = _given(args)
    named = None if args.recipe is None else recipe(args.recipe)
    procedure = given.get("procedure")
    if named is None or procedure not in (None, named.settings.procedure):
        given = {**PAPERS.get(procedure or "", {}), **given}
    if named is not None:
        return replace(named, settings=replace(named.settings, **given)), args.recipe
    if "data" not in given:
        raise TrainingError("train on what? pass a recipe (--list shows them) or --data")
    settings: Settings = Settings(**given)
    return NamedSettings(
        settings, "as the command says", settings.epsilon
    ), args.out.name if args.out else ""


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command names."""
    values = {name: getattr(args, name) for name in _setting_types()}
    values = {name: value for name, value in values.items() if value is not None}
    return {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}


def _command(args: argparse.Namespace) -> list[str]:
    """The command that makes the same network, without this machine's paths."""
    words = ["python", "-m", "pagjax.train"]
    words += [] if args.recipe is None else [args.recipe]
    if args.draws != DRAWS:
        words += ["--draws", str(args.draws)]
    for name in _setting_types():
        value = getattr(args, name)
        flag = "--" + name.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif isinstance(value, list):
            words += [flag, *map(str, value)]
        else:
            words += [flag, Path(value).name if Path(str(value)).exists() else str(value)]
    return [*words, "--out", args.out.absolute().name]


def _list(by_name: dict[str, NamedSettings]) -> None:
    from pagjax.checkpoints import shipped

    for name, recipe in by_name.items():
        state = "shipped" if name in shipped.names() else "not shipped"
        print(f"{name:38} {state}: {recipe.purpose}; {recipe.expected}")


if __name__ == "__main__":
    sys.exit(main())
