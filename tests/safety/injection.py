"""Kills before every file operation: what a command leaves, and what its next start makes of it.

`Killed` is raised before the k-th operation on files under a folder, and before all that follow, as
a dead process does nothing more; half of what was to be written is written. The system closes a
dead process's files, so locks are let go: their context managers close what they opened.

Example, of a command that takes a folder:

    def test_kills(tmp_path, monkeypatch):
        check_every_kill(
            prepare=lambda folder: None,             # what lies there before the first start
            run=lambda folder: command.main([...]),  # one start, always the same command
            result=lambda folder: snapshot(folder),  # must be as without a kill
            folder=tmp_path,
        )
"""

from __future__ import annotations

import builtins
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Killed(BaseException):
    """The process is dead from here on."""


class Disk:
    """Counts operations that change files under a folder.

    Attributes:
        operations: what was done so far, such as ``("unlink", "images/a.png")``.
        kill_before: number of the operation, from 0, before which the process dies; None: never.
    """

    def __init__(self, root: Path, kill_before: int | None = None) -> None:
        self.root = os.path.realpath(root)
        self.kill_before = kill_before
        self.operations: list[tuple[str, str]] = []

    def note(self, what: str, path: Any, dir_fd: int | None = None) -> bool:
        """Counts an operation, or dies; whether it is one under the folder."""
        place = self._place(path, dir_fd)
        if place is None:
            return False
        if self.kill_before is not None and len(self.operations) >= self.kill_before:
            raise Killed(f"before {what} {place}")
        self.operations.append((what, place))
        return True

    @property
    def is_next(self) -> bool:
        return self.kill_before is not None and len(self.operations) >= self.kill_before

    def _place(self, path: Any, dir_fd: int | None) -> str | None:
        if isinstance(path, int):
            try:
                path = os.readlink(f"/proc/self/fd/{path}")
            except OSError:
                return None
        path = os.fspath(path)
        path = os.fsdecode(path)
        if dir_fd is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), path)
        full = os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))
        if full != self.root and not full.startswith(self.root + os.sep):
            return None
        return os.path.relpath(full, self.root)


class _File:
    """A file being written; the last write of a process that dies is cut in half."""

    def __init__(self, file: Any, disk: Disk, path: Any) -> None:
        self._file, self._disk, self._path = file, disk, path

    def write(self, content: Any) -> Any:
        if self._disk.is_next:
            self._file.write(content[: len(content) // 2])
            self._file.flush()
        self._disk.note("write", self._path)
        return self._file.write(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)


@contextmanager
def watched(root: Path, kill_before: int | None = None) -> Iterator[Disk]:
    """Counts, and kills before, the operations of this process on files under `root`."""
    disk = Disk(root, kill_before)
    real = {
        name: getattr(os, name)
        for name in "replace rename unlink remove rmdir mkdir fsync ftruncate write open".split()  # noqa: SIM905
    }
    real_open = io.open

    def one_path(name: str) -> Callable[..., Any]:
        def operation(path: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> Any:
            disk.note(name, path, dir_fd)
            if dir_fd is not None:
                kwargs["dir_fd"] = dir_fd
            return real[name](path, *args, **kwargs)

        return operation

    def two_paths(name: str) -> Callable[..., Any]:
        def operation(source: Any, destination: Any, **kwargs: Any) -> Any:
            disk.note(name, destination)
            return real[name](source, destination, **kwargs)

        return operation

    def low_open(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & _WRITES:
            disk.note("open", path, kwargs.get("dir_fd"))
        return int(real["open"](path, flags, *args, **kwargs))

    def high_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if isinstance(file, int) or not set(mode) & set("wax+"):
            return real_open(file, mode, *args, **kwargs)
        is_here = disk.note("open", file)
        opened = real_open(file, mode, *args, **kwargs)
        return _File(opened, disk, file) if is_here else opened

    real["fsync"] = lambda path: None  # noted, and not waited for: only the power could tell
    patches = {name: one_path(name) for name in real if name not in ("replace", "rename", "open")}
    patches |= {name: two_paths(name) for name in ("replace", "rename")}
    with (
        mock.patch.multiple(os, open=low_open, **patches),
        mock.patch.object(io, "open", high_open),
        mock.patch.object(builtins, "open", high_open),
    ):
        yield disk


def snapshot(
    folder: Path, *, leave_out: Callable[[str], bool] = lambda name: False
) -> dict[str, str]:
    """Digests of all files in a folder by name; hidden ones too."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not leave_out(name := path.relative_to(folder).as_posix())
    }


def check_every_kill(
    *,
    prepare: Callable[[Path], Any],
    run: Callable[[Path], Any],
    result: Callable[[Path], Any],
    folder: Path,
    between: Callable[[Path, int], Any] = lambda place, point: None,
    again: Callable[[Path], Any] | None = None,
    every: int = 1,
    twice: bool = True,
) -> int:
    """Kills one start before each of its file operations, and asks that the next one makes it good.

    Args:
        prepare: fills a fresh folder with what was there before.
        run: one start of the command in that folder.
        result: what must be the same as after an uninterrupted `run`.
        folder: where fresh folders are made.
        between: looks at what a kill left, given the folder and the operation's number.
        again: the next start; `run` by default.
        every: kills before each so-many-th operation only, where there are hundreds.
        twice: also kills the second start, before an operation that varies with the first's.

    Returns:
        How many operations an uninterrupted start does.
    """
    again = again or run
    whole = _fresh(folder, "whole", prepare)
    with watched(whole) as disk:
        run(whole)
    wanted, total = result(whole), len(disk.operations)
    assert total, "no file operation was seen"
    for point in range(0, total, every):
        place = _fresh(folder, f"killed-{point}", prepare)
        _kill(place, point, run)
        between(place, point)
        if twice and (point // every) % 3 == 0:
            _kill(place, (point * 7) % total, again)
            between(place, point)
        with watched(place):  # as quick as the others
            again(place)
        assert result(place) == wanted, f"killed before {disk.operations[point]}"
    return total


def _fresh(folder: Path, name: str, prepare: Callable[[Path], Any]) -> Path:
    place = folder / name
    place.mkdir()
    prepare(place)
    return place


def _kill(place: Path, point: int, run: Callable[[Path], Any]) -> None:
    with watched(place, kill_before=point), suppress(Killed):
        run(place)
