"""`python -m pagjax.figures blind`: pictures without captions of all networks, and the answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from pagjax.figures.cast import Cast, Named
from pagjax.figures.commands import bar, choice_of, command_of, inputs_of, say_nothing
from pagjax.figures.left_out import LeftOut
from pagjax.figures.recipes import ADVERSARIAL, VANILLA, Variant, gaussian, smoothadv
from pagjax.jobs.errors import JobError
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_SOME_SKIPPED
from pagjax.wording.flags import in_flags

LEVELS = (0.25, 0.5, 1.0)
_UNUSED = ("columns", "certify")


def run(args: argparse.Namespace, sigma: float, argv: Sequence[str]) -> int:
    """Makes the test, or tells its answers; returns the exit status.

    Args:
        args: of `python -m pagjax.figures`.
        sigma: noise level of the SmoothAdv network.
        argv: the command's words, for the record.
    """
    from pagjax.figures import places
    from pagjax.jobs import environment, processes

    if args.answers:
        return _tell_answers(args)
    environment.before_computing()
    processes.start(args.coordinator, args.num_processes, args.process_id)
    processes.from_first(lambda: places.begin(args.out, inputs_of(args)))
    with processes.locked(args.out):
        return _make(args, sigma, argv)


def _make(args: argparse.Namespace, sigma: float, argv: Sequence[str]) -> int:
    from pagjax.figures import places
    from pagjax.figures.blind_pictures import make_test
    from pagjax.jobs import environment, processes

    environment.prepare()
    tell = print if processes.is_first() else say_nothing
    skipped: list[str] = []
    notes: list[LeftOut] = []
    cast = Cast(args.networks)
    for words in cast.check():
        tell(words, file=sys.stderr)
    for name in _UNUSED:
        if getattr(args, name):
            notes.append(LeftOut(f"`{name}`: not used by the blind test", False))
    networks = painters(cast, sigma, skipped.append, notes.append)
    judges = cast.judges(args.judge or (), args.vanilla_judge)
    for line in [*skipped, *cast.told(judges)]:
        tell(in_flags(line, vars(args)), file=sys.stderr)
    processes.from_first(lambda: places.claim(args.out, [], places.BLIND))
    resumed = processes.losses_end_the_job("the same command")
    with resumed, bar("blind test", shown=processes.is_first()) as report:
        page = make_test(
            variants(networks),
            networks,
            judges,
            choice_of(args),
            args.out,
            command=command_of("blind", args.figures, argv),
            report=report,
            tell=notes.append,
        )
    for one in notes:  # after the bar, which is on the same line
        tell(in_flags(one.words, vars(args)), file=sys.stderr)
    tell(f"blind test: {page}   judges' numbers: {args.out / places.BLIND_RECORD}")
    if processes.is_first():
        _show_in_gallery(args)
    processes.wait_for_all("blind test")
    return EXIT_SOME_SKIPPED if skipped or any(one.is_input for one in notes) else EXIT_DONE


def painters(
    cast: Cast, sigma: float, skip: Callable[[str], None], tell: Callable[[LeftOut], None]
) -> dict[str, Named]:
    """The networks of a test by role: the family's, and what else was given.

    Args:
        cast: who plays which role.
        sigma: noise level of the SmoothAdv network.
        skip: told which network is not there.
        tell: told which of the family's knows other classes or images than the given ones.

    Raises:
        JobError: if nobody is there, or given networks know different classes or images.
    """
    of_family = [VANILLA, ADVERSARIAL, *map(gaussian, LEVELS), smoothadv(sigma)]
    found: dict[str, Named] = {}
    for role in dict.fromkeys([*of_family, *cast.roles]):
        name = cast.of_role(role)
        if cast.has(name):
            found[role] = cast.named(name)
        else:
            skip(
                f"no network for {role} ({name} is not there): pass `networks={role}=NAME_OR_PATH`"
            )
    if not found:
        raise JobError("no network is there to make pictures: pass `networks=ROLE=NAME_OR_PATH`")
    form = _form(found[cast.roles[0]] if cast.roles else next(iter(found.values())))
    kept = {}
    for role, named in found.items():
        if _form(named) == form:
            kept[role] = named
        elif role in cast.roles:
            raise JobError(f"{named.name} has other classes or images than the other networks")
        else:
            tell(LeftOut(f"{named.name} knows other classes or images: it paints nothing", False))
    return kept


def variants(networks: dict[str, Named]) -> list[Variant]:
    """How each network's pictures are made; labels are names, or roles where names are alike."""
    names = [named.name for named in networks.values()]
    alike = len(set(names)) < len(names)
    return [
        Variant(role if alike else named.name, role, _sigma(role))
        for role, named in networks.items()
    ]


def _sigma(role: str) -> float:
    return 0.0 if role in (VANILLA, ADVERSARIAL) else float(role.rpartition("-")[2])


def _form(named: Named) -> tuple[tuple[str, ...], tuple[int, int, int]]:
    return named.network.labels, named.network.image_shape


def _tell_answers(args: argparse.Namespace) -> int:
    """Prints what readers saw, and beside it what judges say of the same pictures."""
    from pagjax.alignment import blind
    from pagjax.figures import blind_table, places
    from pagjax.io.files import locks

    answers = blind.read_answers(args.answers)
    print(blind.table(answers))
    if not (args.out / places.BLIND_RECORD).exists():
        print(f"{args.out} holds no blind test: the judges' numbers are left out", file=sys.stderr)
        return EXIT_SOME_SKIPPED
    places.begin(args.out, inputs_of(args))
    with locks.held(args.out):
        judged = blind_table.read_record(args.out)
        table = blind_table.lines(answers, judged)
        places.claim(args.out, [], places.BLIND)
        path = blind_table.write(args.out, table)
        print(f"\nthe same pictures, and what judges say of them\n{blind_table.text(table)}")
        print(f"table: {path}")
        _show_in_gallery(args)
    return EXIT_DONE


def _show_in_gallery(args: argparse.Namespace) -> None:
    """Writes the page of figures again, where there are figures."""
    from pagjax.figures import gallery

    if any(args.out.glob("figure-*/record.json")):
        print(f"page: {gallery.write(args.out)}")
