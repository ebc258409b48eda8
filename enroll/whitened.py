"""A person's Gaussian in coordinates in which the within-class covariance W of the bundle is the identity.

    y = L⁻¹ (x − μ),  W = L Lᵀ        Σ = L (α·I + V diag(β) Vᵀ) Lᵀ        γ = β / (α (α + β))

    (x − μ)ᵀ Σ⁻¹ (x − μ) = ‖y‖² / α − Σ_j γ_j (v_j · y)²
    log det Σ            = log det W + log det (α·I + V diag(β) Vᵀ)

L is the same for everybody, so that a person costs n × d numbers in place of d × d, and no Cholesky factor: what
`enroll.gaussian` does with matrices of d × d for the kinds `pooled` and `map`, this does with `enroll.low_rank`. Where
the low rank outweighs the identity by so much that the difference above would cancel, or the variance floor bites,
there is no such form.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from encode.manifest import IdentitySpec
from enroll.gaussian import LOG_2PI, VARIANCE_FLOOR, Gaussian
from enroll.low_rank import LowRank, low_rank

Array = NDArray[np.float64]

KINDS = ("pooled", "map")
"""Kinds whose covariance is W but for a low rank."""

_CANCELLATION = 1e6
"""Largest β/α: the rounding of ‖y‖² is then 1e-10 of what is left of it."""


class Within:
    """W, float64 (d, d), with what follows from it alone computed once."""

    def __init__(self, covariance: Array) -> None:
        self.covariance = covariance

    @cached_property
    def gaussian(self) -> Gaussian:
        """The density of people's samples about their own means."""
        return Gaussian.from_covariance(np.zeros(len(self.covariance)), self.covariance)

    @cached_property
    def least(self) -> float:
        """The least variance in any direction."""
        return float(np.linalg.eigvalsh(self.covariance)[0])


@dataclass(frozen=True)
class WhitenedGaussian:
    """A normal density; as :class:`enroll.gaussian.Gaussian` to whoever scores with it.

    Attributes
    ----------
    mean : float64 (d,).
    within : what whitens.
    terms : α, V and γ of Σ in whitened coordinates.
    """

    mean: Array
    within: Within
    terms: LowRank

    @property
    def log_determinant(self) -> float:
        """log det Σ."""
        return self.within.gaussian.log_determinant + self.terms.log_determinant

    def squared_distance(self, x: ArrayLike) -> Array:
        """Mahalanobis distance squared of each row of x (n, d): float64 (n,)."""
        white = self.within.gaussian.whitened(np.asarray(x, np.float64) - self.mean)
        distances: Array = np.einsum("ij,ij->i", white, white) / self.terms.alpha
        if len(self.terms.gains):
            distances -= (white @ self.terms.directions.T) ** 2 @ self.terms.gains
        return distances

    def log_density(self, x: ArrayLike) -> Array:
        """log p of each row of x (n, d): float64 (n,), in nats."""
        constant = len(self.mean) * LOG_2PI + self.log_determinant
        return -0.5 * (constant + self.squared_distance(x))

    def covariance(self) -> Array:
        """Σ, float64 (d, d)."""
        alpha, gains, directions = self.terms.alpha, self.terms.gains, self.terms.directions
        beta = gains * alpha**2 / (1.0 - gains * alpha)
        middle = alpha * np.eye(len(self.mean)) + directions.T @ (beta[:, None] * directions)
        factor = self.within.gaussian.factor
        product: Array = factor @ middle @ factor.T
        return product


Density = Gaussian | WhitenedGaussian


def fit_whitened(spec: IdentitySpec, within: Within, references: Array) -> WhitenedGaussian | None:
    """References float64 (n, d), finite, n ≥ 1 → the Gaussian of one of :data:`KINDS`; None where it has not this form.

    The same density as :func:`enroll.gaussian.fit_pooled` and :func:`~enroll.gaussian.fit_map` give, up to rounding.
    """
    terms = low_rank(spec, within.gaussian.whitened(references))
    alpha = terms.alpha
    if alpha * within.least < VARIANCE_FLOOR or (terms.gains * alpha > _CANCELLATION / (1.0 + _CANCELLATION)).any():
        return None
    return WhitenedGaussian(references.mean(0), within, terms)
