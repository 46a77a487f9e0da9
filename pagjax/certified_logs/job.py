"""Certifies or predicts the images of a data set, a line of a log each, and resumes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from pagjax.certification import MeanBound
from pagjax.certification.hard import certify_by, predict_by
from pagjax.certification.least import Method, check_enough, least_draws
from pagjax.certification.plan import CertificationPlan, Rivals
from pagjax.certification.soft import certify_soft_by
from pagjax.certification.sound import charged_alpha
from pagjax.certified_logs import logs, tallies
from pagjax.core.checks import LogitsFn
from pagjax.io.data.labelled_images import LabelledImages
from pagjax.io.pictures.images import Preprocessing
from pagjax.jobs import processes
from pagjax.jobs.errors import JobError
from pagjax.networks.convolutions.forms import Precision


@dataclass(frozen=True)
class LogJob:
    """Everything that determines a log's lines, but the machine.

    Attributes:
        checkpoint: name or path of the base network.
        checkpoint_sha256: digest of its weights.
        data, split: see `pagjax.io.data.labelled_images.open_data`.
        image_size: side in pixels.
        sigma: noise level in pixel units.
        method: hard-smoothed certificates, soft-smoothed ones, or hard-smoothed predictions.
        num_selection, num_draws: selection draws, and draws that bound or predict.
        alpha: failure probability of each line.
        bound, rivals: of soft certificates, see `pagjax.certification.certify_soft`.
        radii: of interest, for drawing in stages; None makes all draws.
        seed: of all noise; an image's draws come from its number and this alone.
        precision: of the network's products. A certificate holds for the network as it was run.
        preprocessing: how images are brought to their size, see `pagjax.io.pictures.images.fit`.
        class_name: the class that all images of a flat folder are of, or None.
        sound: whether the arithmetic is accounted for, see `pagjax.certification.sound`.
        platform: whose forms of layers it runs (``"cpu"``, ``"gpu"``, ``"tpu"``, ``"amx"``) where
            products are narrow or certificates sound, as each rounds other values of the network
            and so runs another function; else None.
        network_sha256: digest of what the network does with its weights, normaliser included; None
            where nobody knows.
    """

    checkpoint: str
    checkpoint_sha256: str
    data: str
    split: str
    image_size: int
    sigma: float
    method: Literal["hard", "soft", "predict"]
    num_selection: int
    num_draws: int
    alpha: float
    bound: MeanBound
    rivals: Rivals
    radii: tuple[float, ...] | None
    seed: int
    precision: Precision
    platform: str | None = None
    network_sha256: str | None = None
    preprocessing: Preprocessing = "cover"
    class_name: str | None = None
    sound: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Of its log, which ends with the votes; Cohen et al.'s readers skip them."""
        return (*(logs.PREDICT if self.method == "predict" else logs.CERTIFY), logs.VOTES)

    def of_image(
        self,
        logits_fn: LogitsFn,
        image: Array,
        index: int,
        label: int,
        chunk_size: int | None,
        mesh: Mesh,
    ) -> tuple[int, float | None, str | None]:
        """Prediction, radius and votes of image number `index`; the radius of predictions is None.

        In stages a wrong class is certified at whatever radius: it counts at none.
        """
        key = jax.random.fold_in(jax.random.key(self.seed), index)
        plan = self.plan(chunk_size, mesh)
        if self.method == "predict":
            answer = predict_by(plan, logits_fn, image, key)
            counted = tallies.tally_of(answer.counts, self.num_draws)
            return answer.prediction, None, tallies.cell_of(counted)
        by = certify_by if self.method == "hard" else certify_soft_by
        found = by(plan, logits_fn, image, key, label)
        votes = tallies.cell_of(tallies.tally_of(found.totals, found.num_draws))
        return found.prediction, found.radius, votes

    def plan(self, chunk_size: int | None, mesh: Mesh) -> CertificationPlan:
        """How each image is certified or predicted."""
        return CertificationPlan(
            sigma=self.sigma,
            num_draws=self.num_draws,
            alpha=self.alpha,
            num_selection=self.num_selection,
            radii=self.radii,
            bound=self.bound,
            rivals=self.rivals,
            chunk_size=chunk_size,
            mesh=mesh,
            sound=self.sound,
        )


def check_draws(job: LogJob, name: str = "num_draws") -> None:
    """Refuses draws that are too few for their alpha, so that every answer would be to abstain.

    Also those that are so many that, where certificates are sound, nothing is left of alpha.

    Args:
        job: what to do.
        name: what its draws are called where they were asked for.

    Raises:
        JobError: with the least number; for soft smoothing certification itself says so.
    """
    if job.method == "soft":
        return
    method: Method = "predict" if job.method == "predict" else "certify"
    least = least_draws(job.alpha, method, staged=job.radii is not None)
    try:
        check_enough(name, job.num_draws, least, job.alpha)
        if job.sound:
            charged_alpha(job.alpha, job.sigma, 3 * job.image_size**2, job.num_draws)
    except ValueError as error:
        raise JobError(str(error)) from error


def settings_file(log: Path) -> Path:
    """Beside a log: the settings of its job as JSON."""
    return log.with_name(f"{log.name}.json")


def run(
    job: LogJob,
    logits_fn: LogitsFn,
    data: LabelledImages,
    indices: Sequence[int],
    log: Path,
    *,
    mesh: Mesh,
    chunk_size: int | None = None,
    report: Callable[[logs.Line], None] = lambda line: None,
) -> None:
    """Appends a line for every image, each on disk before the next is begun.

    Several processes share the images out, each on its own devices; the first one writes.

    Args:
        job: what to do.
        logits_fn: the base network, on the mesh's devices.
        data: images of the job's size.
        indices: which images, none of which the log has.
        log: from `pagjax.certified_logs.resuming.begin`.
        mesh: of this process's devices, from `pagjax.core.mesh.make_mesh`.
        chunk_size: the most draws a device holds at once; None chooses.
        report: told each line.

    Raises:
        JobError: if nothing can be certified: a network of one class, or of NaN logits.
    """

    def answer(index: int) -> tuple[int, float | None, str | None, float]:
        started = time.monotonic()
        image = jnp.asarray(data.images([index])[0].astype(np.float32) / 255)
        label = int(data.targets[index])
        try:
            found = job.of_image(logits_fn, image, index, label, chunk_size, mesh)
        except ValueError as error:
            raise JobError(f"image {index} of {data.name}: {error}") from error
        return *found, time.monotonic() - started

    answers = processes.shared_out(answer, indices)
    # A log that was begun without votes goes on without them.
    keep = processes.is_first() and logs.keeps_votes(log)
    with log.open("a", encoding="utf-8") if processes.is_first() else nullcontext() as file:
        for index, (prediction, radius, votes, seconds) in zip(indices, answers, strict=True):
            label, right = int(data.targets[index]), prediction == int(data.targets[index])
            tally = tallies.parse(votes) if votes and keep else None
            line = logs.Line(index, label, prediction, radius, right, seconds, votes=tally)
            if file is not None:
                file.write(logs.text_of(line))
                file.flush()
            report(line)
