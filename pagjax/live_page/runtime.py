"""The browser's runtime, ONNX Runtime Web: fetched once with npm, checked, and kept."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError

NAME, VERSION = "onnxruntime-web", "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
LICENCE = "MIT, Microsoft Corporation"
FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
_SECONDS = 600


class RuntimeRefusedError(RefusedError):
    """The runtime is not to be had as asked; the message says how to get it."""


def cache() -> Path:
    """Where the package is kept between calls: below XDG_CACHE_HOME, or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pagjax"


def package(given: Path | None = None) -> Path:
    """The package's file: the one given, the one kept, or one that npm fetches.

    Raises:
        RuntimeRefusedError: if it is another version or damaged, or npm is missing or fails.
    """
    if given is not None:
        if not given.is_file():
            raise RuntimeRefusedError(f"`runtime={given}`: there is no such file: {_how()}")
        _check(given.read_bytes(), str(given))
        return given
    kept = cache() / f"{NAME}-{VERSION}.tgz"
    if kept.is_file() and _digest(kept.read_bytes()) == SHA512:
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fetched = _fetch(Path(folder))
        content = fetched.read_bytes()
        _check(content, f"what npm fetched as {NAME}@{VERSION}")
        atomic.write_bytes(kept, content)
    return kept


def install(folder: Path, given: Path | None = None) -> None:
    """Writes the runtime's files into a folder, unless they are there.

    Raises:
        RuntimeRefusedError: see `package`.
    """
    told = folder / "version.txt"
    line = f"{NAME} {VERSION} ({LICENCE}) sha512-{SHA512}\n"
    whole = told.is_file() and told.read_text(encoding="utf-8") == line
    if whole and all((folder / name).is_file() for name in FILES):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package(given)) as archive:
        for name in FILES:
            content = archive.extractfile(f"package/dist/{name}")
            if content is None:
                raise RuntimeRefusedError(f"{NAME} {VERSION} has no file {name}")
            atomic.write_bytes(folder / name, content.read())
    atomic.write_bytes(told, line.encode())


def _fetch(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeRefusedError(
            f"the page's runtime is fetched with npm, which is not here: {_how()}"
        )
    command = [npm, "pack", f"{NAME}@{VERSION}", "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, cwd=folder)
    except subprocess.TimeoutExpired:
        raise RuntimeRefusedError(f"npm took more than {_SECONDS} seconds: {_how()}") from None
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or not found:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RuntimeRefusedError(f"npm could not fetch {NAME}@{VERSION} ({reason}): {_how()}")
    return found[0]


def _how() -> str:
    return (
        f"install Node.js, or run `npm pack {NAME}@{VERSION}` where there is npm and pass the file "
        "with `runtime`"
    )


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha512(content).digest()).decode()


def _check(content: bytes, name: str) -> None:
    if _digest(content) != SHA512:
        raise RuntimeRefusedError(
            f"{name} is not {NAME} {VERSION} as it was published (SHA-512 differs): {_how()}"
        )
