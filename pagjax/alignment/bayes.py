"""The Bayes-optimal classifier under noise where every class is a Gaussian: closed form.

An image of class c is ``N(mu_c, Sigma_c)``, so a noisy one is ``N(mu_c, Sigma_c + sigma^2 I)``; the
log-densities are the logits of the best classifier of noisy images there can be. Srinivas, Bordt
and Lakkaraju (2023) hold its gradient to be what perceptually-aligned gradients approach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from pagjax.core.checks import check_non_negative
from pagjax.core.class_gaussians import ClassGaussian, block_mean


class _Densities(NamedTuple):
    """Gaussians prepared for evaluation, one per class along the leading axis."""

    means: Array
    factors: Array
    variances: Array
    inner: Array
    log_peaks: Array


def bayes_classifier(classes: ClassGaussian, sigma: float | Array, *, factor: int = 1) -> Partial:
    """The logits of the Bayes-optimal classifier of noisy images, classes equally likely.

    The logits are log-densities, quadratic in the image: their mean over further noise has the same
    gradient as they have themselves, so no draws are needed. With ``C = F^T F + v I`` the inverse
    and the determinant come from the rank x rank matrix ``v I + F F^T`` (Woodbury 1950).

    Args:
        classes: Gaussians with a leading axis of classes; see `pagjax.core.class_gaussians.stack`.
        sigma: noise level in pixel units of [0, 1]; with it, v is
            ``regulariser + sigma^2 / factor^2`` and must be above 0.
        factor: how many times finer images are than the Gaussians; classified are block means,
            whose noise is `factor` times smaller.

    Returns:
        A logits function as networks have: images ``[n, height, width, channels]`` to log-densities
        ``[n, classes]``; a `jax.tree_util.Partial`, so `jax.grad`, `smoothed_gradient` and
        `targeted_pgd` take it.

    Raises:
        ValueError: for a negative sigma, or if sigma and a regulariser are both 0.

    Reference: Srinivas, Bordt and Lakkaraju (2023), section 3.

    Example, two classes of one pixel at 0 and 1, equally wide: at 0.5 neither is likelier.
        >>> import jax.numpy as jnp
        >>> from pagjax.core.class_gaussians import ClassGaussian
        >>> classes = ClassGaussian(jnp.array([0.0, 1.0]).reshape(2, 1, 1, 1),
        ...                         jnp.zeros((2, 1, 1, 1, 1)), jnp.full((2,), 0.25))
        >>> logits = bayes_classifier(classes, 0.5)(jnp.full((1, 1, 1, 1), 0.5))
        >>> bool(jnp.isclose(logits[0, 0], logits[0, 1]))
        True
    """
    check_non_negative("sigma", sigma, "an l2 length in pixel units of [0, 1]")
    num_classes, rank = classes.factors.shape[:2]
    means = classes.mean.reshape(num_classes, -1)
    factors = classes.factors.reshape(num_classes, rank, -1)
    variances = classes.regulariser + jnp.square(jnp.asarray(sigma, means.dtype) / factor)
    if not bool((variances > 0).all()):
        raise ValueError("sigma = 0 and regulariser = 0 leave a density without width: raise one")
    gram = factors @ factors.swapaxes(1, 2) + variances[:, None, None] * jnp.eye(
        rank, dtype=means.dtype
    )
    inner = jnp.linalg.cholesky(gram)
    size = means.shape[-1]
    log_determinants = (size - rank) * jnp.log(variances) + 2 * jnp.log(
        jnp.diagonal(inner, axis1=1, axis2=2)
    ).sum(axis=-1)
    log_peaks = -(size * math.log(2 * math.pi) + log_determinants) / 2
    return Partial(_Logits(factor), _Densities(means, factors, variances, inner, log_peaks))


def bayes_gradient(classifier: Partial, images: Array, targets: Array) -> Array:
    """Gradient of the log-probability that the Bayes-optimal classifier gives to targets.

    Args:
        classifier: from `bayes_classifier`.
        images: shape ``[batch, height, width, channels]``.
        targets: class indices, shape ``[batch]``.

    Returns:
        Shape of `images`.
    """

    def log_probability(image: Array, target: Array) -> Array:
        return jax.nn.log_softmax(classifier(image[None])[0])[target]

    return jax.vmap(jax.grad(log_probability))(images, jnp.asarray(targets))


@dataclass(frozen=True)
class _Logits:
    """Log-densities as a function that compares equal where the factor does."""

    factor: int

    def __call__(self, densities: _Densities, images: Array) -> Array:
        flat = block_mean(images, self.factor).reshape(images.shape[0], -1)

        def of_class(own: _Densities) -> Array:
            offsets = flat - own.means
            along = jax.scipy.linalg.solve_triangular(
                own.inner, own.factors @ offsets.T, lower=True
            )
            squared = jnp.square(offsets).sum(axis=-1) - jnp.square(along).sum(axis=0)
            return own.log_peaks - squared / own.variances / 2

        return jax.vmap(of_class)(densities).T
