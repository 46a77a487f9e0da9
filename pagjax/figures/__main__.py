"""`python -m pagjax.figures`: the paper's figures, with shipped or converted networks."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pagjax.figures.recipes import FAMILIES, Recipe, main_sigma, recipes
from pagjax.runs.arguments import EXIT_DONE, EXIT_REFUSED, EXIT_SOME_SKIPPED, add_processes
from pagjax.runs.command_line import guarded
from pagjax.wording import arguments as types

OUT = Path("pagjax-figures")


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m pagjax.figures",
        description="Draws the figures of Kaur, Cohen and Lipton (2019), each with its numbers, "
        "and a page of all of them. Without --networks the shipped networks of 128 pixels are "
        "used. "
        "What is done is kept: the same command goes on where it was interrupted.",
    )
    parser.add_argument("figures", nargs="*", metavar="N", help="1 to 17, or all; none: the page")
    parser.add_argument("--list", action="store_true", help="list the figures and their networks")
    parser.add_argument(
        "--networks",
        nargs="+",
        default=[],
        metavar="ROLE=NETWORK",
        help="such as vanilla=DIR adversarial=DIR gaussian-0.50=DIR smoothadv-0.50=DIR; or a "
        f"family of shipped ones: {', '.join(FAMILIES)} (default: {next(iter(FAMILIES))})",
    )
    parser.add_argument("--images", nargs="+", default=[], help="files, folders or a TFDS name")
    parser.add_argument(
        "--crop",
        default="subject",
        metavar="WHERE",
        help="what is kept of --images: centre, top, bottom, left, right; x,y: a point that comes "
        "to the middle; left,top,right,bottom: a box; as shares of width and height",
    )
    parser.add_argument("--targets", nargs="+", default=[], help="class names or indices")
    parser.add_argument("--rows", type=types.count, help="starting images (default: the figure's)")
    parser.add_argument(
        "--columns", type=types.count, help="target classes, where they are the columns"
    )
    parser.add_argument(
        "--sigma",
        type=types.noise,
        help="of figures with one smoothed network (default: the family's, 0.5 and 0.25; that of "
        "the only smoothed network given)",
    )
    parser.add_argument(
        "--preset", choices=["paper", "fast"], default="paper", help="default: paper"
    )
    parser.add_argument("--steps", type=types.count, help="default: the preset's")
    parser.add_argument(
        "--num-samples", type=types.count, help="draws a step (default: the preset's)"
    )
    parser.add_argument(
        "--judge",
        metavar="NETWORK",
        help="the robust judge (default: the shipped one; the adversarially trained network where "
        "it is missing); none is asked about its own pictures",
    )
    parser.add_argument(
        "--vanilla-judge",
        metavar="NETWORK",
        help="reported beside it as a warning: adversarial grain carries over (default: "
        "the family's)",
    )
    parser.add_argument(
        "--certify",
        type=types.count,
        metavar="N",
        help="also a certified radius from N draws a picture",
    )
    parser.add_argument("--seed", type=types.seed, default=0)
    parser.add_argument("--data-dir", type=Path, help="where TFDS prepared data")
    parser.add_argument("--out", type=Path, default=OUT, help=f"default: {OUT}")
    add_processes(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    try:
        sigma = main_sigma(args.networks) if args.sigma is None else args.sigma
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_REFUSED
    known = recipes(main=sigma, compared=sigma)
    if args.list:
        for recipe in known.values():
            print(f"{recipe.number:3} {recipe.title}: {', '.join(recipe.roles)}")
        return EXIT_DONE
    wanted = [str(number) for number in known] if "all" in args.figures else args.figures
    unknown = [text for text in wanted if text not in map(str, known)]
    if unknown:
        print(
            f"error: figure {unknown[0][:40]!r}: choose 1 to {len(known)}, or all", file=sys.stderr
        )
        return EXIT_REFUSED
    given = list(sys.argv[1:] if argv is None else argv)
    chosen = [known[int(text)] for text in dict.fromkeys(wanted)]
    return guarded(lambda args: run(args, chosen, given), args, also=(ValueError,))


def run(args: argparse.Namespace, wanted: Sequence[Recipe], argv: Sequence[str]) -> int:
    """Makes the figures and the page; returns the exit status."""
    from pagjax.figures import places
    from pagjax.mesh import use_cores
    from pagjax.runs import certified, processes

    if args.certify is not None:
        certified.check_draws(args.certify)
    use_cores()
    processes.start(args.coordinator, args.num_processes, args.process_id)
    processes.from_first(lambda: places.begin(args))
    with processes.locked(args.out):
        return _run(args, wanted, argv)


def _run(args: argparse.Namespace, wanted: Sequence[Recipe], argv: Sequence[str]) -> int:
    """Does so in a folder that is this job's alone."""
    from pagjax.figures import gallery, left_out, places
    from pagjax.figures.cast import Cast
    from pagjax.figures.left_out import LeftOut
    from pagjax.figures.make import Choice, make_figure
    from pagjax.runs import environment, processes

    environment.prepare()
    tell = print if processes.is_first() else _say_nothing
    cast = Cast(args.networks)
    not_used = False

    def tell_left_out(one: LeftOut, where: str = "") -> None:
        nonlocal not_used
        not_used = not_used or one.is_input
        tell(f"{where}{one.words}", file=sys.stderr)

    for words in cast.check():
        tell(words, file=sys.stderr)
    sigma = main_sigma(args.networks) if args.sigma is None else args.sigma
    for one in left_out.of_networks(cast.roles, wanted, sigma):
        tell_left_out(one)
    for one in left_out.of_settings(_given(args), wanted):
        tell_left_out(one)
    judges = cast.judges(args.judge, args.vanilla_judge)
    for which in ("robust", "vanilla"):
        told = f"{judges[which].name}" if which in judges else "none; its numbers are left out"
        tell(f"{which} judge: {told}", file=sys.stderr)
    choice = Choice(
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
    skipped = 0
    playable = [recipe for recipe in wanted if not cast.missing(recipe)]
    if playable or not wanted:
        processes.from_first(lambda: places.claim(args.out, playable))
    for recipe in wanted:
        if waits := _waits_for(cast.missing(recipe)):
            tell(f"figure {recipe.number} needs a network for {waits}", file=sys.stderr)
            skipped += 1
            continue
        command = _command_of(recipe, args.figures, argv)
        unused: list[LeftOut] = []
        resumed = processes.losses_end_the_job("the same command")
        with resumed, _bar(recipe, shown=processes.is_first()) as report:
            folder = make_figure(
                recipe,
                cast.makers(recipe),
                judges,
                choice,
                args.out,
                command=command,
                report=report,
                tell=unused.append,
            )
        for one in unused:  # after the bar, which is on the same line
            tell_left_out(one, f"figure {recipe.number}: ")
        tell(f"figure {recipe.number}: {folder / 'figure.png'}")
    if processes.is_first() and (skipped < len(wanted) or not wanted):
        print(f"page: {gallery.write(args.out)}")
    processes.wait_for_all("page")
    return EXIT_SOME_SKIPPED if skipped or not_used else EXIT_DONE


def _waits_for(missing: Mapping[str, str]) -> str:
    """The networks that are not there, and what to pass; nothing where none is missing."""
    if not missing:
        return ""
    waits = ", ".join(f"{role} ({name} is not there)" for role, name in missing.items())
    return f"{waits}: pass --networks {next(iter(missing))}=NAME_OR_PATH"


def _given(args: argparse.Namespace) -> list[str]:
    """The options that not every figure uses, as far as they were given."""
    names = ("images", "targets", "rows", "columns", "sigma", "num_samples", "certify")
    return [f"--{name.replace('_', '-')}" for name in names if getattr(args, name)]


def _command_of(recipe: Recipe, figures: Sequence[str], argv: Sequence[str]) -> str:
    """The command that makes this figure alone, on any machine."""
    words = list(argv)
    for figure in figures:
        words.remove(figure)
    for flag in ("--coordinator", "--num-processes", "--process-id", "--out", "--data-dir"):
        # How many machines made it, and where things lay on them, is no part of how it is made.
        words = [word for word in words if not word.startswith(f"{flag}=")]
        if flag in words:
            del words[words.index(flag) : words.index(flag) + 2]
    words = list(map(_without_folders, words))
    return shlex.join(["python", "-m", "pagjax.figures", str(recipe.number), *words])


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
def _bar(recipe: Recipe, *, shown: bool) -> Iterator[Any]:
    """A bar over the picture-steps of the variant in work."""
    from tqdm import tqdm

    if not shown:
        yield lambda label, progress: None
        return
    bar = tqdm(unit="step", desc=f"figure {recipe.number}", smoothing=0.1)

    def show(label: str, progress: Any) -> None:
        description = f"figure {recipe.number}, {label}"
        if bar.desc != f"{description}: ":
            bar.reset(total=progress.total)
            bar.set_description(description, refresh=False)
        bar.set_postfix_str(f"objective {progress.objective:.2f}", refresh=False)
        bar.update(progress.done - bar.n)

    with bar:
        yield show


def _say_nothing(*_: object, **__: object) -> None:
    """What processes but the first print."""


if __name__ == "__main__":
    raise SystemExit(main())
