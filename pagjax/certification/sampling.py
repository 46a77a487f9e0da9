"""A stream of independent noise draws' outcomes, on the host, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh

from pagjax.core import draws
from pagjax.core import mesh as meshes
from pagjax.core.checks import LogitsFn, check_count
from pagjax.core.grid import GridNoise
from pagjax.core.mesh import DRAWS
from pagjax.core.outputs import draw_outputs

# Chunks under way at once: the next is computed while the last one is counted.
_AHEAD = 2
# Parts that a CPU evaluates in one call: calls have a price, and draws past the last one are lost.
_PARTS = 4


class DrawStream:
    """Draws number 0, 1, 2, ... of one image; what they are depends on the key alone.

    Only plain independent Gaussian draws, on a grid or not: bounds are theorems about independent
    draws, so antithetic, stratified or quasi-random ones have no place here. Products run at full
    precision on accelerators, so that the network is the one that was trained.

    Args:
        of_logits: logits ``[classes]`` to what a draw contributes.
        logits_fn: images ``[n, height, width, channels]`` to logits ``[n, classes]``.
        image: shape ``[height, width, channels]``, in [0, 1].
        key: of the image and the purpose.
        sigma: noise level in pixel units.
        most: how many draws may be asked for in all.
        chunk_size: the most draws a device holds at once; None chooses. Changes no draw.
        grid, mesh: see `pagjax.core.outputs.draw_outputs`.
    """

    def __init__(  # what `draw_outputs` takes, and how many in all
        self,
        of_logits: Callable[[Array], Array],
        logits_fn: LogitsFn,
        image: Array,
        key: Array,
        *,
        sigma: float,
        most: int,
        grid: GridNoise | None = None,
        chunk_size: int | None = None,
        mesh: Mesh | None = None,
    ) -> None:
        """See the class."""
        check_count("num_samples", most)
        check_count("chunk_size", chunk_size)
        devices = 1 if mesh is None else mesh.shape[DRAWS]
        platform = meshes.platform(mesh)
        share, largest = -(-most // devices), draws.forward_chunk(image.size, platform)
        at_once = draws.balanced_chunk(share, chunk_size or largest, image.size)
        parts = _parts_a_call(-(-share // at_once)) if platform == "cpu" else 1
        self._chunk, self._most = parts * at_once * devices, most
        self._taken = self._started = 0
        self._waiting: deque[Array] = deque()
        self._left: np.ndarray | None = None

        def start(first: int) -> Array:
            with jax.default_matmul_precision("highest"):
                return draw_outputs(
                    of_logits,
                    logits_fn,
                    image,
                    key,
                    sigma=sigma,
                    first=first,
                    count=self._chunk,
                    grid=grid,
                    at_once=at_once,
                    mesh=mesh,
                )

        self._start = start

    def take(self, count: int) -> Iterator[np.ndarray]:
        """What the next `count` draws contribute, in pieces of shape ``[c, ...]``.

        Raises:
            ValueError: if more were asked for than `most`.
        """
        if self._taken + count > self._most:
            raise ValueError(f"{self._taken + count} draws of {self._most}: raise `most`")
        last = self._taken + count
        while self._taken < last:
            if self._left is None:
                self._left = self._next_chunk(last)
            piece = self._left[: last - self._taken]
            self._left = self._left[len(piece) :] if len(piece) < len(self._left) else None
            self._taken += len(piece)
            yield piece

    def _next_chunk(self, last: int) -> np.ndarray:
        while not self._waiting or (len(self._waiting) < _AHEAD and self._started < last):
            self._waiting.append(self._start(self._started))
            self._started += self._chunk
        return np.asarray(self._waiting.popleft())


def _parts_a_call(needed: int) -> int:
    """Of the numbers of parts that compute the fewest in vain, the largest.

    Example:
        >>> [_parts_a_call(needed) for needed in (1, 4, 5, 6, 80)]
        [1, 4, 1, 3, 4]
    """

    def computed(parts: int) -> int:
        return -(-needed // parts) * parts

    return min(range(1, _PARTS + 1), key=lambda parts: (computed(parts), -parts))
