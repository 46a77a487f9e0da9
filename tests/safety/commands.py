"""Commands with the smallest of inputs, for tests of what they do with files."""

from __future__ import annotations

from pathlib import Path

from pagjax import align, synthesize
from pagjax.figures import __main__ as figures


def synthesis(inputs: Path, out: Path | str, *more: str, start: str | None = None) -> int:
    arguments = ["--checkpoint", str(inputs / "tiny"), "--images", start or str(inputs / "0.png")]
    arguments += ["--targets", "dog", "--steps", "2", "--num-samples", "1", "--out", str(out)]
    return synthesize.main([*arguments, *more])


def align_of(inputs: Path, out: Path | str, *more: str) -> int:
    arguments = ["--networks", str(inputs / "tiny"), "--statistics", str(inputs / "tiny.npz")]
    arguments += ["--count", "2", "--steps", "2", "--num-samples", "1", "--out", str(out)]
    return align.main([*arguments, *more])


def figures_of(inputs: Path, out: Path | str, *more: str) -> int:
    small = ["--rows", "1", "--columns", "1", "--steps", "2", "--num-samples", "1"]
    return figures.main(["2", *small, "--out", str(out), *more])
