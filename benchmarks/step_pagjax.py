"""The pagjax side of the step benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.workers import peak_memory, timed

SIGMA, EPSILON, STEP_SIZE, TARGET = 0.5, 40.0, 0.7, 7


def programs(args: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    """What the worker answers."""
    import jax
    import jax.numpy as jnp

    from pagjax.core import mesh as meshes
    from pagjax.core import pgd
    from pagjax.core.gradients import smoothed_gradient
    from pagjax.core.objectives import TARGET_CLASS_MAX
    from pagjax.core.projections import ball_then_box
    from pagjax.core.recipe import Recipe
    from pagjax.core.targeted import targeted_pgd

    kind, precision = args.worker.split(":")
    on_gpu = args.device == "gpu"
    if on_gpu and precision == "float32":  # a GPU's default for float32 is TF32
        jax.config.update("jax_default_matmul_precision", "highest")
    folder = Path(args.folder)
    if kind == "loop":
        meshes.use_cores()
    mesh = meshes.make_mesh(1, args.num_samples)
    logits_fn = meshes.place(network(folder, args, kind == "naive", precision), mesh)
    problem = np.load(folder / "problem.npz")
    start, noise = jnp.asarray(problem["image"]), jnp.asarray(problem["noise"])
    key = jax.random.key(0)

    def loop() -> None:
        targeted_pgd(
            logits_fn,
            start[None],
            jnp.array([TARGET]),
            key,
            Recipe(SIGMA, EPSILON, STEP_SIZE, args.steps, args.num_samples),
            mesh=mesh,
        ).images.block_until_ready()

    @jax.jit
    def step(state: pgd.PGDState, logits_fn: Any) -> pgd.PGDState:
        def gradient_fn(image: jax.Array, key: jax.Array) -> Any:
            return smoothed_gradient(
                logits_fn,
                TARGET_CLASS_MAX,
                image,
                TARGET,
                key,
                sigma=SIGMA,
                num_samples=args.num_samples,
            )

        def project(point: jax.Array, start: jax.Array) -> jax.Array:
            return ball_then_box(point, start, EPSILON)

        return pgd.step(gradient_fn, state, start, key, step_size=STEP_SIZE, project=project)[0]

    def alone() -> None:
        state = pgd.init(start)
        for _ in range(args.steps):
            state = step(state, logits_fn)
            state.image.block_until_ready()

    work = alone if kind == "alone" else loop

    def save_gradient() -> str:
        path = folder / f"{precision}-{kind}.npy"
        score = jax.jit(
            jax.grad(lambda image, logits_fn: logits_fn(image + SIGMA * noise)[:, TARGET].mean())
        )
        np.save(path, score(start, logits_fn))
        return str(path)

    def rate() -> float:
        """FLOP/s of one large matrix product."""
        size, count = (8192, 20) if on_gpu else (2048, 4)
        dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
        left, right = (
            jax.random.normal(jax.random.key(i), (size, size), dtype) / size**0.5 for i in range(2)
        )

        @jax.jit
        def products(left: jax.Array, right: jax.Array) -> jax.Array:
            return jax.lax.fori_loop(0, count, lambda _, left: left @ right, left)

        products(left, right).block_until_ready()
        run = lambda: products(left, right).block_until_ready()  # noqa: E731
        return 2 * size**3 / min(timed(run, count) for _ in range(6))

    def memory() -> float:
        if not on_gpu:
            return peak_memory()
        return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", float("nan")) / 1e9

    def describe() -> str:
        return f"JAX {jax.__version__} on {jax.devices()[0].device_kind}"

    return {
        "compile": lambda: timed(work, 1),
        "describe": describe,
        "gradient": save_gradient,
        "loop": lambda: timed(work, args.steps),
        "memory": memory,
        "rate": rate,
    }


def network(folder: Path, args: argparse.Namespace, naive: bool, precision: str) -> Any:
    """The logits of the benchmark's network, in its inference form or as it was trained."""
    from jax.tree_util import Partial

    narrow = "bfloat16" if precision == "bfloat16" else "float32"
    base = networks.base(args.network, np.load(folder / "weights.npz"), narrow)
    if not naive:
        return base.logits_fn
    module = base.network

    def logits(variables: Any, images: Any) -> Any:
        outputs: Any = module.apply(variables, images)
        return outputs.logits

    return Partial(logits, base.variables)
