"""Examples as a reader's type checker sees them: by the types that the package ships."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What a page's reader brings, such as pictures, is not defined there.
OPTIONS = ["--disable-error-code=name-defined", "--allow-untyped-defs", "--follow-imports=silent"]


WRONG = {
    "pagjax.load(3)": "arg-type",
    "pagjax.load('x').index('cat').upper()": "attr-defined",
    "pagjax.no_such_name": "attr-defined",
    "pagjax.checkpoints.no_such_name": "attr-defined",
    "pagjax.presets.settings('fast', 32, sigma='a')": "arg-type",
    "pagjax.certification.certify(1)": "call-arg",
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory) -> dict[str, list[str]]:
    """What the checker says of the README's examples, and of wrong uses."""
    folder = tmp_path_factory.mktemp("examples")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert blocks
    (folder / "readme.py").write_text("\n".join(blocks), encoding="utf-8")
    (folder / "wrong.py").write_text("\n".join(["import pagjax", *WRONG]), encoding="utf-8")
    files = [str(folder / name) for name in ("readme.py", "wrong.py")]
    # With the cache of `make types`, which has read the same modules.
    command = [sys.executable, "-m", "mypy", "--config-file", "setup.cfg", *OPTIONS, *files]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert seen.stdout.rstrip().splitlines()[-1].startswith("Found "), seen.stdout + seen.stderr
    lines = seen.stdout.splitlines()
    return {name: [line for line in lines if f"{name}.py:" in line] for name in ("readme", "wrong")}


def test_the_examples_of_the_readme_pass_a_type_checker(complaints):
    assert complaints["readme"] == []


@pytest.mark.parametrize("number", range(len(WRONG)), ids=list(WRONG))
def test_wrong_uses_are_found(number, complaints):
    told = [line for line in complaints["wrong"] if f"wrong.py:{number + 2}: error" in line]
    assert f"[{list(WRONG.values())[number]}]" in "".join(told)
