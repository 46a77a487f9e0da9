"""`python -m pagjax.certify report`: tables and curves of logs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from pagjax.certified_logs import (
    anchors,
    cards,
    distribution,
    paired_report,
    pairing,
    plot,
    reading,
    tables,
)
from pagjax.certified_logs import report as reports
from pagjax.certified_logs.logs import Log, LogError
from pagjax.certified_logs.pairing import Side
from pagjax.io.files import atomic
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_SOME_SKIPPED

_RENDER = {"text": tables.text, "latex": tables.latex_table, "markdown": tables.markdown}
_CIFAR = "cifar10"


def run(args: argparse.Namespace) -> int:
    """Prints tables, draws curves, fills cards; returns the exit status."""
    sides = _read(args)
    _check(args, sides)
    chosen = (
        ("paired", _paired),
        ("distribution", _distribution),
        ("anchors", _anchors),
    )
    make = next((make for name, make in chosen if getattr(args, name)), _plain)
    make(args, sides)
    return EXIT_SOME_SKIPPED if any(side.log.left_out for side in sides) else EXIT_DONE


def _read(args: argparse.Namespace) -> list[Side]:
    """The logs with their names, after what is to be said of them."""
    if args.names and len(args.names) != len(args.logs):
        raise LogError(f"{len(args.names)} names for {len(args.logs)} logs: give one each")
    logs = [reading.read(path) for path in args.logs]
    by_file = args.format in ("text", "csv") and not (args.paired or args.distribution)
    names = args.names or (reports.names_of if by_file else reports.network_names)(args.logs)
    for path, log in zip(args.logs, logs, strict=True):
        _tell(reading.told(path, log))
    sides = []
    for path, log, name in zip(args.logs, logs, names, strict=True):
        known = reading.sigma_of(path)
        sides.append(Side(name, path, log, args.sigma if known is None else known))
    return sides


def _check(args: argparse.Namespace, sides: Sequence[Side]) -> None:
    """Refuses arguments that do not go together, before anything is printed."""
    if args.plot is not None and _kind(args) not in ("png", "pdf", "svg"):
        raise LogError(f"--plot {args.plot}: needs .png, .pdf or .svg")
    if args.paired and len(sides) != 2:
        raise LogError(f"--paired compares two logs: {len(sides)} given")
    if args.plot is not None and args.anchors:
        raise LogError(
            "--plot: anchors are numbers without curves; plot the logs without --anchors"
        )
    if args.card is not None and (args.paired or args.distribution or args.anchors):
        raise LogError("--card takes the plain table: leave out the other")
    without = [side for side in sides if not side.log.certifies]
    if args.plot is not None and not args.distribution and len(without) == len(sides):
        raise LogError(f"--plot {args.plot}: needs a log with radii")
    if args.card is not None and any(side.log.left_out for side in sides):
        raise LogError(f"--card {args.card}: lines of the logs were left out: mend them first")


def _plain(args: argparse.Namespace, sides: Sequence[Side]) -> None:
    """A row per log; curves; a card."""
    logs, names = [side.log for side in sides], [side.name for side in sides]
    _tell(reading.differences(logs, names))
    for side in sides:
        if side.log.certifies and reading.settings_of(side.path).staged:
            _tell([f"{side.path}: drawn in stages: its average certified radius is a lower bound"])
    summaries = [_summary(args, side, args.radii) for side in sides]
    if args.format == "csv":
        print(reports.csv_table(summaries))
    else:
        print(_RENDER[args.format](reports.table_of(summaries)))
    if args.plot is not None:
        drawn = [side for side in sides if side.log.certifies]
        named = args.names or reports.network_names(args.logs)
        shown = [name for side, name in zip(sides, named, strict=True) if side.log.certifies]
        _draw(
            args,
            plot.draw([side.log for side in drawn], shown, _pair_of(drawn), format=_kind(args)),
        )
    if args.card is not None:
        cards.fill(args.card, args.logs, summaries)


def _paired(args: argparse.Namespace, sides: Sequence[Side]) -> None:
    """Two logs on the images that both have."""
    first, second = sides
    pair = pairing.match(first, second)
    found = pairing.compare(pair, args.radii)
    _explain(args, [*pairing.told(first, second, pair), *paired_report.NOTE])
    if args.format == "csv":
        print(paired_report.csv_table(found))
    else:
        print(_RENDER[args.format](paired_report.table_of(found)))
    if args.plot is not None:
        names = [side.name for side in sides]
        logs = [_only(side.log, pair.numbers) for side in sides]
        _draw(args, plot.draw(logs, names, pair, format=_kind(args)))


def _distribution(args: argparse.Namespace, sides: Sequence[Side]) -> None:
    """p_A over the test set."""
    found = [distribution.of_log(s.path, s.log, s.name, s.sigma) for s in sides]
    _tell(reading.differences([side.log for side in sides], [side.name for side in sides]))
    notes = [distribution.told(side.path, side.log) for side in sides]
    _explain(args, [*(note for note in notes if note), *distribution.NOTE])
    if args.format == "csv":
        print(distribution.csv_table(found))
    else:
        print(_RENDER[args.format](distribution.table_of(found)))
    if args.plot is not None:
        _draw(args, plot.draw_distributions(found, format=_kind(args)))


def _anchors(args: argparse.Namespace, sides: Sequence[Side]) -> None:
    """Published networks, the shipped ones and logs, by noise level."""
    if args.format == "csv":
        raise LogError("--anchors: choose --format text, latex or markdown")
    own = cards.shipped_on(_CIFAR)
    for side in sides:
        if side.log.certifies:
            radii = sorted({*args.radii, *anchors.RADII.get(side.sigma or 0.0, ())})
            told = reading.settings_of(side.path)
            own.append(anchors.Own(_summary(args, side, radii), told.num_draws, told.staged))
    _explain(args, anchors.told(own))
    heading = {
        "latex": "\\bigskip\\noindent$\\sigma = {:g}$\\par\\smallskip\\noindent\n",
        "markdown": "**sigma {:g}**\n\n",
    }.get(args.format, "sigma {:g}\n\n")
    parts = [
        heading.format(sigma) + _RENDER[args.format](table)
        for sigma, table in anchors.tables_of(own)
    ]
    print("\n\n".join(parts))


def _summary(args: argparse.Namespace, side: Side, radii: Sequence[float]) -> reports.Summary:
    return reports.summarise(side.log, side.name, sigma=side.sigma, radii=radii)


def _pair_of(sides: Sequence[Side]) -> pairing.Pair | None:
    """The images of two logs of the same ones; None of others, which are drawn side by side."""
    if len(sides) != 2:
        return None
    numbers = [{line.number for line in side.log.lines} for side in sides]
    try:
        return pairing.match(*sides) if numbers[0] == numbers[1] else None
    except LogError:
        return None


def _only(log: Log, numbers: Iterable[int]) -> Log:
    """A log's lines of some images."""
    kept = set(numbers)
    others = [n for n, line in enumerate(log.lines) if line.number not in kept]
    return log.without(dict.fromkeys(others, "not in both logs"))


def _explain(args: argparse.Namespace, lines: Iterable[str]) -> None:
    """What to know of a table: above it, or as a comment of its language; of CSV, beside it."""
    for line in lines:
        if args.format == "csv":
            print(line, file=sys.stderr)
        else:
            mark = {"latex": "% ", "markdown": "- "}.get(args.format, "")
            print(f"{mark}{line}")
    if args.format != "csv":
        print()


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def _draw(args: argparse.Namespace, content: bytes) -> None:
    atomic.write_bytes(args.plot, content)


def _kind(args: argparse.Namespace) -> str:
    kind: str = args.plot.suffix.removeprefix(".").lower()
    return kind
