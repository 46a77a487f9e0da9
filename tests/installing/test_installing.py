"""What pip makes of the repository: an editable installation, requirements, metadata."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = {
    "Linux": {"sys_platform": "linux", "platform_machine": "x86_64"},
    "Linux on ARM": {"sys_platform": "linux", "platform_machine": "aarch64"},
    "macOS": {"sys_platform": "darwin", "platform_machine": "arm64"},
    "macOS on Intel": {"sys_platform": "darwin", "platform_machine": "x86_64"},
    "Windows": {"sys_platform": "win32", "platform_machine": "AMD64"},
}
NETWORK = ("README.md", "tiny/card.json", "tiny/variables/d/0")
TFDS_READER = {"tensorflow-datasets", "array-record"}


@pytest.fixture(scope="module")
def config() -> configparser.ConfigParser:
    found = configparser.ConfigParser(delimiters=("=",))
    found.read(ROOT / "setup.cfg", encoding="utf-8")
    return found


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_reader_of_tfds_is_required_where_it_has_wheels(config, environment):
    asked = set()
    for line in _lines(config["options"]["install_requires"]):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(ENVIRONMENTS[environment]):
            asked.add(requirement.name)
    has_wheels = environment not in ("Windows", "macOS on Intel")
    assert asked & TFDS_READER == (TFDS_READER if has_wheels else set())
    assert {"jax", "flax", "numpy", "pillow"} <= asked


def test_metadata_agree(config):
    metadata = config["metadata"]
    named = re.findall(r"Python :: (3\.[0-9]+)", metadata["classifiers"])
    supported = SpecifierSet(config["options"]["python_requires"])
    assert named
    assert all(version in supported for version in named)
    oldest = re.search(r'target-version = "py3(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert f">=3.{oldest[1]}" == str(supported)
    assert config["mypy"]["python_version"] == f"3.{oldest[1]}"
    from pagjax import __version__

    assert metadata["version"] == "attr: pagjax._version.__version__"
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    released = re.search(r"^## \[([0-9.]+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert f"\nversion: {released[1]}\n" in cited
    own = Version(__version__)
    assert own == Version(released[1]) or (own.is_devrelease and own > Version(released[1]))
    assert f"\nlicense: {metadata['license']}\n" in cited


def test_types_travel_in_the_wheel(config):
    assert (ROOT / "pagjax" / "py.typed").is_file()
    assert "py.typed" in config["options.package_data"]["pagjax"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone called pagjax, with one small network."""
    home = tmp_path_factory.mktemp("parent") / "pagjax"
    unneeded = shutil.ignore_patterns("__pycache__", "*.npz", "*.ttf")
    shutil.copytree(ROOT / "pagjax", home / "pagjax", ignore=unneeded)
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, home)
    for name in NETWORK:
        (home / "checkpoints" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "checkpoints" / name).write_text("{}")
    return home


def _built(clone: Path, what: str, into: Path) -> Path:
    """A distribution of the clone; whatever is deprecated fails the build."""
    build = f"import sys, setuptools.build_meta as b; print(b.build_{what}(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", build, str(into)],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "deprecat" not in built.stderr.lower()
    return into / built.stdout.split()[-1]


def test_an_editable_installation_works_beside_a_clone_called_pagjax(clone, tmp_path):
    """In the folder that holds the clone, Python first finds that one, a package without code."""
    site = tmp_path / "site"
    with zipfile.ZipFile(_built(clone, "editable", tmp_path)) as wheel:
        assert not [name for name in wheel.namelist() if "shipped" in name]
        wheel.extractall(site)
    use = "import site, sys; site.addsitedir(sys.argv[1]); import pagjax; print(pagjax.__file__)"
    for folder in (clone.parent, clone, tmp_path):
        # Without the packages of this interpreter, in which pagjax may be installed too.
        seen = subprocess.run(
            [sys.executable, "-S", "-c", use, str(site)],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert Path(seen.stdout.strip()) == clone / "pagjax" / "__init__.py", seen.stderr


def test_trained_networks_travel_as_a_folder_of_the_package(clone, tmp_path):
    with zipfile.ZipFile(_built(clone, "wheel", tmp_path)) as wheel:
        shipped = {name for name in wheel.namelist() if name.startswith("pagjax/shipped/")}
        assert shipped == {f"pagjax/shipped/{name}" for name in NETWORK}
        assert "pagjax/py.typed" in wheel.namelist()
    with tarfile.open(_built(clone, "sdist", tmp_path)) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert {"setup.py", *(f"checkpoints/{name}" for name in NETWORK)} <= names
