"""Which network paints which class from which start, so that a start seen again tells nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment


def latin_targets(
    own: Sequence[int | None], networks: int, classes: Sequence[int], *, seed: int
) -> np.ndarray:
    """Targets by start and network, from a cyclic Latin square in random order.

    In a row no class comes again before all have come: with at most as many networks as classes, no
    two networks paint the same class from one start. In a column every class comes equally often,
    to one picture. Starts take those rows of the square in which their own class is painted least:
    never, where their classes are as mixed as the square's.

    Args:
        own: every start's own class, None where unknown.
        networks: how many.
        classes: the target classes, each once.
        seed: of the order of classes, networks and starts.

    Returns:
        Classes of shape ``[starts, networks]``.

    Raises:
        ValueError: without starts, networks or classes, or for a class that is given twice.

    Reference: Fisher (1935), "The Design of Experiments", for Latin squares.

    Example, no class twice in a row or a column:
        >>> targets = latin_targets([0, 1, 2], 2, [0, 1, 2], seed=0)
        >>> [len(set(line)) for line in (*targets.tolist(), *targets.T.tolist())]
        [2, 2, 2, 3, 3]
    """
    if not (own and networks > 0 and classes):
        raise ValueError("a Latin square needs starts, networks and classes: at least one each")
    if len(set(classes)) != len(classes):
        raise ValueError(f"classes {list(classes)}: each once")
    rng = np.random.default_rng(seed)
    order, shifts = rng.permutation(np.asarray(classes)), rng.permutation(networks)
    rows = np.arange(len(own)) % len(order)
    square = order[(rows[:, None] + shifts) % len(order)]
    known = np.array([-1 if index is None else index for index in own])
    painted = (square[None] == known[:, None, None]).sum(axis=2)
    # Draws below one part in a picture break ties, so that the seed decides and no conflict counts.
    chosen = linear_sum_assignment(painted + rng.random(painted.shape) / (2 * len(own)))[1]
    return np.asarray(square[chosen])
