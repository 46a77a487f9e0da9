"""Makes the page's folder: script, runtime, networks, pictures, and a list of all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from pagjax import presets
from pagjax._version import __version__
from pagjax.checkpoints import shipped
from pagjax.checkpoints.identity import weights_digest
from pagjax.core.objectives import TARGET_CLASS_MAX
from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError
from pagjax.live_page import pictures, runtime
from pagjax.networks.base import BaseNetwork
from pagjax.onnx_files import export as files

PAGE, LIST = "index.html", "page.json"
NETWORKS = "networks"
_JUDGES = "-judge-"
# Those whose steps the page's slider reaches.
_PRESETS = ("paper", "fast", "draft")
_TITLES = {
    "imagenette": "ten ImageNet classes, 128 pixels",
    "cifar10": "CIFAR-10, 32 pixels",
}
_KINDS = {
    "vanilla": "vanilla",
    "adversarial-l2": "adversarially trained",
    "gaussian": "smoothed",
    "smoothadv": "smoothed, SmoothAdv",
}
_FIRST_TARGETS = ("English springer", "horse")
_SMALL = 64  # below this side the paper's pictures are those of sigma 0.25, above of 0.5


class PageError(RefusedError):
    """A page that cannot be made as asked; the message says what to change."""


def shipped_networks() -> list[str]:
    """The shipped networks that paint, the larger pictures' first; judges never do."""
    names = [name for name in shipped.names() if _JUDGES not in name]
    return sorted(names, key=lambda name: (not name.startswith("imagenette"), name))


def build(
    folder: Path,
    networks: Mapping[str, BaseNetwork | Callable[[], BaseNetwork]],
    *,
    given_runtime: Path | None = None,
    kernels: files.Kernels = "auto",
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Writes the page; what of it is there and the same is kept.

    Args:
        folder: empty, missing, or a page that this made.
        networks: by name, or what gives them.
        kernels: see `pagjax.onnx_files.export.export`.
        given_runtime: the runtime's package; None fetches it with npm, see `runtime.package`.
        tell: is told what is done.

    Returns:
        What stands in ``page.json``.

    Raises:
        RefusedError: if the folder holds something else, a network cannot be shown, or the runtime
            is not to be had.
    """
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    runtime.install(folder / "runtime", given_runtime)
    (folder / NETWORKS).mkdir(exist_ok=True)
    families: dict[tuple[int, tuple[str, ...]], list[dict[str, Any]]] = {}
    for name, given in networks.items():
        network = given if isinstance(given, BaseNetwork) else given()
        height, width, _ = network.image_shape
        if height != width:
            raise PageError(f"{name}: pictures of {height}x{width} pixels, the page takes squares")
        made = _exported(folder, name, network, kernels)
        tell(f"{made['file']}: {made['bytes'] / 1e6:.1f} MB")
        families.setdefault((height, network.labels), []).append(made)
    page: dict[str, Any] = {
        "version": __version__,
        "runtime": {"name": runtime.NAME, "version": runtime.VERSION, "sha512": runtime.SHA512},
        "families": [
            _family(number, size, labels, members)
            for number, ((size, labels), members) in enumerate(families.items())
        ],
        "photographs": pictures.photographs(folder / "photographs"),
    }
    page["seeds"] = [
        seed
        for family in page["families"]
        for seed in pictures.seeds(
            folder / "seeds", family["name"], family["labels"], family["size"]
        )
    ]
    for file in resources.files("pagjax.live_page").joinpath("static").iterdir():
        atomic.write_bytes(folder / file.name, file.read_bytes())
    atomic.write_json(folder / LIST, page)
    return page


def check_folder(folder: Path) -> None:
    """Refuses a folder that holds what is not a page of ours.

    Raises:
        PageError: naming it.
    """
    if folder.exists() and not folder.is_dir():
        raise PageError(f"`out={folder}`: this is a file, name a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    begun = {"runtime", NETWORKS}
    if (folder / LIST).is_file() or {path.name for path in folder.iterdir()} <= begun:
        return
    raise PageError(f"`out={folder}` holds other files: choose an empty or a new folder")


def _exported(
    folder: Path, name: str, network: BaseNetwork, kernels: files.Kernels
) -> dict[str, Any]:
    """The network's file, made unless it is there, and what the page is told of it."""
    safe = "".join(c if c.isalnum() or c in ".-_" else "-" for c in Path(name).name)
    path = folder / NETWORKS / f"{safe}.onnx"
    digest, listed = weights_digest(network), folder / NETWORKS / f"{safe}.json"
    told: dict[str, Any] = {}
    if listed.is_file() and path.is_file():
        told = json.loads(listed.read_text(encoding="utf-8"))
    wanted: dict[str, Any] = {
        "weights_sha256": digest,
        "version": __version__,
        "format": files.FORMAT,
    }
    wanted |= {"sigma": network.training_sigma, "asked": kernels}
    if {key: told.get(key) for key in wanted} != wanted or told["bytes"] != path.stat().st_size:
        made = files.export(network, path, name=name, kernels=kernels)
        told = {**wanted, "bytes": made.size, "sha256": made.sha256}
        atomic.write_json(listed, told)
    return {
        "name": safe,
        "checkpoint": str(name),
        "file": f"{NETWORKS}/{path.name}",
        "bytes": told["bytes"],
        "sha256": told["sha256"],
        "weights_sha256": digest,
        "sigma": network.training_sigma or 0.0,
    }


def _beginning(names: Sequence[str]) -> str:
    """The words, up to a hyphen, with which all names begin."""
    parts = [name.split("-") for name in names]
    shared = 0
    while all(len(own) > shared and own[shared] == parts[0][shared] for own in parts):
        shared += 1
    return "-".join(parts[0][:shared])


def _family(
    number: int, size: int, labels: Sequence[str], members: list[dict[str, Any]]
) -> dict[str, Any]:
    """Networks of the same classes and size, which can stand side by side."""
    names = [member["name"] for member in members]
    common = _beginning(names)
    name = common or f"family-{number + 1}"
    for member in members:
        own = member["name"].removeprefix(f"{common}-") if len(members) > 1 else member["name"]
        kind = next((kind for kind in _KINDS if own.startswith(kind)), "")
        sigma = f", σ {member['sigma']:g}" if member["sigma"] else ""
        member["kind"] = kind or own
        member["title"] = _KINDS.get(kind, own) + sigma
    usual = 0.25 if size < _SMALL else 0.5
    noisy = [member for member in members if member["sigma"]]
    best = min(
        noisy or members,
        key=lambda member: (member["kind"] != "gaussian", abs(member["sigma"] - usual)),
    )
    beside = [member for member in members if member["kind"] == "vanilla" and member is not best]
    given = {"sigma": best["sigma"], "objective": TARGET_CLASS_MAX}
    target = next((labels.index(label) for label in _FIRST_TARGETS if label in labels), 0)
    return {
        "name": name,
        "title": _TITLES.get(name, f"{len(labels)} classes, {size} pixels"),
        "size": size,
        "labels": list(labels),
        "target": target,
        "sigma": best["sigma"],
        "first": [member["name"] for member in [best, *beside][:2]],
        "presets": {
            own: {**asdict(presets.settings(own, size, **given)), "objective": "tcm"}
            for own in _PRESETS
        },
        "networks": members,
    }
