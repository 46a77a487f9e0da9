"""What a base network reached: three accuracies that are easily taken for one another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.tree_util import Partial

from pagjax.certification import abstains
from pagjax.checkpoints.cards import Accuracies
from pagjax.core import draws
from pagjax.core.checks import LogitsFn, as_partial
from pagjax.core.smoothing import smoothed_votes
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.files import atomic
from pagjax.io.files.errors import RefusedError
from pagjax.jobs import processes
from pagjax.training.attack import attack

# On a CPU eight images' activations stay in its caches, which is twice as fast as a hundred's.
BATCH_ON_CPU, BATCH = 8, 256
ALPHA = 0.001
SECONDS_BETWEEN_SAVES = 60.0

Report = Callable[[str, int, int], None]
"""Called with what is measured, images done, and images in all."""


@dataclass(frozen=True)
class Exam:
    """What an evaluation puts a network to.

    Attributes:
        sigma: noise level in pixel units; 0 leaves out what needs noise.
        num_draws: noise draws an image for the smoothed classifier.
        epsilon: radius of an l2 attack on the base network, in pixel units; 0 leaves it out.
        attack_steps: its steps.
        seed: of all noise; an image's noise depends on its number alone.
    """

    sigma: float
    num_draws: int
    epsilon: float = 0.0
    attack_steps: int = 20
    seed: int = 0

    def __str__(self) -> str:
        """As what is kept of an evaluation names it."""
        asked = {"sigma": self.sigma, "draws": self.num_draws, "epsilon": self.epsilon}
        return str({**asked, "steps": self.attack_steps})


def evaluate(
    logits_fn: LogitsFn,
    data: LabelledImages,
    exam: Exam,
    *,
    kept: Path | None = None,
    report: Report = lambda what, done, total: None,
) -> tuple[Accuracies, dict[str, np.ndarray]]:
    """Measures a base network on all images of a data set.

    Args:
        logits_fn: images ``[n, height, width, 3]`` to logits.
        data: the images, of the network's size.
        exam: noise and attack.
        kept: folder of what is done so far, from which a killed evaluation of the same network and
            the same exam goes on; None keeps nothing.
        report: told about progress.

    Returns:
        The accuracies, and what they come from: predicted classes ``"clean"``, ``"under_noise"``,
        ``"attacked"``, and ``"votes"`` of shape ``[images, classes]``, where measured.
    """
    network = as_partial(logits_fn)
    # What is kept of an evaluation says of which network and which question it is.
    own = atomic.digest(*jax.tree.leaves(network), data.targets) if kept is not None else ""
    visit = partial(_visit, data=data, kept=kept, report=report, own=f"{own} {exam}")
    raw = {"clean": visit(partial(_predict, network), seed=exam.seed, what="clean")}
    if exam.sigma:
        noisy = partial(_predict_noisy, network, exam.sigma)
        raw["under_noise"] = visit(noisy, seed=exam.seed + 1, what="under noise")
        votes = partial(_votes, network, exam.sigma, exam.num_draws)
        what = f"smoothed, {exam.num_draws} draws"
        raw["votes"] = visit(votes, seed=exam.seed + 2, what=what)
    if exam.epsilon:
        attacked = partial(_predict_attacked, network, exam.epsilon, exam.attack_steps)
        raw["attacked"] = visit(attacked, seed=exam.seed, what="under attack")
    return accuracies(raw, data.targets, exam), raw


def count_votes(
    logits_fn: LogitsFn,
    data: LabelledImages,
    exam: Exam,
    *,
    what: str,
    kept: Path | None = None,
    report: Report = lambda what, done, total: None,
) -> np.ndarray:
    """Votes of the smoothed network on every image, ``[images, classes]``, kept as `evaluate` does.

    Args:
        logits_fn: images ``[n, height, width, 3]`` to logits.
        data: the images, of the network's size.
        exam: noise level, draws and seed; without noise there is one draw.
        what: names it to people, and its file in `kept`.
        kept: folder of what is done so far.
        report: told about progress.
    """
    network = as_partial(logits_fn)
    own = atomic.digest(*jax.tree.leaves(network), data.targets) if kept is not None else ""
    draws_an_image = exam.num_draws if exam.sigma else 1
    return _visit(
        partial(_votes, network, exam.sigma, draws_an_image),
        data=data,
        seed=exam.seed,
        what=what,
        kept=kept,
        report=report,
        own=f"{own} {exam} seed {exam.seed}",
    )


def accuracies(raw: dict[str, np.ndarray], targets: np.ndarray, exam: Exam) -> Accuracies:
    """Accuracies from predictions and votes, see `evaluate`."""

    def share(name: str) -> float | None:
        return float(np.mean(raw[name] == targets)) if name in raw else None

    smoothed = sure = abstained = None
    if "votes" in raw:
        right = raw["votes"].argmax(axis=-1) == targets
        certain = ~abstains(raw["votes"], exam.num_draws, ALPHA)
        smoothed, sure = float(right.mean()), float((right & certain).mean())
        abstained = float(1 - certain.mean())
    return Accuracies(
        images=len(targets),
        clean=float(np.mean(raw["clean"] == targets)),
        under_noise=share("under_noise"),
        smoothed=smoothed,
        smoothed_sure=sure,
        abstained=abstained,
        draws=exam.num_draws if exam.sigma else 0,
        attacked=share("attacked"),
        epsilon=exam.epsilon,
        sigma=exam.sigma,
    )


@jax.jit
def _predict(network: Partial, images: Array, labels: Array, keys: Array) -> Array:
    del labels, keys
    return jnp.argmax(network(images), axis=-1)


@jax.jit
def _predict_noisy(
    network: Partial, sigma: float, images: Array, labels: Array, keys: Array
) -> Array:
    del labels

    def draw(key: Array) -> Array:
        return draws.gaussian(key, jnp.zeros(1, int), images.shape[1:], images.dtype)[0]

    return jnp.argmax(network(images + sigma * jax.vmap(draw)(keys)), axis=-1)


def _votes(
    network: Partial, sigma: float, num_draws: int, images: Array, labels: Array, keys: Array
) -> Array:
    del labels
    return smoothed_votes(network, images, keys, sigma=sigma, num_samples=num_draws, chunk_size=1)


@partial(jax.jit, static_argnums=2)
def _predict_attacked(
    network: Partial, epsilon: float, num_steps: int, images: Array, labels: Array, keys: Array
) -> Array:
    moved = attack(
        network,
        images,
        labels,
        keys,
        sigma=0.0,
        epsilon=epsilon,
        num_steps=num_steps,
        num_samples=1,
    )
    return jnp.argmax(network(moved), axis=-1)


def _visit(
    function: Callable[[Array, Array, Array], Array],
    *,
    data: LabelledImages,
    seed: int,
    what: str,
    kept: Path | None,
    report: Report,
    own: str,
) -> np.ndarray:
    """What a function says of every image, from where an earlier process was killed.

    Several processes share the images out.
    """
    path = None if kept is None else kept / f"{what.replace(', ', '-').replace(' ', '-')}.npz"
    left = processes.arrays_from_first(lambda: _left(path, own, len(data)))
    results = [] if left is None else [left["results"]]
    done = sum(map(len, results))
    key = jax.random.key(seed)
    saved = time.monotonic()

    def answer(first: int) -> list[Any]:
        images, labels = _padded(data, first, size)
        numbers = jnp.arange(first, first + size)
        keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
        given = images, labels, keys
        found = np.asarray(function(*(jax.device_put(given, split) if alone else given)))
        answers: list[Any] = found[: len(data) - first].tolist()
        return answers

    # A process's devices share the images of a call; several processes share the calls.
    alone = jax.process_count() == 1
    split = NamedSharding(Mesh(np.array(jax.local_devices()), ("image",)), PartitionSpec("image"))
    size = BATCH_ON_CPU if jax.default_backend() == "cpu" else BATCH
    size *= jax.local_device_count() if alone else 1
    for answers in processes.shared_out(answer, range(done, len(data), size)):
        results.append(np.array(answers, np.int32))
        done += len(answers)
        report(what, done, len(data))
        due = done == len(data) or time.monotonic() - saved > SECONDS_BETWEEN_SAVES
        if path is not None and due and processes.is_first():
            told = {"results": np.concatenate(results), "of": np.array(own)}
            atomic.write_arrays(path, told)
            saved = time.monotonic()
    return np.concatenate(results)


def _left(path: Path | None, own: str, count: int) -> dict[str, np.ndarray] | None:
    """What an earlier process left of the same evaluation; nothing of another one.

    Raises:
        RefusedError: naming the file, if it was edited or cut off.
    """
    if path is None or not path.exists():
        return None
    cure = "remove it"
    found = atomic.read_arrays(path, cure=cure, most_bytes=100 * path.stat().st_size + 2**20)
    results = found.get("results")
    if results is None or results.dtype != np.int32 or not 1 <= results.ndim <= 2:
        raise RefusedError(f"{path}: results are missing, or no classes or votes: {cure}")
    of_another = "of" in found and str(found["of"]) != own
    return None if of_another or len(results) > count else {"results": results}


def _padded(data: LabelledImages, first: int, size: int) -> tuple[Array, Array]:
    """Images and labels from the first on, filled up with the last so that nothing recompiles."""
    indices = np.minimum(np.arange(first, first + size), len(data) - 1)
    images = data.images(indices).astype(np.float32) / 255
    return jnp.asarray(images), jnp.asarray(data.targets[indices])
