"""Where a run's network starts from, and how its card and its checkpoint tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax

from pagjax.checkpoints import ancestry, descriptions, shipped, store
from pagjax.checkpoints.errors import CheckpointError
from pagjax.io.files import atomic
from pagjax.networks.base import BaseNetwork, base_network
from pagjax.training import own_files, recipes
from pagjax.training.settings import Settings, TrainingError


def check_init(init: str | None) -> None:
    """Refuses a checkpoint to start from that is not there, before a folder is made.

    Raises:
        CheckpointError: if it is neither a checkpoint nor a shipped network.
        TrainingError: if it is what another recipe trains.
    """
    try:
        if init is not None:
            shipped.path(init)
    except CheckpointError as error:
        if init not in recipes.BY_NAME:
            raise
        raise TrainingError(
            f"`init`: {init} is not shipped: train it first, by the recipe of that name, and give "
            f"its folder's {own_files.CHECKPOINT!r} as `init`; or start from none"
        ) from error


def network_of_init(init: str | None) -> BaseNetwork | None:
    """The checkpoint to start from, where there is one."""
    return None if init is None else base_network(*store.restore(shipped.path(init)))


def portable(settings: Settings) -> dict[str, Any]:
    """Settings as a card tells them: names in place of paths, and a digest of where it started."""
    values = settings.to_json()
    if Path(settings.data).is_dir():
        values["data"] = Path(settings.data).absolute().name
    for name in ("init", "teacher"):
        network = values.get(name)
        if network is not None and (Path(network).exists() or network not in shipped.names()):
            path = Path(network).absolute()
            _, variables = store.restore(path)
            digest = atomic.digest(*jax.tree.leaves(variables))
            told = path.parent.name if path.name == own_files.CHECKPOINT else path.name
            values[name] = f"{told}, sha256 {digest[:16]}"
    file = Path(values.get("statistics") or "")
    if file.is_file():
        values["statistics"] = f"{file.name}, sha256 {atomic.digest(file.read_bytes())[:16]}"
    return values


def ancestors(settings: Settings) -> dict[str, list[str]]:
    """What the network is trained on from, and what that one was; nothing where it starts anew."""
    if settings.init is None:
        return {}
    start, _ = descriptions.read(shipped.path(settings.init))
    return {ancestry.ANCESTORS: [portable(settings)["init"], *ancestry.ancestors(start)]}
