"""What Sphinx is told while it builds: docstrings as they are written here, links, the gallery."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.domains.python import PyObject

_OPTIONAL = ("live",)
_CODE = re.compile(r"(``.+?``|`[^`]+`)")


def escape(app: Any, what: str, name: str, value: object, options: Any, lines: list[str]) -> None:
    """Bars and stars of prose, |w| and 2**32, which reStructuredText would read as its own."""
    in_example = False
    for index, line in enumerate(lines):
        in_example = line.lstrip().startswith(">>>") or (in_example and bool(line.strip()))
        if not in_example:
            pieces = _CODE.split(line)
            pieces[::2] = [re.sub(r"([|*])", r"\\\1", piece) for piece in pieces[::2]]
            lines[index] = "".join(pieces)


def shorten(app: Any, what: str, name: str, value: object, options: Any, lines: list[str]) -> None:
    """Types of attributes as people write them."""
    for index, line in enumerate(lines):
        if line.lstrip().startswith(":vartype"):
            line = re.sub(r"\bjax\.jaxlib\._jax\.Array\b|\bjaxlib\._jax\.Array\b", "Array", line)
            lines[index] = re.sub(r"\b(collections\.abc|typing|pathlib|numpy)\.", "", line)


def name_attributes() -> None:
    """Fields of records are "Attributes" here, and not "Variables"."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"


def skip(app: Any, what: str, name: str, value: object, skipped: bool, options: Any) -> bool | None:
    """Fields of named tuples are told under "Attributes"."""
    return True if type(value).__name__ == "_tuplegetter" else None


def relink(app: Any, page: str, source: list[str]) -> None:
    """The gallery is no source of the site but a page beside it; optional pages may be missing."""
    for name in _OPTIONAL if page == "index" else ():
        if not Path(app.srcdir, f"{name}.md").is_file():
            source[0] = source[0].replace(f"\n{name}\n", "\n")
    source[0] = source[0].replace("](gallery/index.html)", "](site:gallery/index.html)")
    if page == "live" and Path(app.outdir, "explore", "index.html").is_file():
        here = "## Look\n\n**[Open the page](site:explore/index.html)**, or make one:\n"
        source[0] = source[0].replace("## Look\n", here, 1)


def copy_gallery(app: Any, exception: Exception | None) -> None:
    """Takes the gallery along as it is."""
    if exception is None and app.builder.format == "html":
        source, target = Path(app.srcdir, "gallery"), Path(app.outdir, "gallery")
        shutil.copytree(source, target, dirs_exist_ok=True)
