"""What a run leaves behind: metrics as JSON lines, a picture of its curves, and its card."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pagjax.checkpoints.cards import Accuracies, Card, Rounding, Skipped
from pagjax.io.files import atomic
from pagjax.training.evaluation import ALPHA
from pagjax.training.loop import TrainingProgress
from pagjax.training.settings import TrainingError

METRICS, CURVES = "metrics.jsonl", "curves.png"


def resume(folder: Path, step: int) -> None:
    """Drops a run's measurements from a step on, which are about to be taken again.

    What was measured after the last state that a killed process saved is not of this run, nor is
    the time that it took; of a line cut short by the kill nothing is left to spoil the next one.
    """
    path = folder / METRICS
    if not path.exists():
        return
    kept = [line for line in read(folder) if line.step < step]
    content = "".join(map(_as_line, kept)).encode()
    if content != path.read_bytes():
        atomic.write_bytes(path, content)


def append(folder: Path, progress: TrainingProgress) -> None:
    """Adds a line to the run's metrics."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(_as_line(progress))


def _as_line(progress: TrainingProgress) -> str:
    return json.dumps(dataclasses.asdict(progress)) + "\n"


def read(folder: Path) -> list[TrainingProgress]:
    """The run's metrics in order of steps; of steps taken twice, after a kill, the later line.

    Raises:
        TrainingError: naming the line and the field that was edited.
    """
    path = folder / METRICS
    if not path.exists():
        return []
    lines: dict[int, TrainingProgress] = {}
    fields = [field.name for field in dataclasses.fields(TrainingProgress)]
    for at, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue  # a line cut short by a kill
        wrong = _first_wrong(line)
        if wrong is not None:
            raise TrainingError(f"{path}, line {at}: {wrong} was edited: remove the line")
        lines[line["step"]] = TrainingProgress(**{name: line.get(name) for name in fields})
    return [lines[step] for step in sorted(lines)]


def _first_wrong(line: Any) -> str | None:
    """The first field of a line that no run can have written."""
    if not isinstance(line, dict):
        return "it"
    for field, kind in get_type_hints(TrainingProgress).items():
        value: Any = line.get(field)
        if value is None and (kind is not int and kind is not float):
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or abs(value) > 1e18 or (kind is int and value != int(value)):
            return field
    return None


def total_of(times: Iterable[float]) -> float:
    """What a clock of `TrainingProgress` counted over a run's processes, each from 0.

    Example, two processes of 3 and 2 seconds:
        >>> total_of([1.0, 3.0, 0.5, 2.0])
        5.0
    """
    total, previous = 0.0, 0.0
    for time in times:
        total += time - (previous if time >= previous else 0.0)
        previous = time
    return total


def draw_curves(folder: Path) -> Path:
    """Draws loss and accuracies over epochs."""
    from matplotlib.figure import Figure

    lines = read(folder)
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [line.epoch for line in lines]
    left.plot(epochs, [line.loss for line in lines], linewidth=0.8)
    left.set(xlabel="epoch", ylabel="loss on what is trained on")
    right.plot(epochs, [line.accuracy for line in lines], linewidth=0.8, label="trained on")
    tested = [line for line in lines if line.test_accuracy is not None]
    right.plot(
        [line.epoch for line in tested],
        [line.test_accuracy for line in tested],
        marker="o",
        markersize=3,
        label="first test images, one draw, averaged weights",
    )
    right.set(xlabel="epoch", ylabel="accuracy")
    right.legend()
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=120, format="png")
    atomic.write_bytes(folder / CURVES, drawn.getvalue())
    return folder / CURVES


@dataclass(frozen=True)
class Made:
    """How a network came to be.

    Attributes:
        settings: of its training, as JSON values.
        command: words that train it again.
        environment: from `pagjax.jobs.environment.describe`.
        seconds, cpu_seconds: that training took.
        parameters: how many were trained.
        skipped: images that could not be read.
    """

    settings: Mapping[str, Any]
    command: Sequence[str]
    environment: Mapping[str, Any]
    seconds: float
    cpu_seconds: float
    parameters: int
    skipped: Skipped


def card(name: str, purpose: str, made: Made, reached: Accuracies, unrounded: Accuracies) -> Card:
    """A network's card.

    Args:
        name: of the network.
        purpose: what it is for, in a phrase.
        made: how it came to be.
        reached: its accuracies as it is on disk.
        unrounded: those before half precision; `Card.rounding` is what that added to each.
    """
    under_noise = None
    if reached.under_noise is not None and unrounded.under_noise is not None:
        under_noise = reached.under_noise - unrounded.under_noise
    return Card(
        name=name,
        purpose=purpose,
        accuracies=reached,
        rounding=Rounding(reached.clean - unrounded.clean, under_noise),
        abstention_level=ALPHA,
        parameters=made.parameters,
        command=" ".join(made.command),
        settings=made.settings,
        training_seconds=round(made.seconds),
        training_cpu_seconds=round(made.cpu_seconds),
        environment=made.environment,
        skipped_images=made.skipped if any(made.skipped) else None,
    )
