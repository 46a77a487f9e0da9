"""Ctrl-C while modules are imported: an end in one line, instead of a broken import.

Compiled modules that are interrupted while they initialise raise errors of their own, or crash.
Nothing that a command has written minds being stopped at any point, so it ends there at once.
"""

from __future__ import annotations

import os
import signal
import sys

EXIT_INTERRUPTED = 130
_again = ""


def install(again: str = "") -> object:
    """Handles Ctrl-C so from now on, where nobody else handles it; gives the old handler.

    Elsewhere than in an import it raises `KeyboardInterrupt`, as ever.

    Args:
        again: what to do after an interruption, to end ``interrupted; ...``.
    """
    global _again
    _again = again
    old = signal.getsignal(signal.SIGINT)
    if old in (signal.default_int_handler, _end_imports):
        try:
            signal.signal(signal.SIGINT, _end_imports)
        except ValueError:  # not the main thread, which alone may
            return None
        return old
    return None


def restore(old: object) -> None:
    """Puts back what `install` gave."""
    if old is not None:
        signal.signal(signal.SIGINT, old)  # type: ignore[arg-type]


def told(again: str) -> str:
    """What an interrupted command says last."""
    return "\ninterrupted" + (f"; {again}" if again else "")


def _end_imports(number: int, frame: object) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):  # type: ignore[attr-defined]
            os.write(2, f"{told(_again)}\n".encode())
            os._exit(EXIT_INTERRUPTED)
        frame = frame.f_back  # type: ignore[attr-defined]
    raise KeyboardInterrupt


def is_starting_a_command() -> bool:
    """Whether the interpreter is on its way to ``python -m pagjax...``, or to ``pagjax``."""
    words = sys.orig_argv
    named = [words[i + 1] for i, word in enumerate(words[:-1]) if word == "-m"][:1]
    if sys.argv[:1] == ["-m"]:
        return named != [] and named[0].split(".")[0] == "pagjax"
    script = sys.argv[0] if sys.argv else ""
    return os.path.basename(script) in ("pagjax", "pagjax.exe", "pagjax-script.py")
