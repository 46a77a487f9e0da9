"""The documentation's site: it builds without a warning, has every public name, and links hold.

Here the notebooks are not executed; `make docs` does that, and `test_notebooks` runs their cells.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import pagjax
from tests.support.browser import opened

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages; one test uses them, so that no second process builds them again."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "html")],
        cwd=ROOT,
        env={**os.environ, "PAGJAX_NOTEBOOKS": "off", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


class _Page(HTMLParser):
    """Addresses that a page points to, and the places in it that may be pointed to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links |= {given[name] or "" for name in ("href", "src") if name in given}
        self.places |= {given[name] or "" for name in ("id", "name") if name in given}


def _broken(site: Path) -> list[str]:
    pages = {path: _Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        if {"gallery", "_modules"} & set(path.relative_to(site).parts):
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not link:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            there = target.is_file() and (
                not parts.fragment
                or target not in pages
                or unquote(parts.fragment) in pages[target].places
                or "gallery" in target.parts
            )
            if not there:
                found.append(f"{path.relative_to(site)}: {link}")
    return found


def _inventory(site: Path) -> set[str]:
    """Names that the reference documents, from Sphinx's inventory of objects."""
    head, data = 4, (site / "objects.inv").read_bytes()
    for _ in range(head):
        data = data[data.index(b"\n") + 1 :]
    lines = zlib.decompress(data).decode().splitlines()
    return {line.split()[0] for line in lines if line.split()[1].startswith("py:")}


def test_it_builds_and_holds_together(site):
    assert _broken(site) == []
    documented = _inventory(site)
    last = {path.rpartition(".")[2] for path in documented}
    for name in (name for name in dir(pagjax) if not name.startswith("_")):
        assert f"pagjax.{name}" in documented
        value = getattr(pagjax, name)
        # What a module hands on is told once, at its shortest path.
        missing = set(getattr(value, "__all__", ())) - last if inspect.ismodule(value) else set()
        assert not missing, f"pagjax.{name}: {missing}"
    assert f"pagjax {pagjax.__version__}" in (site / "index.html").read_text("utf-8")
    for name in ("start.html", "reference/certification.html"):
        for width in (1280, 400):
            with opened(site / name, width=width, root=site) as page:
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is {wide} pixels wide at {width}"
