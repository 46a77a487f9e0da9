"""`python -m pagjax.checkpoints`: lists the shipped networks, or prints the card of one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pagjax.arguments.parsing import Parser, parser_of
from pagjax.wording.tables import aligned

if TYPE_CHECKING:
    from pagjax.checkpoints.cards import Card

_COLUMNS = ("network", "clean", "under noise", "smoothed", "attacked", "for")


def parser() -> Parser:
    """The command's arguments."""
    parser = parser_of(
        "checkpoints",
        "Lists the networks that pagjax ships, with their accuracies in percent of test images: "
        "clean, with one noise draw, smoothed (the majority of 100 draws), and under an l2 attack.",
        costs="a second.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="print this network's card")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    args = parser().parse_args(argv)
    from pagjax.checkpoints import CheckpointError, cards, shipped
    from pagjax.checkpoints.card_tables import TABLE

    try:
        if args.name is not None:
            print((shipped.path(args.name) / TABLE).read_text(encoding="utf-8"), end="")
        else:
            print(_table([cards.read(shipped.path(name)) for name in shipped.names()]))
    except (CheckpointError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _table(cards: Sequence[Card]) -> str:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for card in cards:
        reached = card.accuracies
        shares = (reached.clean, reached.under_noise, reached.smoothed, reached.attacked)
        told = ["-" if share is None else f"{100 * share:.1f}%" for share in shares]
        rows.append((card.name, *told, card.purpose))
    return "\n".join(aligned(rows))


if __name__ == "__main__":
    sys.exit(main())
