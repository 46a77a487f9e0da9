"""Locks of folders and files that die with their process.

They are advisory: what our commands ask of each other. The system drops them when their process
ends, however it ends; a lock file that a killed process left behind locks nothing.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pagjax.io.files.errors import RefusedError

NAME = ".pagjax.lock"
_BUSY = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)  # what a link leads to is somebody else's
# Windows locks bytes, and nobody else may read them: one far behind what the file says.
_FAR = 2**30


class InUseError(RefusedError):
    """Another process works there."""


def lock_file(path: Path, *, beside: bool = False) -> Path:
    """Where the lock of a folder is: in it; or beside it, for what is replaced as a whole."""
    path = path.absolute()
    return path.with_name(f".{path.name}{NAME}") if beside else path / NAME


@contextmanager
def held(path: Path, *, beside: bool = False) -> Iterator[None]:
    """Holds the lock of a folder or a file; folders on the way are made, and left if used.

    Args:
        path: a folder; or a file, or a folder that is replaced as a whole, with `beside`.
        beside: whether the lock file lies beside `path` rather than in it.

    Raises:
        InUseError: naming `path` and who holds it, if another process does.
        OSError: if the lock file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with held(folder / "out"):
        ...     with held(folder / "out"):
        ...         pass
        Traceback (most recent call last):
        pagjax.io.files.locks.InUseError: ...
        >>> (folder / "out").exists()  # nothing was written there
        False
    """
    file = lock_file(path, beside=beside)
    made = _missing(file.parent)
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(file, path)
    try:
        yield
    finally:
        # The lock goes last of all, so that nobody comes between; a dying process drops it too.
        try:
            with suppress(OSError):
                file.unlink(missing_ok=True)
            for folder in made:
                with suppress(OSError):
                    folder.rmdir()
        finally:
            os.close(descriptor)


def _missing(folder: Path) -> list[Path]:
    """The folders that have to be made, the innermost first."""
    found = []
    for candidate in (folder, *folder.parents):
        if candidate.exists():
            break
        found.append(candidate)
    return found


def _acquire(file: Path, path: Path) -> int:
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | _NO_LINKS, 0o666)
        try:
            try:
                _lock(descriptor)
            except OSError as error:
                if error.errno in _BUSY:
                    raise InUseError(
                        f"{path} is in use by another job ({_holder(descriptor)}): wait for it, "
                        "stop it, or choose another place"
                    ) from None
                if error.errno not in _NO_LOCKS:
                    raise
                print(
                    f"{path}: this file system has no locks ({error.strerror}); "
                    "start no second job there",
                    file=sys.stderr,
                )
            if _is_still(descriptor, file):
                _sign(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder removed it as we came: take the next one


def _is_still(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    told = json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, told)


def _holder(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        told = json.loads(os.read(descriptor, 1000))
        return f"process {told['pid']} on {told['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not said who it is"


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
