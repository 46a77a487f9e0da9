"""Names as people write them: the same name in another spelling, and the closest known ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def plain(name: str) -> str:
    """A name without case, and with single spaces for underscores, hyphens and runs of spaces.

    Example:
        >>> plain("Golf_ball"), plain(" golf-Ball ")
        ('golf ball', 'golf ball')
    """
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


def closest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names that are spelt alike, as they are known.

    Example:
        >>> closest("vanila", ["vanilla", "adversarial"]), closest("Horse", ["horse", "dog"])
        (['vanilla'], ['horse'])
    """
    spelt: dict[str, str] = {}
    for one in known:
        spelt.setdefault(plain(one), one)
    found = difflib.get_close_matches(plain(name)[:200], list(spelt), n=3)
    return [spelt[one] for one in found]


def hint(name: str, known: Iterable[str], *, most: int = 10) -> str:
    """What to say of an unknown name: what was probably meant, or what is known.

    Example:
        >>> hint("vanila", ["vanilla", "adversarial"])
        'did you mean vanilla?'
        >>> hint("seven", ["cat", "dog"])
        'known: cat, dog'
    """
    listed = list(known)
    close = closest(name, listed)
    if close:
        return f"did you mean {' or '.join(close)}?"
    more = f", ... ({len(listed)} in all)" if len(listed) > most else ""
    return f"known: {', '.join(listed[:most]) or 'none'}{more}"
