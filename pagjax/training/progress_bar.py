"""How far a training is: on the terminal, and in the run's record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tqdm import tqdm

from pagjax.jobs import processes
from pagjax.training import record
from pagjax.training.loop import TrainingProgress


def shown() -> _Bar | _NoBar:
    """A bar at the first process, which also keeps the run's record; nothing at others."""
    return _Bar() if processes.is_first() else _NoBar()


class _NoBar:
    """Of processes but the first."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, *_: object) -> None:
        """Keeps no record."""

    evaluation = __call__


class _Bar:
    """A progress bar with loss, accuracy, images a second and time left."""

    def __init__(self) -> None:
        self.begun = False
        self.bar = tqdm(unit="step", desc="compiling", mininterval=1)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, out: Path, progress: TrainingProgress) -> None:
        if not self.begun:
            record.resume(out, progress.step)
            self.begun = True
        record.append(out, progress)
        if self.bar.total != progress.steps:
            # Steps of an earlier process say nothing about this one's speed.
            self.bar.unit = "step"
            self.bar.reset(total=progress.steps)
            self.bar.initial = progress.step
        self.bar.set_description(f"epoch {progress.epoch:.2f}", refresh=False)
        speed = progress.images_per_second
        told = f"loss {progress.loss:.3f}, accuracy {progress.accuracy:.3f}"
        if speed is not None:
            told += f", {speed:.0f} images/s"
        if progress.test_accuracy is not None:
            self.bar.write(f"epoch {progress.epoch:.2f}: {told}, test {progress.test_accuracy:.3f}")
        self.bar.set_postfix_str(told, refresh=False)
        self.bar.update(progress.step - self.bar.n)

    def evaluation(self, what: str, done: int, total: int) -> None:
        """Shows how far the evaluation is."""
        if self.bar.desc != f"{what}: ":
            self.bar.unit = "image"
            self.bar.set_description(what, refresh=False)
            self.bar.reset(total=total)
        self.bar.update(done - self.bar.n)
