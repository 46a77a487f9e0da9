"""The one way in which every command ends: a result, or one line that says what to do."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from pagjax.arguments.parsing import called
from pagjax.jobs import interruption
from pagjax.jobs.exit_status import EXIT_DONE, EXIT_INTERRUPTED, EXIT_REFUSED
from pagjax.wording.flags import in_flags

# Of the command that runs.
_SETTINGS: ContextVar[frozenset[str]] = ContextVar("settings", default=frozenset())

AGAIN = "the same command goes on"
_CURES = {
    errno.ENOSPC: "make room and repeat the command",
    errno.EDQUOT: "make room and repeat the command",
    errno.EROFS: "choose a place that can be written to",
    errno.EACCES: "choose another place, or ask for permission",
    errno.EPERM: "choose another place, or ask for permission",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "a part of this path is a file: choose another place",
    errno.EISDIR: "this is a folder: name a file",
    errno.EEXIST: "this exists: choose another place",
    errno.ENOENT: "check the path",
    errno.ELOOP: "this is a link: choose another place",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def guarded(
    run: Callable[[argparse.Namespace], int],
    args: argparse.Namespace,
    *,
    again: str = AGAIN,
    refused: int = EXIT_REFUSED,
    also: tuple[type[Exception], ...] = (),
) -> int:
    """Runs a command; gives its exit status, and one line on stderr where it cannot be done.

    ``main`` parses its arguments and returns ``guarded(run, args)``; whatever is slow to import is
    imported in ``run``, so that an interruption during start-up ends here too. Errors of ours,
    those of the system (a full disk, a missing permission, a name too long) and those of a wrong
    ``JAX_PLATFORMS`` become ``error: ...``, their settings spelled as the command's flags; all else
    is a bug and keeps its traceback.

    Args:
        run: does what the arguments say, and returns the exit status.
        args: the parsed arguments.
        again: what to do after an interruption, to end ``interrupted; ...``.
        refused: exit status of a refusal.
        also: errors that are told in one line beside those.

    Returns:
        The status of `run`, `refused`, or 130 after an interruption.

    Example:
        >>> import argparse, contextlib, sys
        >>> def run(args):
        ...     raise OSError(28, "No space left on device", "out/arrays.npz")
        >>> with contextlib.redirect_stderr(sys.stdout):
        ...     guarded(run, argparse.Namespace())
        error: out/arrays.npz: No space left on device: make room and repeat the command
        2
    """
    handler = interruption.install(again)
    settings = _SETTINGS.set(frozenset(vars(args)))
    try:
        return run(args)
    except KeyboardInterrupt:
        print(interruption.told(again), file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has read enough; the interpreter shall not flush into the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except Exception as error:
        told = explain(error)
        if told is None and isinstance(error, also):
            told = in_flags(str(error), vars(args))
        if told is None:
            raise
        print(f"error: {told}", file=sys.stderr)
        return refused
    finally:
        _SETTINGS.reset(settings)
        interruption.restore(handler)


def resume_command() -> str:
    """The command line that goes on with an interrupted run of `pagjax.synthesize`."""
    given = [argument for argument in sys.argv[1:] if argument != "--resume"]
    # A run that replaces results goes on as it was begun; it may not have come to its first state.
    how = [] if "--overwrite" in given else ["--resume"]
    return shlex.join([*called("synthesize"), *given, *how])


def explain(error: Exception) -> str | None:
    """An error in one line that names the value and the cure; None for one that is a bug.

    Settings of the command that runs, which stand between backquotes, are spelled as its flags.
    """
    told = _explained(error)
    return None if told is None else in_flags(told, _SETTINGS.get())


def _explained(error: Exception) -> str | None:
    if isinstance(error, OSError):
        return _of_system(error)
    if (told := _of_backend(error)) is not None:
        return told
    if "no space left on device" in str(error).lower():  # told by libraries that write for us
        return f"no space left on device: {_CURES[errno.ENOSPC]}"
    return str(error) if isinstance(error, _refusals()) else None


def _refusals() -> tuple[type[Any], ...]:
    """Errors of ours, of those parts that are loaded: what is not cannot have raised."""
    homes = {
        "pagjax.io.files.errors": "RefusedError",
        "pagjax.jobs.errors": "JobError",
        "pagjax.io.pictures.images": "ImageError",
        "pagjax.checkpoints.store": "CheckpointError",
        "pagjax.convert.torch_files": "TorchFileError",
        "pagjax.seeds.store": "StatisticsError",
        "pagjax.training.settings": "TrainingError",
        "pagjax.certified_logs.logs": "LogError",
    }
    loaded = [
        (sys.modules[module], name) for module, name in homes.items() if module in sys.modules
    ]
    return tuple(getattr(module, name) for module, name in loaded if hasattr(module, name))


def _of_system(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    cure = _CURES.get(error.errno or 0)
    return f"{where}{reason}" + (f": {cure}" if cure else "")


def _of_backend(error: Exception) -> str | None:
    """JAX finds its devices at the first computation, and says so at length."""
    lines = str(error).splitlines()
    if not isinstance(error, RuntimeError) or not lines:
        return None
    if not lines[0].startswith(("Unable to initialize backend", "Unknown backend")):
        return None
    asked = os.environ.get("JAX_PLATFORMS")
    named = "JAX_PLATFORMS" if asked is None else f"JAX_PLATFORMS={asked}"
    return f"{named}: {lines[0]}: unset it, or name cpu, cuda or tpu, whichever is installed"
