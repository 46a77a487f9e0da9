"""The pagjax side of the step benchmark.

Answers are asked for by a name and a number of pictures, such as ``loop 4``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import networks, traces
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
    from pagjax.jobs import environment

    kind, precision = args.worker.split(":")
    on_gpu = args.device == "gpu"
    if on_gpu and precision == "float32":  # a GPU's default for float32 is TF32
        jax.config.update("jax_default_matmul_precision", "highest")
    folder = Path(args.folder)
    environment.compile_quickly()
    if kind == "loop":
        meshes.use_cores()
    logits_fn = network(folder, args, kind == "naive", precision)
    problem = np.load(folder / "problem.npz")
    images, noise = jnp.asarray(problem["images"]), jnp.asarray(problem["noise"])
    start, key = images[0], jax.random.key(0)

    def loop_of(pictures: int) -> Callable[[], None]:
        mesh = meshes.make_mesh(pictures, args.num_samples)
        placed = meshes.place(logits_fn, mesh)

        def loop() -> None:
            targeted_pgd(
                placed,
                images[:pictures],
                jnp.full(pictures, TARGET),
                key,
                Recipe(SIGMA, EPSILON, STEP_SIZE, args.steps, args.num_samples),
                mesh=mesh,
            ).images.block_until_ready()

        return loop

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

    def profile(work: Callable[[], None]) -> tuple[float, float] | None:
        """Kernels a step, and the share of the time that the device is busy."""
        with tempfile.TemporaryDirectory() as traced:
            with jax.profiler.trace(traced):
                work()
            found = traces.read(Path(traced))
        return found and (found.kernels / args.steps, found.share)

    answers: dict[str, Callable[[], Any]] = {
        "describe": describe,
        "gradient": save_gradient,
        "rate": rate,
    }
    for pictures in args.pictures:
        work = alone if kind == "alone" else loop_of(pictures)
        answers |= {
            f"compile {pictures}": partial(timed, work, 1),
            f"choose {pictures}": work,
            f"loop {pictures}": partial(timed, work, args.steps),
            f"memory {pictures}": memory,
            f"profile {pictures}": partial(profile, work),
            f"release {pictures}": lambda: None,
        }
    return answers


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
