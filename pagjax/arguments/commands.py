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
    """

    name: str
    module: str
    summary: str

    @property
    def own_words(self) -> list[str]:
        """What starts it without the command ``pagjax``."""
        return ["python", "-m", self.module.removesuffix(".__main__")]


GROUPS: dict[str, tuple[Command, ...]] = {
    "pictures": (
        Command(
            "synthesize",
            "pagjax.synthesize",
            "paint target classes into pictures with a smoothed network",
        ),
        Command(
            "figures",
            "pagjax.figures.__main__",
            "draw the paper's figures, each with its numbers, and a page of them",
        ),
        Command(
            "fit-seeds",
            "pagjax.fit_seeds",
            "fit a Gaussian to each class of a data set, to start pictures from",
        ),
    ),
    "numbers": (
        Command(
            "certify",
            "pagjax.certify",
            "prove radii of a data set's images; certify report: tables, curves",
        ),
        Command("align", "pagjax.align", "compare networks by what judges see in their pictures"),
    ),
    "networks": (
        Command(
            "checkpoints",
            "pagjax.checkpoints.__main__",
            "list the networks that pagjax ships, or print one's card",
        ),
        Command(
            "convert",
            "pagjax.convert.__main__",
            "turn a published PyTorch checkpoint into one of pagjax's",
        ),
        Command("train", "pagjax.train", "train a base network for smoothing, and measure it"),
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
        >>> by_name("fit-seeds").own_words
        ['python', '-m', 'pagjax.fit_seeds']
    """
    return {command.name: command for command in commands()}[name]
