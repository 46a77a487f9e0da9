"""Devices as a mesh with the axes images and draws: the one word on distribution.

Each device takes a share of the images and, of each of those, a share of the noise draws. What the
shares of an image's draws add up to is summed over the axis ``DRAWS``; nothing else need cross
devices. One device is a mesh of one by one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

__all__ = ("make_mesh", "num_cores", "place", "use_cores")

IMAGES, DRAWS = "images", "draws"

# Each device holds the weights, half a gigabyte for a ResNet-50, and a chunk of its own; what more
# than two bring was not measured.
MOST_CORES = 4


def use_cores(most: int = MOST_CORES) -> bool:
    """Makes a CPU as many devices as it has cores; to be called before the first computation.

    XLA divides one operation among cores poorly; on two cores a mesh that gives each pictures or
    draws of its own takes 0.6 to 0.7 of the time for small networks, 0.8 to 1 for a ResNet-50
    at 224x224. Nothing is changed where JAX has begun to compute, or where
    ``JAX_NUM_CPU_DEVICES`` or ``--xla_force_host_platform_device_count`` in ``XLA_FLAGS`` says
    already how many devices there are. GPUs and TPUs stay what they are.

    Args:
        most: devices at most; further cores help with each one's operations.

    Returns:
        Whether it was done.

    Example:
        >>> use_cores() in (True, False)
        True
    """
    forced = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if forced or getattr(jax.config, "jax_num_cpu_devices", -1) > 0:
        return False
    try:
        jax.config.update("jax_num_cpu_devices", min(num_cores(), most))
    except RuntimeError:  # computing already
        return False
    return True


def num_cores() -> int:
    """Cores that this process may use, at least 1.

    Example:
        >>> num_cores() >= 1
        True
    """
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def make_mesh(
    num_images: int, num_samples: int, devices: Sequence[jax.Device] | None = None
) -> Mesh:
    """Arranges devices so that the fullest of them has the least to do.

    Args:
        num_images: images at once.
        num_samples: noise draws of each; of dependent draws, their groups (`sampling.group_size`).
        devices: None means all devices of all processes.

    Returns:
        A mesh with the axes ``"images"`` and ``"draws"``. Of arrangements that give the fullest
        device equally much, the one of the fewest devices, where a single process has them all, and
        then the one with the most along images, which never communicate.

    Example, on the one device of a test:
        >>> dict(make_mesh(4, 20, jax.devices()[:1]).shape)
        {'images': 1, 'draws': 1}
    """
    devices = jax.devices() if devices is None else devices
    # Every process takes part in a mesh that spans several.
    spans = len({device.process_index for device in devices}) > 1
    counts = range(len(devices) if spans else 1, len(devices) + 1)
    shapes = [
        (count // along, along)
        for count in counts
        for along in range(1, count + 1)
        if count % along == 0
    ]

    def cost(shape: tuple[int, int]) -> tuple[int, int, int]:
        most_work = math.ceil(num_images / shape[0]) * math.ceil(num_samples / shape[1])
        return most_work, math.prod(shape), shape[1]

    best = min(shapes, key=cost)
    kinds = (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh(
        best, (IMAGES, DRAWS), axis_types=kinds, devices=devices[: math.prod(best)]
    )


def place(tree: Any, mesh: Mesh, *, rows: bool = False) -> Any:
    """Puts a pytree of arrays on a mesh's devices, whole on each or split by images.

    In a job of several processes each calls this with the same values and keeps its own part; an
    array that already spans processes stays where it is.

    Args:
        tree: arrays, typed keys among them.
        mesh: from `make_mesh`.
        rows: whether the leading axis counts images. It is split where it goes evenly; otherwise
            the arrays stay whole and `over_images` pads them.
    """

    def put(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return leaf
        even = rows and leaf.shape[0] % mesh.shape[IMAGES] == 0
        sharding = NamedSharding(mesh, P(IMAGES) if even else P())
        if sharding.is_fully_addressable:
            return jax.device_put(leaf, sharding)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data = place(jax.random.key_data(leaf), mesh, rows=rows)
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        return jax.make_array_from_callback(leaf.shape, sharding, lambda index: leaf[index])

    return jax.tree.map(put, tree)


def over_images(function: Callable[..., Any], mesh: Mesh, *, num_shared: int) -> Callable[..., Any]:
    """Splits a function of rows over a mesh's images; to be called inside `jax.jit`.

    Args:
        function: ``(*shared, *rows) -> rows``. It runs on every device with all of `shared` and the
            device's share of rows, and may sum over the axis ``DRAWS``.
        mesh: from `make_mesh`.
        num_shared: how many of the arguments, which are pytrees, are not split.

    Returns:
        The same function of whole arrays. Rows that do not go evenly are filled up with copies of
        the last, which are dropped again.

    Example:
        >>> mesh = make_mesh(3, 1, jax.devices()[:1])
        >>> double = over_images(lambda factor, rows: factor * rows, mesh, num_shared=1)
        >>> jax.jit(double)(2.0, jnp.arange(3.0)).tolist()
        [0.0, 2.0, 4.0]
    """
    parts = mesh.shape[IMAGES]

    def split(*arguments: Any) -> Any:
        shared, rows = arguments[:num_shared], arguments[num_shared:]
        count = jax.tree.leaves(rows)[0].shape[0]
        picked = jnp.minimum(jnp.arange(math.ceil(count / parts) * parts), count - 1)
        if picked.shape[0] != count:
            rows = jax.tree.map(lambda leaf: leaf[picked], rows)
        results = jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(*(P() for _ in shared), *(P(IMAGES) for _ in rows)),
            out_specs=P(IMAGES),
            check_vma=False,
        )(*shared, *rows)
        if picked.shape[0] == count:
            return results
        return jax.tree.map(lambda leaf: leaf[:count], results)

    return split


def platform(mesh: Mesh | None) -> str:
    """The platform of a mesh's devices, which need not be this machine's; None is the default's.

    Example:
        >>> platform(make_mesh(1, 1)) == platform(None) == jax.default_backend()
        True
    """
    return jax.default_backend() if mesh is None else str(mesh.devices.flat[0].platform)


def share(count: int, axis: str | None) -> tuple[int, Array | int]:
    """This device's part of `count` items along a mesh axis, inside `over_images`.

    Args:
        count: of all devices together.
        axis: the axis that they are split along, or None for no split.

    Returns:
        How many items a device has, the same for all, and the number of its first; items from
        `count` on are padding.

    Example:
        >>> share(20, None)
        (20, 0)
    """
    if axis is None:
        return count, 0
    part = math.ceil(count / lax.axis_size(axis))
    return part, lax.axis_index(axis) * part
