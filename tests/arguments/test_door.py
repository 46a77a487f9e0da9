"""`pagjax NAME`, `python -m pagjax NAME` and `python -m pagjax.NAME`: one command, three doors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pagjax import __main__ as door
from pagjax import __version__, presets
from pagjax.arguments import parsing, shared
from pagjax.arguments.commands import GROUPS, commands

ROOT = Path(__file__).resolve().parents[2]
NAMES = [command.name for command in commands()]
# What a help must not wait for.
SLOW = ("jax", "numpy", "flax", "scipy", "PIL", "matplotlib", "tensorflow_datasets")


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Hands back the words and arguments that a door leaves behind."""
    monkeypatch.setattr(sys, "argv", ["pagjax"])
    yield
    parsing.enter([])


def _run(*words: str, **how: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        **how,
    )


def test_the_listing_has_every_command_in_its_group(capsys):
    assert door.main(["--help"]) == door.main([]) == 0
    told = capsys.readouterr().out
    for group, members in GROUPS.items():
        block = re.search(rf"^{group}:\n((?:  .+\n)+)", told, re.M)
        assert [line.split()[0] for line in block[1].splitlines()] == [m.name for m in members]
    assert all(len(line) <= 100 for line in told.splitlines())
    assert door.main(["--version"]) == 0
    assert capsys.readouterr().out == f"pagjax {__version__}\n"


@pytest.mark.parametrize(
    ("given", "meant"),
    [("synthesise", "synthesize"), ("fit_seeds", "fit-seeds"), ("Certify", "certify"), ("x", "")],
)
def test_unknown_commands_are_one_line_with_the_nearest_name(given, meant, capsys):
    assert door.main([given, "--out", "x"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith(f"error: no command {given!r}: ")
    assert (f"did you mean {meant}?" if meant else ", ".join(NAMES)) in told.err


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        door.main([name, "--help"])
    told = capsys.readouterr().out
    assert told.startswith(f"usage: pagjax {name} ")
    assert re.search(r"^Costs: .+", told, re.M)
    # Options stand in groups of their own, and every one is explained.
    options = re.search(r"^options:\n((?:  .*\n)+)", told, re.M)
    assert [line for line in options[1].splitlines() if "-h, --help" not in line] == []
    command = parsing.by_name(name)
    home = import_module(command.module)
    parser = getattr(home, "parser", None) or import_module("pagjax.synthesize").parser
    assert all(action.help for action in parser()._actions)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_refused_in_one_line(name, capsys):
    with pytest.raises(SystemExit, match="2"):
        door.main([name, *_needed(name), "--no-such-option", "x\ny"])
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("error: unrecognized arguments: --no-such-option x y")
    assert told.err.endswith(f"(see pagjax {name} --help)\n")


def _needed(name: str) -> list[str]:
    return {
        "certify": ["--checkpoint", "x"],
        "align": ["--networks", "x"],
        "fit-seeds": ["x", "--out", "x.npz"],
        "convert": ["x", "y"],
        "train": ["x"],
        "checkpoints": ["x"],
        "export": ["x"],
        "explore": ["x"],
        "figures": ["1"],
    }.get(name, [])


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["synthesize", "--imges", "x"], "did you mean --images?"),
        (["synthesize", "--checkpiont=x"], "did you mean --checkpoint?"),
        (["figures", "--preset", "fats"], "did you mean fast?"),
        (["certify", "report"], "required: LOG"),
    ],
)
def test_misspelt_options_name_the_nearest(words, meant, capsys):
    with pytest.raises(SystemExit, match="2"):
        door.main(words)
    assert meant in capsys.readouterr().err


def test_presets_offered_are_those_there_are():
    assert presets.NAMES == shared.PRESETS


@pytest.mark.parametrize("name", NAMES)
def test_help_waits_for_nothing_slow(name):
    """Each in a process of its own, as what a test run has imported would hide it."""
    code = (
        "import runpy, sys\n"
        "try:\n    runpy.run_module('pagjax', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n    print('status', end.code)\n"
        f"print('slow', [name for name in {SLOW} if name in sys.modules])"
    )
    told = _run("-c", code, name, "--help").stdout
    assert "status 0" in told
    assert "slow []" in told


@pytest.mark.parametrize(
    "words",
    [["-m", "pagjax"], ["-c", "from pagjax.__main__ import main; import sys; sys.exit(main())"]],
)
def test_doors_lead_to_the_same_command(words):
    seen = _run(*words, "checkpoints")
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout == _run("-m", "pagjax.checkpoints").stdout
    missing = _run(*words, "checkpoints", "no-such-network")
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1


def test_the_converter_is_one_command_with_three_names(tmp_path):
    doors = (["convert_torch_weights.py"], ["-m", "pagjax", "convert"])
    for words in doors:
        seen = _run(*words, str(tmp_path / "none.pt"), str(tmp_path / "out"), cwd=ROOT)
        assert (seen.returncode, seen.stderr.count("\n")) == (1, 1)
        assert "none.pt" in seen.stderr


def test_a_command_goes_on_by_the_door_it_came_in(monkeypatch):
    from pagjax.jobs.command_line import resume_command

    monkeypatch.setattr(sys, "argv", ["synthesize.py", "--out", "my pictures"])
    assert resume_command() == "python -m pagjax.synthesize --out 'my pictures' --resume"
    parsing.enter(["pagjax"])
    assert resume_command() == "pagjax synthesize --out 'my pictures' --resume"


def test_records_say_the_same_by_every_door(monkeypatch, capsys):
    """A command sees its own arguments only, as it is recorded."""
    seen = {}

    def main(argv):
        seen["argv"], seen["sys"] = argv, sys.argv
        return 0

    monkeypatch.setattr("pagjax.synthesize.main", main)
    assert door.main(["synthesize", "--count", "3"]) == 0
    assert seen["argv"] == ["--count", "3"]
    assert [Path(seen["sys"][0]).name, *seen["sys"][1:]] == ["synthesize.py", "--count", "3"]
    assert json.dumps(seen["argv"])


@pytest.mark.parametrize(
    ("argv", "orig", "starting"),
    [
        (["-m"], ["python", "-m", "pagjax", "certify"], True),
        (["-m"], ["python", "-X", "utf8", "-m", "pagjax.certify"], True),
        (["-m"], ["python", "-m", "pytest", "pagjax"], False),
        (["/usr/local/bin/pagjax", "certify"], ["python", "/usr/local/bin/pagjax"], True),
        (["my_pagjax.py"], ["python", "my_pagjax.py"], False),
        ([""], ["python"], False),
        ([], ["python"], False),
    ],
)
def test_interruptions_of_imports_are_ours_in_commands_alone(argv, orig, starting, monkeypatch):
    from pagjax.jobs import interruption

    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", orig)
    assert interruption.is_starting_a_command() is starting
