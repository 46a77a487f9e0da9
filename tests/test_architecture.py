"""The house: imports go down only, and the ground floor stands on JAX alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pagjax"

# From the ground up; a room may import rooms of its own floor's earlier entries and below.
FLOORS = [
    [
        "_version",
        "wording",
        "checks",
        "mesh",
        "draws",
        "outputs",
        "sampling",
        "objectives",
        "projections",
    ],
    ["gradients", "smoothing", "pgd", "class_gaussians"],
    ["targeted", "paper", "presets", "memory", "certification", "alignment", "attribution"],
    ["networks"],
    ["io", "torch_files", "images", "samples", "lettering"],
    ["checkpoints"],
    ["sheets", "runs", "training", "class_statistics", "certificates"],
    ["synthesize", "train", "certify", "fit_seeds", "align", "figures"],
]
# The numbers themselves; intervals and rows stand above them, on SciPy.
ALIGNMENT = [
    f"alignment/{name}"
    for name in ("roughness", "coherence", "directions", "bayes", "batches", "agreement", "judges")
]
GROUND = [*FLOORS[0], *FLOORS[1], "targeted", "paper", *ALIGNMENT]
STANDARD = set(sys.stdlib_module_names)


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _rooms() -> dict[str, list[Path]]:
    rooms: dict[str, list[Path]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        relative = file.relative_to(PACKAGE)
        rooms.setdefault(relative.parts[0].removesuffix(".py"), []).append(file)
    rooms.pop("__init__")
    return rooms


def test_every_room_has_a_floor():
    assert set(_rooms()) == {room for floor in FLOORS for room in floor}


@pytest.mark.parametrize("room", _rooms())
def test_imports_go_down_only(room):
    level = next(index for index, floor in enumerate(FLOORS) if room in floor)
    allowed = {name for floor in FLOORS[: level + 1] for name in floor}
    for file in _rooms()[room]:
        for name in _imports(file):
            if name.startswith("pagjax."):
                assert name.split(".")[1] in allowed, f"{file.name} imports {name}"


@pytest.mark.parametrize("room", GROUND)
def test_the_ground_floor_imports_only_jax(room):
    folder = PACKAGE / room
    for file in folder.rglob("*.py") if folder.is_dir() else [PACKAGE / f"{room}.py"]:
        for name in _imports(file):
            top = name.split(".")[0]
            assert top in STANDARD | {"jax", "pagjax", "__future__"}, f"{file} imports {name}"


@pytest.mark.parametrize("room", _rooms())
def test_torch_is_never_imported(room):
    for file in _rooms()[room]:
        assert "torch" not in {name.split(".")[0] for name in _imports(file)}, file
