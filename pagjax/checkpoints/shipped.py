"""The networks that come with pagjax: names to folders, from a clone as from an installed wheel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pagjax.checkpoints.cards import CARD
from pagjax.checkpoints.store import CheckpointError
from pagjax.io.files.replacing import retired
from pagjax.wording.names import closest

__all__ = ("card", "names", "path")

# The folder `checkpoints` of the repository, which a wheel carries inside the package.
_PACKAGE = Path(__file__).absolute().parents[1]
PLACES = (_PACKAGE / "shipped", _PACKAGE.parent / "checkpoints")


def names() -> list[str]:
    """The shipped networks' names, in alphabetical order.

    Example:
        >>> all((path(name) / "card.json").exists() for name in names())
        True
    """
    return sorted({card.parent.name for place in PLACES for card in place.glob(f"*/{CARD}")})


def path(name: str | Path) -> Path:
    """The folder of a shipped network, or a path as it is.

    A path that exists wins over a name, so that a folder of one's own can be called as it likes.

    Args:
        name: a shipped network's name, or the directory of any checkpoint.

    Returns:
        A path, for `pagjax.checkpoints.store.restore`.

    Raises:
        CheckpointError: if it is neither; the message lists the shipped names.

    Example:
        >>> path(".").is_dir()
        True
    """
    if Path(name).exists() or retired(Path(name)).exists():
        return Path(name)  # the second is a checkpoint that a kill left while it was replaced
    for place in PLACES:
        if str(name) in names() and (place / name / CARD).exists():
            return place / name
    known = ", ".join(names()) or "none in this installation"
    close = closest(str(name), names())
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    raise CheckpointError(
        f"{name} is neither a checkpoint's folder nor a shipped network's name ({known}){meant}"
    )


def card(name: str) -> dict[str, Any]:
    """A shipped network's card as JSON values: accuracies, command, settings, training time.

    `pagjax.checkpoints.cards.read` gives the same as a record.

    Raises:
        CheckpointError: for an unknown name.
    """
    found: dict[str, Any] = json.loads((path(name) / CARD).read_text(encoding="utf-8"))
    return found
