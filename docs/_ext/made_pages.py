"""Pages that are made, not written: the reference from docstrings, and copies of the notebooks.

They go into ``docs/reference`` and ``docs/notebooks``, which git ignores.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import reprlib
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pagjax

# The order of the modules that `dir(pagjax)` shows; others come after them.
ORDER = (
    *("objectives", "projections", "sampling", "pgd", "paper", "presets"),
    *("certification", "alignment", "attribution", "images", "samples"),
    *("networks", "checkpoints", "convert", "mesh", "figures"),
)


def public_names() -> list[str]:
    """The names that ``dir(pagjax)`` shows."""
    return [name for name in dir(pagjax) if not name.startswith("_")]


def modules() -> list[str]:
    """Those of them that are modules, each a page, and the modules that these show."""
    found = [name for name in public_names() if inspect.ismodule(getattr(pagjax, name))]
    found.sort(key=lambda name: (ORDER.index(name) if name in ORDER else 99, name))
    return [path for name in found for path in (name, *_inner(name))]


def _inner(name: str) -> list[str]:
    module = getattr(pagjax, name)
    return [f"{name}.{one}" for one in members(module) if inspect.ismodule(getattr(module, one))]


def _module(path: str) -> ModuleType:
    found: ModuleType = attrgetter(path)(pagjax)
    return found


def members(module: ModuleType) -> list[str]:
    """Public names of a module: ``__all__``, or what it defines or imports to hand on."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    found: list[str] = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if alias.asname == alias.name]
        else:
            found += _assigned(node)
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    parts = [part for target in targets for part in getattr(target, "elts", [target])]
    return [part.id for part in parts if isinstance(part, ast.Name)]


def write(docs: Path) -> None:
    """The made pages, where they differ from those that lie there."""
    _replace(docs / "reference", _reference())
    notebooks = docs.parent / "notebooks"
    pages = {path.name: path.read_text("utf-8") for path in sorted(notebooks.glob("*.ipynb"))}
    _replace(docs / "notebooks", pages)


def _replace(folder: Path, pages: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.is_file() and path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _reference() -> dict[str, str]:
    """Each name once, at its shortest path; where it is handed on, a link to there."""
    tops = [name for name in public_names() if not inspect.ismodule(getattr(pagjax, name))]
    homes: dict[tuple[str, int], str] = {}
    pages = {"pagjax.rst": _page("pagjax", pagjax, tops, homes)}
    for name in modules():
        module = _module(name)
        pages[f"{name}.rst"] = _page(f"pagjax.{name}", module, members(module), homes)
    told = [("pagjax", pagjax), *((name, _module(name)) for name in modules())]
    pages["index.rst"] = _INDEX.format(
        told="\n".join(f"- :doc:`{name}`: {_first(module)}" for name, module in told),
        listed="\n".join(f"   {name}" for name, _ in told),
    )
    return pages


_INDEX = """Reference
=========

Every public name, from the docstrings. Lengths (``sigma``, ``epsilon``, ``step_size``, radii) are
l2 lengths in [0, 1] pixel units, see :doc:`/units`. The options of the commands are told by
``--help`` and in :doc:`/commands`.

{told}

.. toctree::
   :hidden:

{listed}
"""


def _first(module: ModuleType) -> str:
    """The first sentence of what a module says of itself, without what is markup elsewhere."""
    line = (module.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")
    return line.removeprefix("pagjax: ").replace("*", r"\*").replace("|", r"\|")


def _page(
    title: str, module: ModuleType, names: list[str], homes: dict[tuple[str, int], str]
) -> str:
    lines = [f"``{title}``", "=" * (len(title) + 4), "", f".. automodule:: {title}", ""]
    elsewhere: list[str] = []
    for name in names:
        value = getattr(module, name)
        if inspect.ismodule(value):
            continue
        path = homes.setdefault((name, id(value)), f"{title}.{name}")
        if path == f"{title}.{name}":
            lines += _entry(path, value, _comment(module, name))
        else:
            elsewhere.append(f"`{path}`")
    if elsewhere:
        lines += [f"Also here: {', '.join(elsewhere)}.", ""]
    return "\n".join(lines)


def _entry(path: str, value: object, comment: list[str]) -> list[str]:
    if inspect.isclass(value):
        return [f".. autoclass:: {path}", "   :members:", ""]
    if inspect.isroutine(value) or hasattr(value, "__wrapped__"):
        return [f".. autofunction:: {path}", ""]
    # A constant or an alias: its value, and the comment that stands above it in the source.
    home, name = path.rsplit(".", 1)
    told = [f".. py:data:: {name}", f"   :module: {home}", f"   :value: {_short(value)}", ""]
    return [*told, *(f"   {line}" for line in comment), ""]


_REPR = reprlib.Repr()
_REPR.maxdict, _REPR.maxstring, _REPR.maxother = 3, 60, 1000
_HOMES = re.compile(r"\b(?:typing|collections\.abc|jax\.jaxlib\._jax|jaxlib\._jax|numpy)\.")


def _short(value: object) -> str:
    """A constant's or an alias's value on a line, as people write it."""
    named = isinstance(value, pagjax.Objective)
    shown = f"Objective({value.name!r}, ...)" if named else _REPR.repr(value)
    shown = re.sub(r" at 0x\w+", "", _HOMES.sub("", " ".join(shown.split())))
    return shown if len(shown) <= 120 else f"{shown[:117]}..."


def _comment(module: ModuleType, name: str) -> list[str]:
    """What the source says of a constant: a string below it, or the lines of ``#`` above it."""
    source = inspect.getsource(module)
    body, lines = ast.parse(source).body, source.splitlines()
    for node in ast.walk(ast.parse(source)):
        handed_on = isinstance(node, ast.ImportFrom) and any(a.name == name for a in node.names)
        if handed_on and str(node.module).startswith("pagjax"):
            return _comment(import_module(node.module), name)
    for node, after in zip(body, [*body[1:], None], strict=True):
        if name in _assigned(node):
            told = after.value if isinstance(after, ast.Expr) else None
            if isinstance(told, ast.Constant) and isinstance(told.value, str):
                return inspect.cleandoc(told.value).splitlines()
            above = itertools.takewhile(lambda line: line[:2] == "# ", lines[node.lineno - 2 :: -1])
            return [line[2:] for line in above][::-1]
    return []
