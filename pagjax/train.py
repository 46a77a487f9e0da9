"""`python -m pagjax.train`: trains a base network, evaluates it and writes its checkpoint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pagjax.arguments import types as types
from pagjax.arguments.processes import add_processes
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE as EXIT_DONE
from pagjax.jobs.exit_status import EXIT_REFUSED as EXIT_REFUSED
from pagjax.jobs.exit_status import EXIT_SOME_SKIPPED as EXIT_SOME_SKIPPED

if TYPE_CHECKING:
    from pagjax.training.recipes import Recipe
    from pagjax.training.settings import Settings

DRAWS = 100
_HELP = {
    "data": "TFDS name, or a folder of class folders",
    "procedure": "vanilla, gaussian, adversarial, smoothadv, stability, consistency or macer",
    "sigma": "noise level, l2 units of pixels in [0, 1]",
    "epsilon": "l2 radius of the attack in training, same units",
    "num_noise": "noise draws of an image in a step",
    "init": "checkpoint to start from: a shipped name, or a folder",
    "evaluate_on_training": "measure accuracies on the training images, for data without others; "
    "the card says so",
    "average": "decay per step of the averaged weights, which are kept; 0 keeps the last",
    "average_from": "epoch from which on it takes equal shares instead; 0 for never",
    "average_every": "steps between two of those",
    "precision": "float32 or bfloat16 activations",
}


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m pagjax.train",
        description="Trains a base network for smoothing. Interrupt it at any time: the same "
        "command goes on from the last saved state, with the same images in the same order.",
    )
    parser.add_argument("recipe", nargs="?", help="named settings, see --list")
    parser.add_argument("--list", action="store_true", help="list the recipes and stop")
    parser.add_argument("--out", type=Path, metavar="DIR", help="state, metrics and checkpoint")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where TFDS prepared data")
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="forget the run that DIR holds; interrupted, the same command goes on with its own",
    )
    parser.add_argument(
        "--draws",
        type=types.count,
        default=DRAWS,
        metavar="N",
        help=f"noise draws of the final evaluation (default: {DRAWS})",
    )
    parser.add_argument(
        "--evaluate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="without it the checkpoint is written with no card; the same command with it goes on",
    )
    parser.add_argument(
        "--stop-after",
        type=types.count,
        metavar="STEPS",
        help="stop early, state saved, no evaluation",
    )
    add_processes(parser)
    group = parser.add_argument_group("settings", "each overrides the recipe's")
    for name, (kind, default) in _setting_types().items():
        flag = "--" + name.replace("_", "-")
        told = f"{_HELP[name]} " if name in _HELP else ""
        if kind is bool:
            group.add_argument(
                flag, action=argparse.BooleanOptionalAction, default=None, help=told or None
            )
        elif kind is tuple:
            member = types.real if name == "drops" else types.count
            group.add_argument(flag, nargs="*", type=member, metavar="N", help=told)
        else:
            shown = "required without a recipe" if default is None else f"default: {default}"
            group.add_argument(
                flag,
                type=_reader(name, kind),
                metavar=kind.__name__.upper(),
                help=told + f"({shown})",
            )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    return guarded(run, args)


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax.jobs import processes
    from pagjax.training import own_files, recipes, step
    from pagjax.training.settings import TrainingError

    if args.list:
        _list(recipes.BY_NAME)
        return EXIT_DONE
    chosen, name = _recipe(args)
    step.check_names(chosen.settings)
    if args.out is None:
        raise TrainingError("where to? pass --out DIR")
    processes.start(args.coordinator, args.num_processes, args.process_id)

    with processes.locked(args.out):
        status = _run(args, chosen, name)
        if processes.is_first():
            own_files.forget_mark(args.out)
    return status


def _run(args: argparse.Namespace, chosen: Recipe, name: str) -> int:
    """Does so in a folder that is this job's alone."""
    from pagjax.io.files.errors import RefusedError
    from pagjax.jobs import environment, processes
    from pagjax.training import images, loop, run_folder
    from pagjax.training.settings import TrainingError

    settings = chosen.settings
    processes.from_first(partial(run_folder.begin, args.out, settings, overwrite=args.overwrite))
    environment.prepare()
    start = run_folder.network_of_init(settings.init)
    data, test = images.open_both(settings, args.data_dir, start)
    processes.from_first(partial(run_folder.check_data, args.out, data, test, start))
    if processes.is_first():
        for line in dict.fromkeys([*data.told(), *test.told()]):
            print(line, file=sys.stderr)
        print(
            f"{name}: {settings.procedure}, sigma {settings.sigma:g}, {len(data):,} images of "
            f"{settings.data}, {settings.epochs:g} epochs"
        )
    with processes.losses_end_the_job("the same command", (RefusedError, TrainingError)):
        with _bar() as report:
            state = loop.train(
                settings,
                data,
                test,
                args.out / "state",
                start=None if start is None else start.variables,
                report=lambda progress: report(args.out, progress),
                stop_after=args.stop_after,
            )
        table = ""
        if args.stop_after is None and not args.evaluate:
            run_folder.write_checkpoint(args.out, name, chosen, state, data.classes)
        elif args.stop_after is None:
            with _bar() as report:
                table = run_folder.finish(
                    args.out,
                    name,
                    chosen,
                    state,
                    data,
                    test,
                    command=[
                        "python",
                        "-m",
                        "pagjax.train",
                        *_argv(args),
                        "--out",
                        args.out.absolute().name,
                    ],
                    num_draws=args.draws,
                    report=report.evaluation,
                )
        processes.wait_for_all("results")
    if table:
        print(table)
    return EXIT_SOME_SKIPPED if data.skipped or test.skipped else EXIT_DONE


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
    own = {"sigma": types.sigma, "epsilon": types.length, "seed": types.seed}
    return own.get(name) or {float: types.real, int: types.whole}.get(kind, kind)


def _recipe(args: argparse.Namespace) -> tuple[Recipe, str]:
    from pagjax.training.recipes import Recipe, recipe
    from pagjax.training.settings import Settings, TrainingError

    given = {name: getattr(args, name) for name in _setting_types()}
    given = {name: value for name, value in given.items() if value is not None}
    given = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
    if args.recipe is not None:
        chosen = recipe(args.recipe)
        return replace(chosen, settings=replace(chosen.settings, **given)), args.recipe
    if "data" not in given:
        raise TrainingError("train on what? pass a recipe (--list shows them) or --data")
    settings: Settings = Settings(**given)
    return Recipe(
        settings, "as the command says", settings.epsilon
    ), args.out.name if args.out else ""


def _argv(args: argparse.Namespace) -> list[str]:
    """The arguments that determine the network, without this machine's paths."""
    words = [] if args.recipe is None else [args.recipe]
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
            words += [flag, Path(value).name if Path(str(value)).is_dir() else str(value)]
    return words


def _list(by_name: dict[str, Recipe]) -> None:
    from pagjax.checkpoints import shipped

    for name, recipe in by_name.items():
        state = "shipped" if name in shipped.names() else "not run here"
        print(f"{name:36} {state}: {recipe.purpose}; {recipe.expected}")


def _bar() -> _Bar | _NoBar:
    from pagjax.jobs import processes

    return _Bar() if processes.is_first() else _NoBar()


class _NoBar:
    """Of processes but the first."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, *_: object) -> None:
        """Keeps no record."""

    evaluation = __call__


class _Bar:
    """A progress bar with loss, accuracy, images a second and time left."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self.begun = False
        self.bar = tqdm(unit="step", desc="compiling", mininterval=1)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, out: Path, progress: Any) -> None:
        from pagjax.training import record

        if not self.begun:
            record.resume(out, progress.step)
            self.begun = True
        record.append(out, progress)
        if self.bar.total != progress.steps:
            # Steps of an earlier process say nothing about this one's speed.
            self.bar.reset(total=progress.steps)
            self.bar.initial = progress.step
        self.bar.set_description(f"epoch {progress.epoch:.2f}", refresh=False)
        speed = progress.images_per_second
        told = f"loss {progress.loss:.3f}, accuracy {progress.accuracy:.3f}"
        if speed is not None:
            told += f", {speed:.0f} images/s"
        if progress.test_accuracy is not None:
            self.bar.write(f"epoch {progress.epoch:.2f}: {told}, test {progress.test_accuracy:.3f}")
        self.bar.set_postfix_str(told, refresh=False)
        self.bar.update(progress.step - self.bar.n)

    def evaluation(self, what: str, done: int, total: int) -> None:
        """Shows how far the evaluation is."""
        if self.bar.desc != f"{what}: ":
            self.bar.unit = "image"
            self.bar.set_description(what, refresh=False)
            self.bar.reset(total=total)
        self.bar.update(done - self.bar.n)


if __name__ == "__main__":
    sys.exit(main())
