"""The house: imports go down only, and the ground floor stands on JAX alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pagjax"

# From the ground up. A room imports rooms below it, in its own floor those before it, and none
# beside or above. What the documentation says of a floor stands in docs/architecture.md.
FLOORS = {
    "wording": ["_version", "wording", "arguments"],
    "core": ["core", "presets"],
    "statistics": ["certification", "alignment"],
    "networks": ["networks"],
    "files": ["io", "jobs"],
    "checkpoints": ["checkpoints", "convert"],
    "work": [
        "seeds",
        "training",
        "certified_logs",
        "synthesis",
        "comparison",
        "figures",
        "onnx_files",
        "live_page",
    ],
    "doors": ["synthesize", "train", "certify", "fit_seeds", "align", "export", "explore"],
}
ORDER = [room for rooms in FLOORS.values() for room in rooms]
# Inside the larger rooms, in the same sense.
INSIDE = {
    "core": [
        *("checks", "mesh", "draws", "outputs", "sampling", "objectives", "projections"),
        *("gradients", "smoothing", "pgd", "class_gaussians", "recipe", "targeted", "program"),
    ],
    "io": ["lettering", "files", "pictures", "data"],
}
# The numbers themselves; intervals and rows stand above them, on SciPy.
ALIGNMENT = [
    f"alignment/{name}"
    for name in ("roughness", "coherence", "directions", "bayes", "batches", "agreement", "judges")
]
GROUND = ["core", "presets/paper", *ALIGNMENT]
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
    assert set(_rooms()) == set(ORDER)
    for room, inside in INSIDE.items():
        found = {path.stem for path in (PACKAGE / room).iterdir()} - {"__init__", "__pycache__"}
        assert found == set(inside)


def _may_import(order: list[str], own: str) -> set[str]:
    return set(order[: order.index(own) + 1])


@pytest.mark.parametrize("room", ORDER)
def test_imports_go_down_only(room):
    for file in _rooms()[room]:
        for name in _imports(file):
            if name.startswith("pagjax."):
                assert name.split(".")[1] in _may_import(ORDER, room), f"{file} imports {name}"


@pytest.mark.parametrize("room", INSIDE)
def test_inside_a_room_they_do_too(room):
    for file in _rooms()[room]:
        own = file.relative_to(PACKAGE / room).parts[0].removesuffix(".py")
        for name in _imports(file):
            if name.startswith(f"pagjax.{room}.") and own != "__init__":
                inner = name.split(".")[2]
                assert inner in _may_import(INSIDE[room], own), f"{file} imports {name}"


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


def test_tests_and_benchmarks_do_not_import_each_other():
    root = PACKAGE.parent
    for folder, other in (("tests", "benchmarks"), ("benchmarks", "tests"), ("peers", "tests")):
        for file in (root / folder).rglob("*.py"):
            assert other not in {name.split(".")[0] for name in _imports(file)}, file


def test_only_doors_know_the_command_line():
    doors = {*FLOORS["doors"], "arguments"}
    for room, files in _rooms().items():
        for file in files:
            is_door = room in doors or file.stem in ("__main__", "command", "command_line")
            if not is_door and file.parent.name != "figures":
                assert "argparse" not in _imports(file), file


def test_every_package_is_in_the_wheel():
    listed = (PACKAGE.parent / "setup.cfg").read_text(encoding="utf-8").split()
    folders = {file.parent for file in PACKAGE.rglob("*.py")}
    for folder in folders:
        assert ".".join(["pagjax", *folder.relative_to(PACKAGE).parts]) in listed
