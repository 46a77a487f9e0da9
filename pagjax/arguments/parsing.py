"""One kind of argument parser for all commands: refusals are one line, and name near ones."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from pagjax.arguments.commands import by_name
from pagjax.wording.escapes import one_line
from pagjax.wording.names import closest

_REFUSED = 2
_through_the_door: list[str] = []  # the words before a command's name, where `pagjax` started it


def enter(words: Sequence[str]) -> None:
    """Notes how pagjax was called, ``pagjax`` or ``python -m pagjax``, to be said in messages."""
    _through_the_door[:] = words


def called(name: str) -> list[str]:
    """The words by which this process's user calls a command.

    Example:
        >>> called("certify")
        ['python', '-m', 'pagjax.certify']
    """
    if _through_the_door:
        return [*_through_the_door, name]
    command, *rest = name.split()
    return [*by_name(command).own_words, *rest]


class Parser(argparse.ArgumentParser):
    """An argument parser whose refusals are one line, with exit status 2.

    Example:
        >>> import contextlib, sys
        >>> parser = Parser(prog="paint")
        >>> _ = parser.add_argument("--images")
        >>> with contextlib.redirect_stderr(sys.stdout), contextlib.suppress(SystemExit):
        ...     parser.parse_args(["--imagse", "cat.png"])
        error: unrecognized arguments: --imagse cat.png: did you mean --images? (see paint --help)
    """

    def format_usage(self) -> str:
        """What must be given, in one line."""
        return f"usage: {self._short_usage()}\n"

    def format_help(self) -> str:
        """All options in their groups, under that line: the list of them is the help itself."""
        self.usage = self._short_usage().replace("%", "%%")
        return super().format_help()

    def _short_usage(self) -> str:
        words, shown = [self.prog, "[OPTIONS]"], self._get_formatter()
        for action in self._actions:
            name = str(action.metavar or action.dest.upper())
            if not action.option_strings:
                words.append(shown._format_args(action, name))
            elif action.required:
                words += [action.option_strings[-1], shown._format_args(action, name)]
        return " ".join(words)

    def error(self, message: str) -> NoReturn:
        """Ends the process with one line on stderr."""
        told = one_line(f"{message}{self._meant(message)}")
        self.exit(_REFUSED, f"error: {told} (see {self.prog} --help)\n")

    def _meant(self, message: str) -> str:
        """What a misspelt option, or a choice, was probably meant to be."""
        if message.startswith("unrecognized arguments: "):
            word = message.split()[2].split("=")[0]
            known = [known for known in self._option_string_actions if known.startswith("--")]
        elif match := re.search(r"invalid choice: '?(.*?)'? \(choose from (.*)\)$", message):
            word, known = match[1], re.findall(r"[^\s',]+", match[2])
        else:
            return ""
        near = closest(word, known)
        return f": did you mean {near[0]}?" if near else ""


def parser_of(name: str, description: str, *, costs: str = "", **options: Any) -> Parser:
    """A command's parser.

    Args:
        name: of the command, see `pagjax.arguments.commands`.
        description: what it does, and in which units.
        costs: what a run takes, for the end of the help.
        options: of `argparse.ArgumentParser`.
    """
    epilog = f"Costs: {costs}" if costs else None
    return Parser(prog=" ".join(called(name)), description=description, epilog=epilog, **options)
