"""Two programs in turn: each in a process of its own, asked for one round after the other."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any


class Worker:
    """A child process that answers named requests, one at a time, so that pairs can alternate."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()

    def send(self, request: str) -> None:
        """Asks for the answer of the worker's function of that name, without waiting."""
        assert self.process.stdin is not None
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        """The answer to the oldest request, when it comes."""
        assert self.process.stdout is not None
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("a worker ended before its answer: see its message above")
        return json.loads(answer)

    def ask(self, request: str) -> Any:
        """The answer to a request."""
        self.send(request)
        return self.receive()


def serve(functions: dict[str, Callable[[], Any]]) -> None:
    """Answers requests from standard input until it closes."""
    for line in sys.stdin:
        print(json.dumps(functions[line.strip()]()), flush=True)


def timed(work: Callable[[], Any], count: int) -> float:
    """Wall seconds of one of `count` units of work; `work` blocks until it is done."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / count


def peak_memory() -> float:
    """The process's peak resident memory, in GB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1e6
    return float("nan")


def processor() -> str:
    """The processor's name, as the system knows it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
