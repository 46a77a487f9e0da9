"""Writes a network's ONNX file, with all that a page or a program must know of it inside."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pagjax._version import __version__
from pagjax.checkpoints.identity import weights_digest
from pagjax.io.files import atomic
from pagjax.networks.base import BaseNetwork
from pagjax.onnx_files import models, rounding
from pagjax.onnx_files.errors import ExportError
from pagjax.onnx_files.models import ObjectiveName, What

Kernels = Literal["auto", "float16", "float32"]
FORMAT = "1"
PREFIX = "pagjax."


class Exported(NamedTuple):
    """What was written.

    Attributes:
        path: the file.
        size: in bytes.
        sha256: of the file, as hex.
        metadata: what stands in it, as texts, without the prefix ``"pagjax."`` of their names.
    """

    path: Path
    size: int
    sha256: str
    metadata: dict[str, str]


def export(
    network: BaseNetwork,
    path: str | Path,
    *,
    name: str = "",
    what: What = "step",
    objective: ObjectiveName = "tcm",
    kernels: Kernels = "auto",
) -> Exported:
    """Writes a network as an ONNX file, whole or not at all.

    Inputs and outputs are described at `pagjax.onnx_files.models.step` and `forward`; the
    normaliser is inside, pixels are in [0, 1] and channels last.

    Args:
        network: from `pagjax.load`, or any `BaseNetwork`.
        path: of the file, overwritten if it is there.
        name: of the network, for people.
        what: ``"step"``, objective and gradient of noisy copies; or ``"forward"``, logits.
        objective: of a step: ``"tcm"`` or ``"ce"``.
        kernels: ``"float16"`` stores them in half precision, which halves the file; ``"auto"``
            does so where the error stays within `pagjax.onnx_files.rounding`'s bounds.

    Returns:
        An `Exported`.

    Raises:
        ExportError: without the package onnx, and for an unknown choice.
        OSError: if the file cannot be written.
    """
    _check(kernels, "kernels", ("auto", "float16", "float32"))
    _check(what, "what", ("step", "forward"))
    _check(objective, "objective", ("tcm", "ce"))
    onnx = _onnx()
    errors = None if kernels == "float32" else rounding.of(network)
    half = kernels == "float16" or (errors is not None and errors.small)
    if what == "forward":
        model = models.forward(network, half=half)
    else:
        model = models.step(network, half=half, objective=objective)
    metadata = {
        "format": FORMAT,
        "version": __version__,
        "what": what,
        "network": name,
        "architecture": network.description.architecture,
        "labels": json.dumps(list(network.labels), ensure_ascii=False),
        "image_size": json.dumps(list(network.image_shape[:2])),
        "training_sigma": json.dumps(network.training_sigma),
        "normalizer": json.dumps(dataclasses.asdict(network.description.normalizer)),
        "weights_sha256": weights_digest(network),
        "kernels": "float16" if half else "float32",
        "rounding": json.dumps(errors._asdict() if half and errors is not None else None),
        "onnx": onnx.__version__,
        **({"objective": objective} if what == "step" else {}),
    }
    onnx.helper.set_model_props(model, {PREFIX + key: text for key, text in metadata.items()})
    model.producer_name, model.producer_version = "pagjax", __version__
    content = model.SerializeToString()
    atomic.write_bytes(Path(path), content)
    return Exported(Path(path), len(content), hashlib.sha256(content).hexdigest(), metadata)


def is_ours(path: Path) -> bool:
    """Whether a file is an ONNX file that `export` wrote."""
    onnx = _onnx()
    try:
        return bool(onnx.load(path, load_external_data=False).producer_name == "pagjax")
    except Exception:  # whatever a file of another kind makes of the parser
        return False


def _check(value: str, name: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ExportError(f"{name} {value!r}: choose {', '.join(map(repr, choices))}")


def _onnx() -> Any:
    try:
        import onnx
        import onnx.helper
    except ImportError:
        raise ExportError(
            "exports need the package onnx: pip install 'pagjax[onnx]', or pip install onnx"
        ) from None
    return onnx
