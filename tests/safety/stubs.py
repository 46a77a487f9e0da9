"""Commands whose files are real and whose arithmetic costs nothing, for hundreds of starts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pagjax import checkpoints
from pagjax.alignment import Measurements
from pagjax.checkpoints import identity
from pagjax.comparison import compare, jury, measuring
from pagjax.comparison import inputs as compared
from pagjax.core import pgd
from pagjax.figures import cast, drawing, numbers
from pagjax.io.pictures import sheets
from pagjax.jobs import environment
from pagjax.networks.base import BaseNetwork
from pagjax.synthesis import execute, inputs, plan, results

_WHO_ASK_FOR_DIGESTS = (identity, inputs, plan, jury, compare, compared, cast)
_WEIGHTS_DIGEST = identity.weights_digest
_DIGESTS: dict[int, tuple[BaseNetwork, str]] = {}  # with the networks, so that none takes a place
_PNG = b"\x89PNG\r\n\x1a\n"  # the page looks at the first bytes


def fake_pgd(
    logits_fn: Any, start: Any, targets: Any, keys: Any, recipe: Any, *, state: Any, **_: Any
) -> Any:
    """Brightens a picture by its target and its noise, step by step."""
    num_steps = recipe.num_steps
    if state is None:
        begun = [pgd.init(image) for image in start]
        state = jax.tree.map(lambda *leaves: jnp.stack(leaves), *begun)
    drawn = np.asarray(jax.vmap(jax.random.key_data)(keys))[:, :1].astype(np.float32)
    added = (np.asarray(targets)[:, None] + drawn / 2**32) / 100 * num_steps
    image = np.asarray(state.image) + added[:, :, None, None].astype(np.float32)
    column = np.repeat(image.mean(axis=(1, 2, 3))[:, None], num_steps, axis=1)
    trace = pgd.PGDTrace(column, column, column, column, np.zeros(column.shape, bool))  # type: ignore[arg-type]
    new = state._replace(image=jnp.asarray(image), step=state.step + num_steps)
    return SimpleNamespace(state=new, trace=trace)


def _digest(network: BaseNetwork) -> str:
    """A network's digest, summed up once: half of all that a start costs otherwise."""
    if id(network) not in _DIGESTS:
        _DIGESTS[id(network)] = network, _WEIGHTS_DIGEST(network)
    return _DIGESTS[id(network)][1]


def install(monkeypatch: pytest.MonkeyPatch, networks: dict[str, BaseNetwork]) -> None:
    """Makes painting, measuring, drawing and loading cheap; states are saved after every step."""
    monkeypatch.setattr(execute, "targeted_pgd", fake_pgd)
    monkeypatch.setattr(execute, "STEPS_A_CALL", 1)
    monkeypatch.setattr(execute, "SECONDS_BETWEEN_SAVES", -1.0)
    monkeypatch.setattr(checkpoints, "load", lambda name: networks.get(str(name), networks[""]))
    monkeypatch.setattr(environment, "prepare", lambda: None)
    monkeypatch.setattr(environment, "describe", lambda: {"machine": "any"})
    for module in _WHO_ASK_FOR_DIGESTS:
        monkeypatch.setattr(module, "weights_digest", _digest)

    def evaluate(network: Any, job: Any, pictures: np.ndarray) -> Any:
        both = np.repeat(pictures.mean(axis=(1, 2, 3))[:, None], len(network.labels), axis=1)
        return both, both

    monkeypatch.setattr(results, "evaluate", evaluate)
    monkeypatch.setattr(sheets, "png", lambda picture: _PNG + picture.tobytes())

    def measure(
        logits_fn: Any, starts: Any, pictures: Any, targets: Any, *_: Any, **__: Any
    ) -> Any:
        offset = np.asarray(pictures, np.float64) - np.asarray(starts, np.float64)
        norms = np.sqrt(np.square(offset).sum(axis=(1, 2, 3)))
        names = "distance logit logit_start probability probability_start high_frequencies"
        return Measurements({name: norms for name in names.split()})

    monkeypatch.setattr(measuring, "measure", measure)
    monkeypatch.setattr(numbers, "measure", measure)

    def draw(arranged: Any, *, title: str, footer: str) -> dict[str, bytes]:
        said = "".join(str(cell.row) for row in arranged.cells for cell in row)
        return {kind: _PNG + (title + footer + said).encode() for kind in ("png", "pdf")}

    monkeypatch.setattr(drawing, "draw", draw)
