"""The loop as a compiled program, to be read: what crosses devices, what memory it takes."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from pagjax.core import pgd
from pagjax.core.checks import LogitsFn, as_partial
from pagjax.core.recipe import Recipe
from pagjax.core.targeted import Rows, run_batch

_COLLECTIVES = "all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute"


def lower(
    logits_fn: LogitsFn,
    shape: tuple[int, int, int, int],
    recipe: Recipe,
    *,
    mesh: Mesh | None = None,
    chunk_size: int | None = None,
) -> jax.stages.Lowered:
    """`pagjax.targeted_pgd` lowered for images of a shape; nothing is computed.

    Args:
        logits_fn: the network, in the forms of the devices' backend (`pagjax.load`).
        shape: ``(batch, height, width, channels)``.
        recipe: of the loop.
        mesh: devices among which images and draws are shared out; they need not exist, see
            `jax.experimental.topologies`.
        chunk_size: the most draws of an image held at once.

    Example:
        >>> def brightness(images):
        ...     return jnp.stack([images.mean((1, 2, 3)), 1 - images.mean((1, 2, 3))], -1)
        >>> recipe = Recipe(0.25, 1.0, 0.1, num_steps=3, num_samples=2)
        >>> lowered = lower(brightness, (1, 4, 4, 3), recipe)
        >>> collectives(lowered.compile().as_text())
        []
    """
    recipe = recipe.resolved(shape[1:])
    network = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf)),
        as_partial(logits_fn),
    )

    def rows() -> Rows:
        start, lengths = jnp.zeros(shape), jnp.ones(shape[0])
        begin = jax.vmap(lambda image: pgd.init(image, recipe.strategy))
        keys = jax.random.split(jax.random.key(0), shape[0])
        return Rows(begin(start), start, jnp.zeros(shape[0], int), keys, lengths, lengths)

    lowered: jax.stages.Lowered = run_batch.lower(
        network,
        jax.ShapeDtypeStruct((), jnp.float32),
        jax.eval_shape(rows),
        recipe.without_lengths(),
        chunk_size=chunk_size,
        mesh=mesh,
    )
    return lowered


def collectives(text: str) -> list[tuple[str, int]]:
    """Collective operations of a compiled program in which each occurs once a step, with bytes.

    Args:
        text: of the optimised program, ``lowered.compile().as_text()``.

    Returns:
        Names and bytes of the operands; -1 where there are several.

    Example:
        >>> collectives("%r = f32[2,30]{1,0} all-reduce(%a), channel_id=1")
        [('all-reduce', 240)]
    """
    found = []
    for line in text.splitlines():
        match = re.search(rf"= (.*?) ({_COLLECTIVES})(?:-start)?\(", line)
        if match and not match[1].startswith("("):
            kind, shape = re.findall(r"([a-z]+\d+)\[([\d,]*)\]", match[1])[0]
            size = int(re.sub(r"\D", "", kind)) // 8
            for length in filter(None, shape.split(",")):
                size *= int(length)
            found.append((match[2], size))
        elif match:
            found.append((match[2], -1))
    return found
