"""What the README and the pages say: examples run, commands have their options, files are there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]


def _examples(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)


_STARTS = r"(?:python -m pagjax[ .]|pagjax |python convert_torch)"


def _commands(text: str) -> list[str]:
    """Command lines of indented and fenced blocks, those over several lines as one."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    indented = re.findall(r"^ {4}(.*\n)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    joined = "".join([*indented, *fenced]).replace("\\\n", " ")
    return re.findall(rf"^({_STARTS}[^\n]*)", joined, re.M)


def test_the_readme_is_short():
    assert len(README.read_text("utf-8").splitlines()) <= 120


def test_start_and_readme_have_the_same_example():
    assert _examples(ROOT / "docs" / "start.md")[0] == _examples(README)[0]


@pytest.mark.parametrize("name", [name for name in NAMES if _examples(ROOT / name)][1:])
def test_examples_run(name, tmp_path, monkeypatch):
    """A page's examples in turn, as a reader types them; the README's is the first of start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    names: dict[str, object] = {"__name__": "__main__"}
    for example in _examples(ROOT / name):
        exec(compile(example, name, "exec"), names)
    plt.close("all")
    if name == "docs/start.md":
        assert np.ptp(plt.imread("golf-ball.png")[..., :3]) > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_options_exist(name):
    for line in _commands((ROOT / name).read_text("utf-8")):
        words = [word.strip("[]") for word in shlex.split(line, comments=True)]
        options = {word.split("=")[0] for word in words if re.match(r"--[a-z]", word)}
        told = _help("report" if "report" in words else "", *_command(words))
        unknown = {option for option in options if f"{option} " not in told}
        assert not unknown, f"{line}: no {', '.join(sorted(unknown))}"


def _command(words: list[str]) -> list[str]:
    """What Python is given to run the command, by its module or by its name."""
    if words[0] == "pagjax":
        return ["-m", *words[:2]]
    return words[1:3] if words[1] == "-m" else words[1:2]


_TOLD: dict[tuple[str, ...], str] = {}


def _help(report: str, *command: str) -> str:
    words = (*command, *([report] if report else []), "--help")
    if words not in _TOLD:
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True
        )
        _TOLD[words] = re.sub(r"[\s,\]|=]", " ", done.stdout)
    return _TOLD[words]


@pytest.mark.parametrize("name", NAMES)
def test_links_and_paths_are_there(name):
    page = ROOT / name
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", link) and link != "reference/index.rst":
            path = link.split("#")[0]
            made = path.startswith(("reference/", "notebooks/")) and page.parent.name == "docs"
            assert made or (page.parent / path).exists(), link
    for path in re.findall(
        r"`((?:pagjax|tests|docs|notebooks|benchmarks|\.github)/[\w./-]*)`", text
    ):
        assert path.startswith("docs/_build") or (ROOT / path).exists(), path
