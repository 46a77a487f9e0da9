"""The state of an unfinished job on disk, which says whose it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pagjax.io.files import atomic, replacing
from pagjax.io.files.atomic import Form
from pagjax.io.files.errors import RefusedError
from pagjax.jobs import processes

NAME = ".unfinished"
ANEW = "pass `overwrite` to start anew"
_STAMP = {"owner": Form((), "<U64"), "batch": Form((), "int64")}
_NUMBER = "[0-9]" * 5


def patterns(folder: str) -> tuple[str, ...]:
    """What may lie in a state folder, for `pagjax.io.files.ownership.check_output`.

    Example:
        >>> patterns(".unfinished")[0]
        '.unfinished/job.json'
    """
    files = ("job.json", f"batch-{_NUMBER}.npz", "current.npz", replacing.PLAN)
    hidden = [f".{name}.writing" for name in files]
    return tuple(f"{folder}/{name}" for name in (*files, *hidden, f"{replacing.RESULT}/*"))


PATTERNS = (*patterns(NAME), *patterns(f"*/{NAME}"))


class StateFolder:
    """Settings, finished batches, and the batch in work; every file carries its owner's digest."""

    def __init__(self, folder: Path, anew: str = ANEW, *, mends: bool = False) -> None:
        """The state in `folder`, which may not exist yet.

        Args:
            folder: the state's own.
            anew: how to get rid of it, to end a refusal of what is damaged or another job's.
            mends: whether such batches are told and made again instead.
        """
        self.folder, self.anew, self.mends = folder, anew, mends

    @property
    def job_file(self) -> Path:
        """The settings that the state belongs to."""
        return self.folder / "job.json"

    def batch(self, number: int) -> Path:
        """A finished batch."""
        return self.folder / f"batch-{number:05d}.npz"

    @property
    def current(self) -> Path:
        """The batch in work."""
        return self.folder / "current.npz"

    @property
    def result(self) -> Path:
        """Where results are made, to be installed once they are whole."""
        return self.folder / replacing.RESULT

    def begin(self, settings: Mapping[str, Any], *, frames: bool = False) -> None:
        """Empties the state and says whose it is; the first process does."""
        if not processes.is_first():
            return
        replacing.remove_state(self.folder)
        atomic.write_json(self.job_file, {**settings, "frames": frames})

    def clear(self) -> None:
        """Removes the state, once the results are written; the first process does."""
        if processes.is_first():
            replacing.remove_state(self.folder)

    def recorded(self) -> dict[str, Any] | None:
        """The settings of the job that was begun here; None where there is none.

        Raises:
            RefusedError: if they cannot be read, or the folder is a link to another's.
        """
        if self.folder.is_symlink():
            raise RefusedError(f"{self.folder} is a link, and not this job's: remove it")
        if not self.job_file.exists():
            return None
        try:
            found = atomic.read_json(self.job_file, self.anew)
            if not isinstance(found, dict):
                raise RefusedError(f"{self.job_file} holds no settings: {self.anew}")
        except RefusedError as error:
            if not self.mends:
                raise
            print(error, file=sys.stderr)
            return None
        return found

    def keep(self, path: Path, owner: str, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes a batch, or the one in work, with whose it is; the first process does."""
        if processes.is_first():
            stamp = {"owner": np.array(owner), "batch": np.array(number, np.int64)}
            atomic.write_arrays(path, {**arrays, **stamp})

    def read_batch(
        self, owner: str, number: int, forms: Mapping[str, Form]
    ) -> dict[str, np.ndarray] | None:
        """A finished batch, for every process; None where it is not finished.

        Args:
            owner: whose it must be: a digest of the job and its network.
            number: of the batch.
            forms: of its arrays.

        Raises:
            RefusedError: if it is another job's, was edited or cut off.
        """
        return processes.arrays_from_first(
            lambda: self._read(self.batch(number), owner, number, forms)
        )

    def read_current(
        self, owner: str, number: int, forms: Mapping[str, Form]
    ) -> dict[str, np.ndarray] | None:
        """The batch in work, if it is number `number`; see `read_batch`."""
        return processes.arrays_from_first(lambda: self._read(self.current, owner, number, forms))

    def drop_current(self) -> None:
        """Removes the batch in work, once it is finished; the first process does."""
        if processes.is_first():
            self.current.unlink(missing_ok=True)

    def _read(
        self, path: Path, owner: str, number: int, forms: Mapping[str, Form]
    ) -> dict[str, np.ndarray] | None:
        if not path.exists():
            return None
        try:
            return self._checked(path, owner, number, forms)
        except RefusedError as error:
            if not self.mends:
                raise
            print(error, file=sys.stderr)
            return None

    def _checked(
        self, path: Path, owner: str, number: int, forms: Mapping[str, Form]
    ) -> dict[str, np.ndarray] | None:
        wanted = {**forms, **_STAMP}
        arrays = atomic.read_arrays(path, wanted, optional=["frames"], cure=self.anew)
        found, position = str(arrays.pop("owner")), int(arrays.pop("batch"))
        if found != owner:
            raise RefusedError(f"{path} belongs to another job: {self.anew}")
        if position != number:
            if path == self.current and position < number:
                return None  # finished; a kill came before it was removed
            raise RefusedError(f"{path} holds batch {position}, not {number}: {self.anew}")
        return arrays
