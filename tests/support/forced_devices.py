"""What the test of many devices runs in a process of its own: prints differences as JSON."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np

import pagjax
from pagjax.core.mesh import make_mesh, place
from pagjax.core.program import collectives, lower
from pagjax.presets import strategy
from tests.support import closed_forms, loops

RUNS = {
    "uneven, log of a mean": {"num_samples": 7, "objective": pagjax.CROSS_ENTROPY, "chunk_size": 2},
    "pairs": {
        "num_samples": 6,
        "sampling": "antithetic",
        "strategy": strategy(0.8, "linear", 4, 2),
    },
}


def compiled_text(num_images: int, num_samples: int, mesh) -> str:
    def logits(images):
        return jnp.tanh(images).mean((1, 2))

    recipe = pagjax.Recipe(0.5, 1.0, 1.0, num_steps=3, num_samples=num_samples)
    return lower(logits, (num_images, 8, 8, 3), recipe, mesh=mesh).compile().as_text()


def main() -> None:
    network = closed_forms.smooth_network(jax.random.key(1))
    start, targets = closed_forms.image(batch=3), [0, 1, 2]
    meshes = {"1 x 8": make_mesh(1, 8), "2 x 4": make_mesh(2, 4)}
    differences = {}
    for name, changes in RUNS.items():
        settings = {"sigma": 0.25, "epsilon": 0.5, "step_size": 0.1, "num_steps": 4, **changes}

        def run(mesh, settings=settings):
            logits_fn = network if mesh is None else place(network, mesh)
            result = loops.targeted(
                logits_fn, start, targets, jax.random.key(0), mesh=mesh, **settings
            )
            leaves = jax.device_get((result.images, *result.trace))
            return np.concatenate([np.ravel(leaf).astype(float) for leaf in leaves])

        alone = run(None)
        for shape, mesh in meshes.items():
            assert " x ".join(map(str, mesh.shape.values())) == shape
            difference = np.abs(run(mesh) - alone) / np.maximum(1, np.abs(alone))
            differences[f"{name}, {shape}"] = float(difference.max())
    programs = {
        f"{images} x {draws}": collectives(
            compiled_text(8, 16, make_mesh(images, draws, jax.devices()[: images * draws]))
        )
        for images, draws in ((8, 1), (1, 1))
    } | {"1 x 8": collectives(compiled_text(1, 16, make_mesh(1, 16)))}
    print(json.dumps({"differences": differences, "collectives": programs}))


if __name__ == "__main__":
    main()
