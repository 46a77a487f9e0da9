"""What a device did, from the trace that `jax.profiler` writes: kernels, and the time they took."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple


class Busy(NamedTuple):
    """A device's time between its first and its last kernel.

    Attributes:
        kernels: how many ran.
        share: of that time in which at least one was running.
        longest: names and seconds of what took longest in sum, the longest first.
    """

    kernels: int
    share: float
    longest: list[tuple[str, float]]


def read(folder: Path) -> Busy | None:
    """The trace in a folder that `jax.profiler.trace` was given; None where no device shows.

    Devices are processes called ``/device:...``, and their kernels lie on the threads called
    ``Stream...``; beside these are lines that sum kernels up by module and by operation.
    """
    files = sorted(folder.rglob("*.trace.json.gz"))
    if not files:
        return None
    with gzip.open(files[-1], "rt", encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    return busy(events)


def busy(events: list[dict[str, Any]]) -> Busy | None:
    """The same of a trace's events.

    Example, two kernels of 3 and 1 microseconds with a gap of 4 between them:
        >>> names = [{"ph": "M", "name": "process_name", "pid": 1,
        ...           "args": {"name": "/device:GPU:0"}},
        ...          {"ph": "M", "name": "thread_name", "pid": 1, "tid": 2,
        ...           "args": {"name": "Stream #7(Compute)"}}]
        >>> kernels = [{"ph": "X", "pid": 1, "tid": 2, "ts": 0, "dur": 3, "name": "conv"},
        ...            {"ph": "X", "pid": 1, "tid": 2, "ts": 7, "dur": 1, "name": "sum"}]
        >>> busy(names + kernels)
        Busy(kernels=2, share=0.5, longest=[('conv', 3e-06), ('sum', 1e-06)])
    """
    told = [event for event in events if event.get("ph") == "M"]
    devices = {
        event["pid"]
        for event in told
        if event["name"] == "process_name" and event["args"]["name"].startswith("/device:")
    }
    streams = {
        (event["pid"], event["tid"])
        for event in told
        if event["name"] == "thread_name" and event["args"]["name"].startswith("Stream")
    }
    found = sorted(
        (event["ts"], event["ts"] + event["dur"], event["name"])
        for event in events
        if event.get("ph") == "X"
        and event["pid"] in devices
        and (event["pid"], event.get("tid")) in streams
    )
    if not found:
        return None
    running, reached, sums = 0.0, found[0][0], dict[str, float]()
    for start, end, name in found:
        running += max(0.0, end - max(start, reached))
        reached = max(reached, end)
        sums[name] = sums.get(name, 0.0) + (end - start) / 1e6
    longest = sorted(sums.items(), key=lambda item: -item[1])
    return Busy(len(found), running / (reached - found[0][0]), longest)
