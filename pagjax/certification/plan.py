"""What all images of a certification have in common, as one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from jax import Array
from jax.sharding import Mesh

from pagjax.certification import sound, staged
from pagjax.certification.bounds import MeanBound, check_alpha, check_bound
from pagjax.certification.certificate import Certificate
from pagjax.certification.discrete import grid_noise
from pagjax.certification.least import check_enough
from pagjax.certification.radius import check_sigma
from pagjax.certification.sampling import DrawStream
from pagjax.core.checks import UNIT_BOX, Bounds, LogitsFn, check_count, largest_sigma

Rivals = Literal["bounded", "rest"]


@dataclass(frozen=True)
class CertificationPlan:
    """How images are certified or predicted; which ones, and by which network, comes beside it.

    Attributes:
        sigma: noise level in pixel units of [0, 1], above 0, at most 2.
        num_draws: draws that bound or predict.
        alpha: failure probability of each image, in (0, 1).
        num_selection: draws that choose the class, where a method has them.
        radii: l2 lengths in pixel units that are of interest, for drawing in stages; None makes all
            draws.
        bound, rivals: of soft certificates, see `pagjax.certification.certify_soft`.
        chunk_size: the most draws a device holds at once; None chooses. Changes no draw.
        mesh: along whose draws they are split; None means one device.
        bounds: lowest and highest pixel value, or None for pixels in other units.
        sound: whether the arithmetic is accounted for, see `pagjax.certification.sound`.
    """

    sigma: float
    num_draws: int
    alpha: float
    num_selection: int = 100
    radii: Sequence[float] | None = None
    bound: MeanBound = "better"
    rivals: Rivals = "bounded"
    chunk_size: int | None = None
    mesh: Mesh | None = None
    bounds: Bounds | None = UNIT_BOX
    sound: bool = False

    def __post_init__(self) -> None:
        """Keeps radii as a tuple, so that plans can be compared and told apart."""
        if self.radii is not None:
            object.__setattr__(self, "radii", tuple(self.radii))

    def check(self, draws: str) -> None:
        """Refuses what no method takes.

        Args:
            draws: what `num_draws` is called where the plan was made.

        Raises:
            ValueError: naming the value.
        """
        check_alpha(self.alpha)
        check_sigma(self.sigma, largest_sigma(self.bounds))
        check_bound(self.bound)
        if self.rivals not in ("bounded", "rest"):
            raise ValueError(f"rivals = {self.rivals!r}: choose bounded or rest")
        check_count(draws, self.num_draws)
        staged.check_radii(self.radii or ())
        if self.sound:
            sound.check_box(self.bounds)

    def check_enough(self, draws: str, least: int) -> None:
        """Refuses draws that are too few to answer, see `pagjax.certification.least`."""
        check_enough(draws, self.num_draws, least, self.alpha)

    @property
    def in_stages(self) -> bool:
        """Whether draws are looked at in stages that share alpha."""
        return self.radii is not None

    def alpha_of(self, image: Array) -> float:
        """The failure probability that is left for the votes on an image."""
        if not self.sound:
            return self.alpha
        return sound.charged_alpha(self.alpha, self.sigma, image.size, self.num_draws)

    def stream(
        self,
        of_logits: Callable[[Array], Array],
        network: LogitsFn,
        image: Array,
        key: Array,
        most: int,
    ) -> DrawStream:
        """Up to `most` draws of one image."""
        return DrawStream(
            of_logits,
            network,
            image,
            key,
            sigma=self.sigma,
            most=most,
            grid=grid_noise(self.sigma) if self.sound else None,
            chunk_size=self.chunk_size,
            mesh=self.mesh,
        )

    def certificate(
        self,
        evidence: staged.Evidence,
        network: LogitsFn,
        image: Array,
        key: Array,
        label: int | None,
    ) -> Certificate:
        """The certificate of one image, from fresh draws.

        Args:
            evidence: empty statistics.
            network: of the image.
            image: shape ``[height, width, channels]``, checked before.
            key: of the draws.
            label: see `staged.run`.
        """
        alpha = self.alpha_of(image)
        stages = staged.plan(self.num_draws, alpha, staged=self.in_stages)
        stream = self.stream(evidence.of_logits, network, image, key, self.num_draws)
        return staged.run(evidence, stream, stages, self.radii, label)
