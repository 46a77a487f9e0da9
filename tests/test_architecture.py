"""The house: imports go down only, and the ground floor stands on JAX alone."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pagjax"

# From the ground up, with what each room knows. A room imports rooms below it, in its own floor
# those before it, and none beside or above. docs/architecture.md shows this list as a table.
FLOORS = {
    "wording": {
        "wording": "how numbers and names of users are read and told; imports nothing",
        "arguments": "which commands there are, types of their values, arguments that several "
        "share, refusals in one line",
    },
    "core": {
        "core": "the mathematics on arrays and keys: checks, draws, smoothing, gradients, "
        "projections, the loop and its recipe; imports only JAX",
        "presets": "named recipes: the paper's, and cheaper ones",
    },
    "statistics": {
        "certification": "certificates and their bounds; SciPy on the host, arrays below",
        "alignment": "numbers beside pictures, judges, blind tests, attributions",
    },
    "networks": {
        "networks": "Flax modules, normalisers, the inference form and its convolutions",
    },
    "files": {
        "io": "whole files, locks, whose they are; pictures, crops, sheets, lettering; class "
        "folders, lists of labels, data sets",
        "jobs": "long work, whatever it is: processes, states, records, refusals, endings",
    },
    "checkpoints": {
        "checkpoints": "the Orbax store, shipped networks, which network one is",
        "convert": "PyTorch's containers, publishers' layouts, conversion, probes",
    },
    "work": {
        "seeds": "Gaussians fitted to classes, and starting pictures drawn from them",
        "training": "base networks trained: procedures, loop, states, cards",
        "certified_logs": "certification of data sets: jobs, logs, tables, curves, attacks",
        "synthesis": "pictures: the job and its plan, inputs, the run, results",
        "comparison": "networks compared by the numbers of their pictures",
        "figures": "the paper's figures, the gallery, the blind test",
        "onnx_files": "networks and their gradient step as files for other runtimes",
        "live_page": "the page on which pictures are dragged towards classes, and its folder",
    },
    "doors": {
        **{
            name: f"`python -m pagjax.{name}`: parses, calls, draws, records"
            for name in (
                "synthesize",
                "train",
                "certify",
                "fit_seeds",
                "align",
                "export",
                "explore",
            )
        },
        "__main__": "`pagjax NAME`: finds the command",
    },
}
ORDER = [room for rooms in FLOORS.values() for room in rooms]
# Inside the larger rooms, in the same sense.
INSIDE = {
    "core": [
        *("checks", "mesh", "draws", "grid", "outputs", "sampling", "objectives"),
        *(
            "projections",
            "gradients",
            "smoothing",
            "pgd",
            "class_gaussians",
            "recipe",
            "targeted",
            "program",
        ),
    ],
    "io": ["lettering", "files", "pictures", "data"],
}
# Modules of a room that are commands, or hold what several of its commands share.
COMMANDS = ("__main__", "command", "command_line", "commands", "blind", "radius")
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
    assert set(_rooms()) - {"_version"} == set(ORDER)
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
                allowed = {"_version", *_may_import(ORDER, room)}
                assert name.split(".")[1] in allowed, f"{file} imports {name}"


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


def _doors() -> tuple[list[Path], list[Path]]:
    """Files that know the command line, and all others."""
    rooms = {*FLOORS["doors"], "arguments"}
    found: tuple[list[Path], list[Path]] = ([], [])
    for room, files in _rooms().items():
        for file in files:
            found[room not in rooms and file.stem not in COMMANDS].append(file)
    return found


def test_only_doors_know_the_command_line():
    for file in _doors()[1]:
        assert "argparse" not in _imports(file), file


def test_only_doors_name_flags():
    """Rooms name settings in backquotes; `wording.flags` spells them for the command at hand."""
    doors, others = _doors()
    flags = {flag for file in doors for flag in re.findall(r'"(--[a-z-]+)"', file.read_text())}
    assert len(flags) > 50
    for file in others:
        if file.stem != "flags":
            words = re.findall(r"(?<![\w-])--[a-z][a-z-]+", file.read_text("utf-8"))
            assert not flags & set(words), file


def test_every_package_is_in_the_wheel():
    listed = (PACKAGE.parent / "setup.cfg").read_text(encoding="utf-8").split()
    folders = {file.parent for file in PACKAGE.rglob("*.py")}
    for folder in folders:
        assert ".".join(["pagjax", *folder.relative_to(PACKAGE).parts]) in listed


def test_the_documentation_shows_the_floors():
    rows = ["| floor | rooms | what they know |", "|---|---|---|"]
    for floor, rooms in reversed(FLOORS.items()):
        rows += [
            f"| {floor if first else ''} | `{room}` | {knows} |"
            for first, (room, knows) in zip(
                [True] + [False] * len(rooms), reversed(rooms.items()), strict=False
            )
        ]
    shown = (PACKAGE.parent / "docs/architecture.md").read_text(encoding="utf-8")
    table = "\n".join(rows)
    assert table in shown, f"docs/architecture.md should show:\n{table}"
