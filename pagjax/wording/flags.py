"""How settings are spelled on a command line, for messages of rooms that know of none."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SETTING = re.compile(r"`([a-z_]+)(?:=([^`]*))?`")
# Where a flag's word is not the setting's name.
_WORDS = {"class_name": "class", "probe_folder": "probe"}


def in_flags(text: str, names: Iterable[str]) -> str:
    """A message with a command's settings, which stand between backquotes, as its flags.

    Args:
        text: the message. "`name`" is a setting, "`name=value`" one with its value.
        names: of the command's settings; others stay as they are.

    Example:
        >>> in_flags("pass `overwrite` or `max_pool=False`, not `n=8`", ["overwrite", "max_pool"])
        'pass --overwrite or --no-max-pool, not `n=8`'
    """
    known = set(names)

    def flag(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        word = _WORDS.get(name, name)
        if not known & {name, word}:
            return found[0]
        spelled = word.replace("_", "-")
        if value == "False":
            return f"--no-{spelled}"
        return f"--{spelled}" if value in (None, "True") else f"--{spelled} {value}"

    return _SETTING.sub(flag, text)
