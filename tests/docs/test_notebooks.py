"""Notebooks: both halves of each pair say the same, carry no outputs, and run."""

from __future__ import annotations

import os
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from pagjax.checkpoints import shipped

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def test_there_are_four():
    assert len(NAMES) == 4


@pytest.mark.parametrize("name", NAMES)
def test_the_pair_agrees_and_holds_no_outputs(name):
    text = jupytext.read(FOLDER / f"{name}.py")
    paired = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    assert [(cell.cell_type, cell.source) for cell in text.cells] == [
        (cell.cell_type, cell.source) for cell in paired.cells
    ], f"run `jupytext --update --to ipynb notebooks/{name}.py`"
    for cell in paired.cells:
        assert not cell.get("outputs")


# The same cells on fewer and rougher pictures. The compiler's work stays, but for two figures that
# differ from others in their recipes alone; instead of them, what is done is shown again.
_SMALLER = {
    "sigma=sigma)\nprint(": "sigma=sigma)\nrecipe = replace(recipe, num_steps=2, num_samples=2)\n"
    "print(",
    "sigma=sigma, num_samples=100": "sigma=sigma, num_samples=2",
    "own, key, sigma=sigma)": "own, key, sigma=sigma, num_samples=2)",
    "rows=2, columns=4": "rows=1, columns=1",
    "num_steps=40": "num_steps=2, num_samples=2",
    "recipes(), Cast()": 'recipes(main=0.25, compared=0.25), Cast(["cifar10"])',
    "show(12)": "show(1)",
    "show(14)": "show(2)",
    "NUM_STEPS = 200": "NUM_STEPS = 3",
    "sigma=SIGMA, num_samples=50": "sigma=SIGMA, num_samples=2",
    "num_steps=30, num_samples=10": "num_steps=2, num_samples=2",
    "num_estimation=2000": "num_estimation=100",
    "num_steps=6, num_samples=8": "num_steps=2, num_samples=2",
    "range(8)": "range(2)",
    "num_estimation=1000": "num_estimation=100",
}
# Programs that run once are quicker to compile than to optimise; nothing below looks at numbers.
_COMPILER = "--xla_llvm_disable_expensive_passes=true"


def test_what_is_made_smaller_is_there():
    """Else the tests would run the notebooks whole."""
    texts = [(FOLDER / f"{name}.py").read_text("utf-8") for name in NAMES]
    assert [whole for whole in _SMALLER if not any(whole in text for text in texts)] == []


@pytest.mark.skipif(not shipped.names(), reason="no network is shipped")
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"{os.environ.get('XLA_FLAGS', '')} {_COMPILER}")
    notebook = jupytext.read(FOLDER / f"{name}.py")
    for cell in notebook.cells:
        for whole, smaller in _SMALLER.items():
            cell.source = cell.source.replace(whole, smaller)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    done = client.execute()
    errors = [o for c in done.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert not errors
