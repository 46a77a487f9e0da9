"""What the commands of figures share: the command beside a result, and a bar meanwhile."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pagjax.figures.make import Choice


def inputs_of(args: argparse.Namespace) -> list[str]:
    """The files and networks that the arguments name."""
    networks = [text.split("=", 1)[-1] for text in args.networks]
    judges = [*(args.judge or ()), *([args.vanilla_judge] if args.vanilla_judge else ())]
    return [*args.images, *networks, *judges, *map(str, args.answers or ())]


def choice_of(args: argparse.Namespace) -> Choice:
    """What the arguments say of pictures."""
    from pagjax.figures.make import Choice

    return Choice(
        tuple(args.images),
        tuple(args.targets),
        args.rows,
        args.columns,
        args.preset,
        args.steps,
        args.num_samples,
        args.seed,
        args.certify,
        args.data_dir,
        args.crop,
    )


def command_of(what: str, figures: Sequence[str], argv: Sequence[str]) -> str:
    """The command that makes one figure alone, on any machine.

    Args:
        what: the figure's number, or ``"blind"``.
        figures: what was asked for, each of it a word of the arguments.
        argv: the command's arguments.

    Example:
        >>> command_of("2", ["1", "2"], ["1", "2", "--seed", "3", "--out", "/home/me/out"])
        'python -m pagjax.figures 2 --seed 3'
    """
    words = list(argv)
    for figure in figures:
        words.remove(figure)
    for flag in ("--coordinator", "--num-processes", "--process-id", "--out", "--data-dir"):
        # How many machines made it, and where things lay on them, is no part of how it is made.
        words = [word for word in words if not word.startswith(f"{flag}=")]
        if flag in words:
            del words[words.index(flag) : words.index(flag) + 2]
    words = list(map(_without_folders, words))
    return shlex.join(["python", "-m", "pagjax.figures", what, *words])


def _without_folders(word: str) -> str:
    """An argument in which a path is its last part alone.

    Example:
        >>> _without_folders("vanilla=/home/me/nets/mine"), _without_folders("imagenette/160px-v2")
        ('vanilla=mine', 'imagenette/160px-v2')
    """
    before, equals, value = word.rpartition("=")
    path = Path(value)
    local = path.is_absolute() or ".." in path.parts or value.startswith("~")
    return f"{before}{equals}{path.name}" if local else word


@contextmanager
def bar(title: str, *, shown: bool) -> Iterator[Any]:
    """A bar over the picture-steps of the variant in work."""
    from tqdm import tqdm

    if not shown:
        yield lambda label, progress: None
        return
    drawn = tqdm(unit="step", desc=title, smoothing=0.1)

    def show(label: str, progress: Any) -> None:
        description = f"{title}, {label}"
        if drawn.desc != f"{description}: ":
            drawn.reset(total=progress.total)
            drawn.set_description(description, refresh=False)
        drawn.set_postfix_str(f"objective {progress.objective:.2f}", refresh=False)
        drawn.update(progress.done - drawn.n)

    with drawn:
        yield show


def say_nothing(*_: object, **__: object) -> None:
    """What processes but the first print."""
