"""Several processes, one job: how they find each other and agree; the first one reads and writes.

With a single process every function here is the obvious local one.
"""

from __future__ import annotations

import ctypes
import importlib.util
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from pagjax.io.files import atomic, locks
from pagjax.io.files.errors import RefusedError
from pagjax.jobs.command_line import explain
from pagjax.jobs.errors import JobError
from pagjax.jobs.exit_status import EXIT_INTERRUPTED, EXIT_REFUSED

Item = TypeVar("Item")

LOST = "another process of this job ended or cannot be reached"
# A process that has died is noticed within this time where no connection breaks at once.
_HEARTBEAT_SECONDS = 30
# Who sums over processes, by the names that its errors carry.
_COLLECTIVES = ("gloo", "nccl", "mpi collective", "coordination service")


def start(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Joins the job's other processes, if there are any; before the first computation.

    Args:
        coordinator: ``host:port`` of the first process; None leaves all three to the cluster:
            SLURM, Open MPI or a TPU pod, found by JAX.
        num_processes: of the whole job.
        process_id: this one's number, from 0.

    Raises:
        JobError: if only some are given, or the others cannot be found.
    """
    given = (coordinator, num_processes, process_id)
    if any(value is None for value in given) and any(value is not None for value in given):
        raise JobError(
            "`coordinator`, `num_processes` and `process_id` go together: pass all three"
        )
    if coordinator is None and not _in_cluster():
        return
    try:
        jax.distributed.initialize(
            coordinator, num_processes, process_id, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS
        )
    except (RuntimeError, ValueError) as error:
        raise JobError(f"the job's processes did not find each other: {error}") from error


@contextmanager
def losses_end_the_job(
    resume_command: str, refusals: tuple[type[Exception], ...] = (JobError,)
) -> Iterator[None]:
    """Ends this process at once, with what to do, when another of the job's is gone.

    It may be noticed here, by a sum that does not come, or by a thread of JAX's, which aborts. An
    error or an interruption here ends this process at once too, for the others to notice, unless
    it is one of `refusals`, which all processes raise together.
    """
    if jax.process_count() == 1:
        yield
        return

    def end(reason: str) -> None:
        told = f"\n{reason}\ngo on, in every process, with: {resume_command}\n"
        os.write(sys.stderr.fileno(), told.encode())
        os._exit(EXIT_INTERRUPTED)  # an orderly exit would wait for the one that is gone

    try:
        with _on_abort(lambda: end(f"{LOST} (see above)")):
            yield
    except KeyboardInterrupt:
        end("interrupted")
    except refusals:
        raise
    except Exception as error:
        if _tells_of_a_loss(error):
            end(f"{LOST} ({str(error).splitlines()[0]})")
        told = explain(error)
        if told is None:
            traceback.print_exc()
        else:
            print(f"error: {told}", file=sys.stderr)
        sys.stderr.flush()
        # An orderly exit would wait for the others, who wait for this one.
        os._exit(1 if told is None else EXIT_REFUSED)


def _tells_of_a_loss(error: Exception) -> bool:
    """JAX raises most failures of a collective as its own error, a few as Python's plain ones."""
    if isinstance(error, jax.errors.JaxRuntimeError):
        return True
    return any(word in str(error).lower() for word in _COLLECTIVES)


@contextmanager
def _on_abort(action: Callable[[], None]) -> Iterator[None]:
    """Calls `action` from whichever thread aborts; Python's own handlers would come too late."""
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: action())
    try:
        install = ctypes.CDLL(None).signal
    except (OSError, AttributeError):  # no C library to ask: the abort says what happened
        yield
        return
    install.argtypes, install.restype = (ctypes.c_int, type(handler)), ctypes.c_void_p
    install(signal.SIGABRT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGABRT, signal.SIG_DFL)


def num_devices() -> int:
    """Devices of all processes."""
    return jax.device_count()


def is_first() -> bool:
    """Whether this process reads states and writes results."""
    return jax.process_index() == 0


def from_first(function: Callable[[], Any]) -> Any:
    """What the first process's call gives, as JSON values; its refusal is everyone's.

    Raises:
        JobError: as the function did in the first process.
    """
    if jax.process_count() == 1:
        return function()
    answer: dict[str, Any] = {}
    if is_first():
        try:
            answer = {"value": function()}
        except Exception as error:
            if (reason := explain(error)) is None:
                raise
            answer = {"error": reason}
    answer = json.loads(_broadcast(json.dumps(answer).encode()))
    if "error" in answer:
        raise JobError(answer["error"])
    return answer["value"]


def shared_out(function: Callable[[Item], Any], items: Sequence[Item]) -> Iterator[Any]:
    """A function's value for every item, in order: each computed by one process and told to all.

    Items go out round by round, one to a process, so that what is told can be written at once.

    Args:
        function: gives JSON values; it may use this process's own devices only.
        items: the same in every process.

    Yields:
        The values.

    Raises:
        JobError: in every process, where the function did so in one.

    Example, in a single process:
        >>> list(shared_out(lambda number: number**2, [1, 2, 3]))
        [1, 4, 9]
    """
    processes, own = jax.process_count(), jax.process_index()
    for first in range(0, len(items), processes):
        try:
            answers = [function(item) for item in items[first : first + processes][own : own + 1]]
            told: dict[str, Any] = {"values": answers}
        except RefusedError as error:
            told = {"error": str(error)}
        gathered = [json.loads(text) for text in _gather(json.dumps(told).encode())]
        for answer in gathered:
            if "error" in answer:
                raise JobError(answer["error"])
        for answer in gathered:
            yield from answer["values"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a folder's lock for the whole job; its first process does, and a refusal is everyone's.

    Raises:
        JobError: if another job works there.
    """
    with ExitStack() as stack:

        def enter() -> None:
            stack.enter_context(locks.held(path))

        from_first(enter)
        yield


def arrays_from_first(
    function: Callable[[], Mapping[str, np.ndarray] | None],
) -> dict[str, np.ndarray] | None:
    """The named arrays that the first process's call gives, for everyone; or None."""
    if jax.process_count() == 1:
        found = function()
        return None if found is None else dict(found)
    packed = io.BytesIO()

    def pack() -> bool:
        if (found := function()) is None:
            return False
        np.savez(packed, **found)  # type: ignore[arg-type]
        return True

    if not from_first(pack):
        return None
    content = _broadcast(packed.getvalue())
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The first process's ``.npz``, for everyone; None where there is none."""
    return arrays_from_first(lambda: atomic.read_arrays(path) if path.exists() else None)


def fetch(tree: Any) -> Any:
    """Arrays that may span processes, as whole NumPy arrays in each of them."""

    def whole(leaf: Any) -> np.ndarray:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            from jax.experimental import multihost_utils

            return np.asarray(multihost_utils.process_allgather(leaf, tiled=True))
        return np.asarray(leaf)

    return jax.tree.map(whole, tree)


def wait_for_all(what: str) -> None:
    """Returns once every process is here."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(what)


def _broadcast(content: bytes) -> bytes:
    if jax.process_count() == 1:
        return content
    from jax.experimental import multihost_utils

    length = int(multihost_utils.broadcast_one_to_all(np.array(len(content), np.int32)))
    if not length:
        return b""
    values = np.zeros(length, np.uint8)
    if is_first():
        values[:] = np.frombuffer(content, np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(values)).tobytes()


def _gather(content: bytes) -> list[bytes]:
    if jax.process_count() == 1:
        return [content]
    from jax.experimental import multihost_utils

    lengths = multihost_utils.process_allgather(np.array(len(content), np.int32))
    values = np.zeros(int(lengths.max()), np.uint8)
    values[: len(content)] = np.frombuffer(content, np.uint8)
    rows = np.asarray(multihost_utils.process_allgather(values))
    return [row[:length].tobytes() for row, length in zip(rows, lengths, strict=True)]


def _in_cluster(environment: Mapping[str, str] = os.environ) -> bool:
    sizes = [environment.get(name, "1") for name in ("SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE")]
    if any(size.isdigit() and int(size) > 1 for size in sizes):
        return True
    is_tpu_machine = any(Path(device).exists() for device in ("/dev/accel0", "/dev/vfio/0"))
    return is_tpu_machine and importlib.util.find_spec("libtpu") is not None
