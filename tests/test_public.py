"""What `import pagjax` offers: a short list, the same for dir, help, tab and type checkers."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import pagjax

ROOT = Path(__file__).resolve().parents[1]


def _public_modules(module: ModuleType = pagjax) -> dict[str, ModuleType]:
    """All modules that are reached through public names."""
    found = {module.__name__: module}
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.ismodule(value) and value.__name__ not in found:
            found |= _public_modules(value)
    return found


PUBLIC = _public_modules()


def test_dir_shows_the_public_list_and_nothing_else():
    for module in (pagjax, *(m for m in PUBLIC.values() if "_lazily" in vars(m))):
        assert sorted(module.__all__) == dir(module)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_exist_and_say_what_they_are(name):
    module = PUBLIC[name]
    assert module.__doc__
    assert not [public for public in module.__all__ if public.startswith("_") and name != "pagjax"]
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{public}"
            assert value.__module__.startswith("pagjax.")


@pytest.mark.parametrize("name", PUBLIC)
def test_type_checkers_see_the_same_list(name):
    """A checker does not run ``__getattr__``: it reads imports and definitions."""
    tree = ast.parse(Path(PUBLIC[name].__file__).read_text(encoding="utf-8"))
    seen = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            seen |= {alias.asname for alias in node.names if alias.asname == alias.name}
    if PUBLIC[name].__file__.endswith("__init__.py"):
        assert seen == set(PUBLIC[name].__all__)
    else:
        assert set(PUBLIC[name].__all__) <= {*vars(PUBLIC[name])}


def test_help_lists_the_public_names():
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import pydoc, pagjax; print(pydoc.plain(pydoc.render_doc(pagjax)))",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    sections = dict(re.findall(r"^([A-Z]+)\n((?:    .*\n|\n)+)", told, re.M))
    listed = re.findall(r"^    (?:class )?(\w+)(?:\(| = )", sections["FUNCTIONS"], re.M)
    assert {*listed} == {n for n in pagjax.__all__ if inspect.isfunction(getattr(pagjax, n))}
    constants = re.findall(r"^    (\w+) = ", sections["DATA"], re.M)
    assert {*constants} <= {*pagjax.__all__}


def test_tab_offers_the_public_names():
    completer = pytest.importorskip("IPython.core.completer")
    offered = completer.IPCompleter(shell=None, namespace={"pagjax": pagjax})
    for use_jedi in (False, True):
        offered.use_jedi = use_jedi
        with completer.provisionalcompleter():
            found = {
                c.text.removeprefix("pagjax").removeprefix(".")
                for c in offered.completions("pagjax.", len("pagjax."))
            }
        assert {name for name in found if not name.startswith("_")} <= {*pagjax.__all__}
        assert "targeted_pgd" in found


def _named_in_the_documentation() -> set[str]:
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.py")]
    found = set()
    for path in texts:
        text = path.read_text(encoding="utf-8")
        commands = r"-m pagjax[\w.]*|pagjax\.(?:json|egg-info|lock|new)\b|\.pagjax[\w.-]*"
        text = re.sub(commands, "", text)
        found |= set(re.findall(r"(?<![\w./-])pagjax(?:\.[A-Za-z_]\w*)+", text))
    return found


@pytest.mark.parametrize("name", sorted(_named_in_the_documentation()))
def test_names_in_the_documentation_are_there(name):
    """After ``import pagjax`` alone where it is public, else by an import of the module."""
    value = pagjax
    for part in name.split(".")[1:]:
        value = getattr(value, part, None) or import_module(f"{value.__name__}.{part}")
    assert value is not None


def test_importing_waits_for_nothing_slow():
    code = (
        "import sys, pagjax; dir(pagjax); print([n for n in ('jax', 'numpy') if n in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert told.stdout.strip() == "[]"


def test_earlier_names_of_modules_are_the_same_modules():
    for earlier in ("pagjax.projections", "pagjax.attribution", "pagjax.checkpoints.convert"):
        assert import_module(earlier).__name__ != earlier
    from pagjax.checkpoints.convert import convert

    assert convert is pagjax.convert.convert
