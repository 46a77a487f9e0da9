"""`python -m pagjax.figures`: the paper's figures, with shipped or converted networks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pagjax.arguments import shared, types
from pagjax.arguments.parsing import Parser, parser_of
from pagjax.arguments.processes import add_processes
from pagjax.figures.commands import bar, choice_of, command_of, inputs_of, say_nothing
from pagjax.figures.recipes import FAMILIES, Figure, main_sigma, recipes
from pagjax.jobs.command_line import guarded
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_REFUSED, EXIT_SOME_SKIPPED
from pagjax.wording.flags import in_flags

OUT = Path("pagjax-figures")
COSTS = (
    "on two cores a figure of the shipped family of 128 pixels takes half a minute to two minutes "
    "with --preset fast, twenty times that with the paper's; networks given cost what synthesize "
    "says of them."
)


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "figures",
        "Draws the figures of Kaur, Cohen and Lipton (2019), each with its numbers, "
        "and a page of all of them. Without --networks the shipped networks of 128 pixels are "
        "used. "
        "What is done is kept: the same command goes on where it was interrupted. "
        "sigma is an l2 length in pixel units of [0, 1].",
        costs=COSTS,
    )
    what = parser.add_argument_group("what")
    what.add_argument(
        "figures",
        nargs="*",
        metavar="N",
        help="1 to 17, all, or blind: pictures without captions to be named; or radius: alignment "
        "against certified radius; none: the page",
    )
    what.add_argument("--list", action="store_true", help="list the figures and their networks")
    what.add_argument(
        "--networks",
        nargs="+",
        default=[],
        metavar="ROLE=NETWORK",
        help="such as vanilla=DIR adversarial=DIR gaussian-0.50=DIR smoothadv-0.50=DIR; or a "
        f"family of shipped ones: {', '.join(FAMILIES)} (default: {next(iter(FAMILIES))})",
    )
    what.add_argument(
        "--images",
        nargs="+",
        default=[],
        metavar="FILE",
        help="starting images: files, folders or a TFDS name",
    )
    shared.add_crop(what, of="--images", default="subject")
    what.add_argument(
        "--targets",
        nargs="+",
        default=[],
        metavar="NAME_OR_INDEX",
        help="target classes, by label or index",
    )
    what.add_argument(
        "--rows", type=types.count, metavar="R", help="starting images (default: the figure's)"
    )
    what.add_argument(
        "--columns",
        type=types.count,
        metavar="C",
        help="target classes, where they are the columns",
    )
    shared.add_data_dir(what)
    how = parser.add_argument_group("how pictures are made")
    how.add_argument(
        "--sigma",
        type=types.noise,
        metavar="S",
        help="noise level of figures with one smoothed network (default: the family's, 0.5 and "
        "0.25; that of the only smoothed network given)",
    )
    shared.add_preset(how)
    shared.add_steps_and_draws(how)
    shared.add_seed(how, "starts and noise")
    judged = parser.add_argument_group("what is said of them")
    judged.add_argument(
        "--judge",
        action="append",
        metavar="NETWORK",
        help="a robust judge, the headline's first; given again, more of them for the panel "
        "(default: the shipped ones); none is asked about its own pictures",
    )
    judged.add_argument(
        "--vanilla-judge",
        metavar="NETWORK",
        help="reported beside it as a warning: adversarial grain carries over (default: "
        "the family's)",
    )
    judged.add_argument(
        "--certify",
        type=types.count,
        metavar="N",
        help="also a certified radius from N draws a picture",
    )
    judged.add_argument(
        "--answers",
        nargs="+",
        metavar="CSV",
        help="with blind: files that its page saved; prints how often targets were named, and "
        "beside it what the judges say of the pictures in --out",
    )
    judged.add_argument(
        "--tables",
        nargs="+",
        type=Path,
        metavar="CSV",
        help="with radius: tables of align, figures and the blind test, whose networks' shares are "
        "drawn against the radii in their cards",
    )
    where = parser.add_argument_group("where")
    shared.add_out(where, OUT)
    add_processes(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    try:
        sigma = main_sigma(args.networks) if args.sigma is None else args.sigma
    except ValueError as error:
        print(f"error: {in_flags(str(error), vars(args))}", file=sys.stderr)
        return EXIT_REFUSED
    known = recipes(main=sigma, compared=sigma)
    if args.list:
        for recipe in known.values():
            print(f"{recipe.number:3} {recipe.title}: {', '.join(recipe.roles)}")
        return EXIT_DONE
    given = list(sys.argv[1:] if argv is None else argv)
    if args.figures == ["blind"]:
        from pagjax.figures import blind

        return guarded(lambda args: blind.run(args, sigma, given), args, also=(ValueError,))
    if args.figures == ["radius"]:
        from pagjax.figures import radius

        return guarded(radius.run, args, also=(ValueError,))
    for name, option in (("radius", "tables"), ("blind", "answers")):
        if name in args.figures or vars(args)[option]:
            print(
                f"error: {name} is a command of its own, `pagjax figures {name}`, "
                f"and --{option} its option",
                file=sys.stderr,
            )
            return EXIT_REFUSED
    wanted = [str(number) for number in known] if "all" in args.figures else args.figures
    unknown = [text for text in wanted if text not in map(str, known)]
    if unknown:
        print(
            f"error: figure {unknown[0][:40]!r}: choose 1 to {len(known)}, or all", file=sys.stderr
        )
        return EXIT_REFUSED
    chosen = [known[int(text)] for text in dict.fromkeys(wanted)]
    return guarded(lambda args: run(args, chosen, given), args, also=(ValueError,))


def run(args: argparse.Namespace, wanted: Sequence[Figure], argv: Sequence[str]) -> int:
    """Makes the figures and the page; returns the exit status."""
    from pagjax.figures import places
    from pagjax.jobs import environment, processes
    from pagjax.synthesis import certified

    if args.certify is not None:
        certified.check_draws(args.certify)
    environment.before_computing()
    processes.start(args.coordinator, args.num_processes, args.process_id)
    processes.from_first(lambda: places.begin(args.out, inputs_of(args)))
    with processes.locked(args.out):
        return _run(args, wanted, argv)


def _run(args: argparse.Namespace, wanted: Sequence[Figure], argv: Sequence[str]) -> int:
    """Does so in a folder that is this job's alone."""
    from pagjax.figures import gallery, left_out, places
    from pagjax.figures.cast import Cast
    from pagjax.figures.left_out import LeftOut
    from pagjax.figures.make import make_figure
    from pagjax.jobs import environment, processes

    environment.prepare()
    tell = print if processes.is_first() else say_nothing
    cast = Cast(args.networks)
    not_used = False

    def tell_left_out(one: LeftOut, where: str = "") -> None:
        nonlocal not_used
        not_used = not_used or one.is_input
        tell(f"{where}{in_flags(one.words, vars(args))}", file=sys.stderr)

    for words in cast.check():
        tell(words, file=sys.stderr)
    sigma = main_sigma(args.networks) if args.sigma is None else args.sigma
    for one in left_out.of_networks(cast.roles, wanted, sigma):
        tell_left_out(one)
    for one in left_out.of_settings(_given(args), wanted):
        tell_left_out(one)
    judges = cast.judges(args.judge or (), args.vanilla_judge)
    for line in cast.told(judges):
        tell(line, file=sys.stderr)
    choice = choice_of(args)
    skipped = 0
    playable = [recipe for recipe in wanted if not cast.missing(recipe)]
    if playable or not wanted:
        processes.from_first(lambda: places.claim(args.out, playable))
    for recipe in wanted:
        if waits := _waits_for(cast.missing(recipe)):
            tell(f"figure {recipe.number} needs a network for {waits}", file=sys.stderr)
            skipped += 1
            continue
        command = command_of(str(recipe.number), args.figures, argv)
        unused: list[LeftOut] = []
        resumed = processes.losses_end_the_job("the same command")
        title = f"figure {recipe.number}"
        with resumed, bar(title, shown=processes.is_first()) as report:
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
    """The settings that not every figure uses, as far as they were given."""
    names = ("images", "targets", "rows", "columns", "sigma", "num_samples", "certify")
    return [name for name in names if getattr(args, name)]


if __name__ == "__main__":
    raise SystemExit(main())
