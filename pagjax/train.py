"""`python -m pagjax.train`: trains a base network, evaluates it and writes its checkpoint."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pagjax.runs.arguments import add_processes

if TYPE_CHECKING:
    from pagjax.training.recipes import Recipe
    from pagjax.training.settings import Settings

EXIT_DONE, EXIT_REFUSED, EXIT_INTERRUPTED = 0, 2, 130
DRAWS = 100
_HELP = {
    "data": "TFDS name, or a folder of class folders",
    "procedure": "vanilla, gaussian, adversarial, smoothadv, stability, consistency or macer",
    "sigma": "noise level, l2 units of pixels in [0, 1]",
    "epsilon": "l2 radius of the attack in training, same units",
    "num_noise": "noise draws of an image in a step",
    "init": "checkpoint to start from: a shipped name, or a folder",
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
    parser.add_argument("--overwrite", action="store_true", help="forget what DIR holds")
    parser.add_argument(
        "--draws",
        type=int,
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
        "--stop-after", type=int, metavar="STEPS", help="stop early, state saved, no evaluation"
    )
    add_processes(parser)
    group = parser.add_argument_group("settings", "each overrides the recipe's")
    for name, (kind, default) in _setting_types().items():
        flag = "--" + name.replace("_", "-")
        told = f"{_HELP[name]} " if name in _HELP else ""
        if kind is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, default=None)
        elif kind is tuple:
            member = float if name == "drops" else int
            group.add_argument(flag, nargs="*", type=member, metavar="N", help=told)
        else:
            shown = "required without a recipe" if default is None else f"default: {default}"
            group.add_argument(
                flag, type=kind, metavar=kind.__name__.upper(), help=told + f"({shown})"
            )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    from pagjax.checkpoints import CheckpointError
    from pagjax.runs.job import JobError
    from pagjax.training.settings import TrainingError

    try:
        return run(args)
    except (CheckpointError, JobError, TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the list has read enough; the interpreter shall not flush into the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE


def run(args: argparse.Namespace) -> int:
    """Does what the arguments say; returns the exit status."""
    from pagjax.runs import environment, processes
    from pagjax.runs.job import JobError
    from pagjax.training import loop, recipes, run_folder
    from pagjax.training.data import open_data
    from pagjax.training.settings import TrainingError

    if args.list:
        _list(recipes.BY_NAME)
        return EXIT_DONE
    chosen, name = _recipe(args)
    settings = chosen.settings
    if args.out is None:
        raise TrainingError("where to? pass --out DIR")
    processes.start(args.coordinator, args.num_processes, args.process_id)

    def begin() -> None:
        try:
            run_folder.begin(args.out, settings, overwrite=args.overwrite)
        except TrainingError as error:
            raise JobError(str(error)) from error

    processes.from_first(begin)
    environment.prepare()
    start = run_folder.variables_of(settings.init)
    side = settings.image_size
    stored = side if settings.crop != "resized" else run_folder.stored_side(side)
    data = open_data(settings.data, settings.train_split, stored, args.data_dir).in_memory()
    test = open_data(settings.data, settings.test_split, side, args.data_dir).in_memory()
    if processes.is_first():
        print(
            f"{name}: {settings.procedure}, sigma {settings.sigma:g}, {len(data):,} images of "
            f"{settings.data}, {settings.epochs:g} epochs"
        )
    told = "the same command, without --overwrite"
    with processes.losses_end_the_job(told, (JobError, TrainingError)):
        with _bar() as report:
            state = loop.train(
                settings,
                data,
                test,
                args.out / "state",
                start=start,
                report=lambda progress: report(args.out, progress),
                stop_after=args.stop_after,
            )
        table = ""
        if args.stop_after is None and not args.evaluate:
            run_folder.write_checkpoint(args.out, name, chosen, state, data.labels)
        elif args.stop_after is None:
            with _bar() as report:
                table = run_folder.finish(
                    args.out,
                    name,
                    chosen,
                    state,
                    data.labels,
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
    return EXIT_DONE


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
    from pagjax.runs import processes

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

        self.bar = tqdm(unit="step", desc="compiling", mininterval=1)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, out: Path, progress: Any) -> None:
        from pagjax.training import record

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
