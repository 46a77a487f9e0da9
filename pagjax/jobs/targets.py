"""Which class of a network a name or a number means."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pagjax.jobs.errors import JobError
from pagjax.wording.names import by_name, hint
from pagjax.wording.numbers import shorten


def resolve_target(text: str | int, labels: Sequence[str]) -> int:
    """The class index that a name or a number means.

    Args:
        text: a label, or one of its synonyms between commas, in any case, with spaces, hyphens or
            underscores, as class folders are matched; or an index. Where labels are numbers that
            are not their own indices, ``label:7`` and ``index:7`` say which is meant.
        labels: class names in order.

    Raises:
        JobError: if it means no class or several; close names are suggested.

    Example:
        >>> resolve_target("golf_ball", ["tench", "golf ball"])
        1
        >>> resolve_target("Tench", ["tench, Tinca tinca", "golf ball"])
        0
    """
    if isinstance(text, int):
        kind, name = "index", str(text)
    else:
        kind, _, name = text.strip().rpartition(":")
        if kind not in ("label", "index"):
            kind, name = "", text.strip()
    shown = f"target {shorten(name)}"
    found = set() if kind == "index" else set(by_name(name, labels))
    number = re.fullmatch(r"[+-]?[0-9]+", name)
    if number and kind != "label":
        index = int(name) if len(name) < 10 else -1
        if 0 <= index < len(labels):
            if found - {index} and not kind:
                raise JobError(
                    f"{shown} is the label of class {min(found - {index})} and the index of class "
                    f"{index}, {shorten(labels[index])}: write label:{name} or index:{name}"
                )
            return index
        if not found:
            raise JobError(f"{shown}: the network's classes are 0 to {len(labels) - 1}")
    if len(found) == 1:
        return found.pop()
    if found:
        raise JobError(f"{shown} means several classes: use one of the indices {sorted(found)}")
    parts = [part.strip() for label in labels for part in label.split(",")]
    raise JobError(f"{shown} is no class of this network; {hint(name, parts)}")
