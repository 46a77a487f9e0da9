"""All commands of pagjax, in the groups in which its help lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Command(NamedTuple):
    """A command as its users know it.

    Attributes:
        name: the word after ``pagjax``.
        module: whose ``main(argv)`` it is.
        summary: what it does, in one line of a listing.
        own: the words that start it without ``pagjax NAME``.
    """

    name: str
    module: str
    summary: str
    own: tuple[str, ...]


def _module(name: str, summary: str) -> Command:
    module = f"pagjax.{name.replace('-', '_')}"
    return Command(name, module, summary, ("python", "-m", module))


GROUPS: dict[str, tuple[Command, ...]] = {
    "pictures": (
        _module("synthesize", "paint target classes into pictures with a smoothed network"),
        _module("figures", "draw the paper's figures, each with its numbers, and a page of them"),
        _module("fit-seeds", "fit a Gaussian to each class of a data set, to start pictures from"),
    ),
    "numbers": (
        _module("certify", "prove radii of a data set's images; certify report: tables, curves"),
        _module("align", "compare networks by what judges see in their pictures"),
    ),
    "networks": (
        _module("checkpoints", "list the networks that pagjax ships, or print one's card"),
        Command(
            "convert",
            "pagjax.checkpoints.command",
            "turn a published PyTorch checkpoint into one of pagjax's",
            ("python", "-m", "pagjax.checkpoints.command"),
        ),
        _module("train", "train a base network for smoothing, and measure it"),
    ),
}


def commands() -> Iterator[Command]:
    """Every command, in the order of the listing."""
    for group in GROUPS.values():
        yield from group


def by_name(name: str) -> Command:
    """A command by its name.

    Raises:
        KeyError: if there is none.

    Example:
        >>> by_name("fit-seeds").module
        'pagjax.fit_seeds'
    """
    return {command.name: command for command in commands()}[name]
