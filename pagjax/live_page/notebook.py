"""The page in a notebook's output cell, for networks of one's own."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pagjax.live_page import build, serve
from pagjax.networks.base import BaseNetwork


class Shown:
    """The page, which a notebook shows in a frame.

    Attributes:
        url: its address, for a browser on this machine.
        folder: where it lies.
    """

    def __init__(self, url: str, folder: Path, height: int) -> None:
        """Of a page that is served."""
        self.url, self.folder, self._height = url, folder, height

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{html.escape(self.url)}" title="pagjax live" width="100%" '
            f'height="{self._height}" style="border:0" allow="camera; clipboard-write"></iframe>'
        )

    def __repr__(self) -> str:
        """Where it is."""
        return f"pagjax live at {self.url}"


def show(
    network: BaseNetwork | Mapping[str, BaseNetwork],
    *,
    folder: str | Path | None = None,
    runtime: str | Path | None = None,
    height: int = 900,
) -> Shown:
    """Makes the page for a network, or for several side by side, and shows it.

    The page is served by this process for as long as it lives, to browsers on this machine. Where
    the notebook runs elsewhere, make a folder with ``python -m pagjax.explore`` and serve that.

    Args:
        network: from `pagjax.load`, or a `BaseNetwork` of your own; or several by name.
        folder: where the page is written; None makes a temporary folder.
        runtime: the package of ONNX Runtime Web, where npm cannot fetch it.
        height: of the frame, in pixels.

    Returns:
        A `Shown`; as the last value of a cell it is the page.

    Raises:
        RefusedError: without the package onnx or the runtime, for a folder that holds other files,
            and for networks of pictures that are not square.

    Example:
        >>> import pagjax
        >>> from pagjax.live_page import show
        >>> show(pagjax.load("cifar10-gaussian-0.25"))  # doctest: +SKIP
        pagjax live at http://127.0.0.1:42137/
    """
    given = network if isinstance(network, Mapping) else {"network": network}
    where = Path(tempfile.mkdtemp(prefix="pagjax-live-") if folder is None else folder)
    build.build(
        where,
        given,
        given_runtime=None if runtime is None else Path(runtime),
        tell=lambda _: None,
    )
    return Shown(serve.in_background(where), where, height)
