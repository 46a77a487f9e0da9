"""Names as people write them: the same name in another spelling, and the closest known ones."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from pagjax.wording.escapes import one_line

_SEPARATORS = re.compile(r"[\s_,./\\:;|?*<>()'\"`´‘’“”\-‐-―]+")


def plain(name: str) -> str:
    """A name without case, and with single spaces for underscores, hyphens and runs of spaces.

    Example:
        >>> plain("Golf_ball"), plain(" golf-Ball ")
        ('golf ball', 'golf ball')
    """
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


def normal(name: str) -> str:
    """A name without what does not matter: case, composition of accents, spaces and hyphens.

    Example:
        >>> normal("Golf_Ball") == normal("golf-ball"), normal("007")
        (True, '7')
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    key = _SEPARATORS.sub(" ", folded).strip() or folded.strip()
    return key.lstrip("0") or "0" if re.fullmatch("[0-9]+", key) else key


def by_name(name: str, labels: Sequence[str]) -> frozenset[int]:
    """The classes whose label, or one of its synonyms between commas, a name is.

    Example:
        >>> sorted(by_name("Golf-ball", ["cat", "golf ball, golfball"]))
        [1]
    """
    return _places(tuple(labels)).get(normal(name), frozenset())


@lru_cache(maxsize=8)
def _places(labels: tuple[str, ...]) -> dict[str, frozenset[int]]:
    known: dict[str, set[int]] = {}
    for index, label in enumerate(labels):
        for part in (label, *label.split(",")):
            if part.strip():
                known.setdefault(normal(part), set()).add(index)
    return {name: frozenset(places) for name, places in known.items()}


def closest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names that have it among their words, or are spelt alike.

    Example:
        >>> closest("vanila", ["vanilla", "adversarial"]), closest("Horse", ["horse", "dog"])
        (['vanilla'], ['horse'])
        >>> closest("cat", ["tabby cat", "cart", "dog"])
        ['tabby cat', 'cart']
    """
    spelt: dict[str, str] = {}
    for one in known:
        spelt.setdefault(plain(one), one)
    word = plain(name)[:200]
    found = [word] if word in spelt else [one for one in spelt if word in one.split()]
    found += difflib.get_close_matches(word, list(spelt), n=3)
    return [spelt[one] for one in dict.fromkeys(found)][:3]


def hint(name: str, known: Iterable[str], *, most: int = 10) -> str:
    """What to say of an unknown name: what was probably meant, or what is known.

    Example:
        >>> hint("vanila", ["vanilla", "adversarial"])
        'did you mean vanilla?'
        >>> hint("seven", ["cat", "dog"])
        'known: cat, dog'
    """
    listed = [one_line(one) for one in known]
    close = closest(name, listed)
    if close:
        return f"did you mean {' or '.join(close)}?"
    more = f", ... ({len(listed)} in all)" if len(listed) > most else ""
    return f"known: {', '.join(listed[:most]) or 'none'}{more}"


def one_of(name: str, known: Iterable[str]) -> str:
    """What to say of an unknown name among few known ones: what was probably meant, and all.

    Example:
        >>> one_of("vanila", ["vanilla", "adversarial"])
        'did you mean vanilla? One of vanilla, adversarial'
        >>> one_of("seven", ["cat", "dog"])
        'one of cat, dog'
    """
    listed = [one_line(one) for one in known]
    close = closest(name, listed)
    meant = f"did you mean {' or '.join(close)}? One of" if close else "one of"
    return f"{meant} {', '.join(listed) or 'none'}"
