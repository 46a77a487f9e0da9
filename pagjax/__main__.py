"""`pagjax NAME ...`, also `python -m pagjax NAME ...`: finds the command and hands over."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pagjax._version import __version__
from pagjax.arguments import parsing
from pagjax.arguments.commands import GROUPS, commands
from pagjax.wording.escapes import one_line
from pagjax.wording.names import one_of

EXIT_DONE, EXIT_REFUSED = 0, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that the arguments name; returns its exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    words = _words()
    if not given or given[0] in ("-h", "--help", "help"):
        print(listing(" ".join(words)))
        return EXIT_DONE
    if given[0] in ("-V", "--version"):
        print(f"pagjax {__version__}")
        return EXIT_DONE
    found = [command for command in commands() if command.name == given[0]]
    if not found:
        names = [command.name for command in commands()]
        what = "option" if given[0].startswith("-") else "command"
        told = f"no {what} {one_line(given[0])[:60]!r}: {one_of(given[0], names)}"
        print(f"error: {told} (see {' '.join(words)} --help)", file=sys.stderr)
        return EXIT_REFUSED
    parsing.enter(words)
    module = import_module(found[0].module)
    # What a command records, and tells to type again, is what was typed for it.
    sys.argv = [str(module.__file__), *given[1:]]
    status: int = module.main(given[1:])
    return status


def listing(called: str = "pagjax") -> str:
    """The help: every command in its group, one line each.

    Example:
        >>> print(listing().splitlines()[0])
        usage: pagjax COMMAND ...
    """
    width = max(len(command.name) for command in commands())
    lines = [
        f"usage: {called} COMMAND ...",
        "",
        "Perceptually-aligned gradients of randomised-smoothed classifiers.",
    ]
    for group, members in GROUPS.items():
        lines += ["", f"{group}:"]
        lines += [f"  {command.name:{width}}  {command.summary}" for command in members]
    lines += [
        "",
        f"`{called} COMMAND --help` says what a command takes and costs.",
        f"`{called} synthesize` without anything else paints an example.",
        f"`{called} --version` prints the version.",
    ]
    return "\n".join(lines)


def _words() -> list[str]:
    """How this process was called."""
    by_module = Path(sys.argv[0]).name == "__main__.py"
    return ["python", "-m", "pagjax"] if by_module else ["pagjax"]


if __name__ == "__main__":
    raise SystemExit(main())
