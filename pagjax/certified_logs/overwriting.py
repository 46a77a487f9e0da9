"""Logs that replace others: made beside them, put in their places together once all are whole.

A log in the making and its settings lie in ``.LOG.pagjax-new``. When a command's logs are whole it
writes a list of them; from then on whoever comes next completes the exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from pagjax.certified_logs import settings
from pagjax.certified_logs.job import LogJob, settings_file
from pagjax.certified_logs.logs import LogError
from pagjax.io.files import atomic, locks, replacing
from pagjax.io.files.errors import RefusedError

_LISTS = ".pagjax-install-"
_CURE = "remove it"


def lock(stack: ExitStack, log: Path) -> None:
    """Holds a log for this process until the stack ends.

    Raises:
        InUseError: if another process does.
    """
    stack.enter_context(locks.held(log, beside=True))


def being_made(log: Path) -> Path:
    """Where the log is that shall replace another."""
    return replacing.staging(log) / replacing.RESULT / log.name


def check(log: Path) -> None:
    """Refuses to replace what is no log of a job of ours, with its settings beside it.

    Raises:
        LogError: naming it.
        RefusedError: if the settings were edited.
    """
    beside = settings_file(log)
    for path in (log, beside):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise LogError(f"{path} is no file of certify's: move it away")
    if log.exists() and not beside.exists():
        raise LogError(
            f"{log} has no settings beside it, so it is not certify's to overwrite: move it away, "
            "or choose another `out`"
        )
    if beside.exists() and b'"job"' not in beside.read_bytes()[: 2**20]:
        raise LogError(f"{beside} is not of certify: move it away")


def take_up(log: Path, job: LogJob) -> Path:
    """Where to write a log that shall replace another, as far as an interrupted start came.

    What is there of another job is removed.
    """
    check(log)
    new = being_made(log)
    try:
        if new.exists():
            settings.check(new, job, None)
    except (LogError, RefusedError):
        replacing.remove_state(replacing.staging(log))
    new.parent.mkdir(parents=True, exist_ok=True)
    return new


def install(logs: Mapping[Path, LogJob]) -> None:
    """Puts logs that are whole in the places of others, all or, after a kill, with `finish`."""
    listed = _list_of(logs)
    names = sorted(log.name for log in logs)
    atomic.write_json(listed, {"logs": names})
    _complete(listed, names)


def finish(logs: Mapping[Path, LogJob], stack: ExitStack) -> bool:
    """Completes exchanges of these logs that a kill left halfway.

    Args:
        logs: which are locked.
        stack: holds further logs of the same exchanges.

    Returns:
        Whether it was the exchange of exactly these jobs: then the command had been done.

    Raises:
        RefusedError: if the list was edited, or another process is at one of the logs.
    """
    folder, own = next(iter(logs)).parent, {log.name for log in logs}
    done = False
    for listed in sorted(folder.glob(f"{_LISTS}*.json")):
        names = _read(listed)
        if not own & set(names):
            continue
        for name in sorted(set(names) - own):
            lock(stack, folder / name)
        done = done or listed == _list_of(logs)
        _complete(listed, names)
    return done


def _complete(listed: Path, names: list[str]) -> None:
    for name in names:
        log = listed.parent / name
        state, beside = replacing.staging(log), settings_file(log)
        replacing.finish(state)
        if state.exists():
            replacing.install(state, remove=[log.name, beside.name], record=log.name)
    listed.unlink()


def _list_of(logs: Mapping[Path, LogJob]) -> Path:
    jobs = {log.name: settings.plain(job) for log, job in logs.items()}
    return next(iter(logs)).with_name(f"{_LISTS}{atomic.digest_json(jobs)[:16]}.json")


def _read(listed: Path) -> list[str]:
    told = atomic.read_json(listed, _CURE)
    names = told.get("logs") if isinstance(told, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RefusedError(f"{listed}: logs: expected a list of names: {_CURE}")
    for name in names:
        replacing.check_inside(listed.parent, name)
    return names
