"""The small inputs that users bring, where they lie beside the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PARTS = """
import runpy, sys
made = open("make.py").read().split("\\nfor make in (")[0]
sys.argv = ["make.py", sys.argv[1]]
exec(compile(made, "make.py", "exec"))
for make in (class_folders, pictures, labels):
    make(OUT / make.__name__)
"""


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders, pictures and lists of labels, written anew."""
    home = Path(__file__).resolve().parents[3] / "shared" / "cases"
    if not (home / "make.py").exists():
        pytest.skip("needs ../shared/cases, the small inputs beside the clone")
    out = tmp_path_factory.mktemp("cases")
    command = [sys.executable, "-B", "-c", PARTS, str(out)]
    subprocess.run(command, cwd=home, check=True, capture_output=True)
    return out
