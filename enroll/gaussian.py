"""A person as a Gaussian over embeddings.

    log p(x) = −½ [ d·log 2π + log det Σ + (x − μ)ᵀ Σ⁻¹ (x − μ) ]

μ is the mean of the person's reference embeddings x_1 … x_n; the kinds differ in Σ:

    spherical      σ²·I, σ² = tr S / d                                     Bromley 1993
    diagonal       diag(S), shrunk towards tr S / d                        Chopra 2005, without correlations
    full           S shrunk by OAS or Ledoit–Wolf                          Chopra 2005
    pooled         W, one within-class covariance of the training people
    map            (S·n + ν·W) / (n − 1 + ν): the person's own scatter, shrunk towards W worth ν samples
    diagonal_map   the diagonal of `map`, which needs no more of the references than their moments

S is the person's covariance with divisor n. Five samples give a covariance of rank four; only the kinds that bring in
something else than the person's own samples are densities at all. Everything is float64 and in the log domain.

With `mean_correction` Σ is the covariance of a new sample about the mean of n, which is itself uncertain by Σ/n: the
kinds that rest on W are multiplied by 1 + 1/n, the others, whose S falls short by (n − 1)/n, by (n + 1)/(n − 1).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular

from encode.errors import FieldInvalid, TooFewReferences
from enroll.covariance import ledoit_wolf_shrinkage, oas_shrinkage, scatter, shrink

Array = NDArray[np.float64]

VARIANCE_FLOOR = 1e-8
"""Least variance in any direction: equal references must not make a density that is infinite at one point."""

LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Gaussian:
    """A normal density with its covariance factored once.

    Attributes
    ----------
    mean : float64 (d,).
    factor : lower Cholesky factor of Σ, float64 (d, d); or the standard deviations, float64 (d,), if Σ is diagonal.
    """

    mean: Array
    factor: Array

    @cached_property
    def _whitening(self) -> Array:
        """Inverse of `factor`, made once: a product with it beats a triangular solve (benchmarks/bench_gaussian.py)."""
        inverse: Array = solve_triangular(self.factor, np.eye(len(self.mean)), lower=True, check_finite=False)
        return inverse

    @cached_property
    def log_determinant(self) -> float:
        """log det Σ."""
        diagonal = self.factor if self.factor.ndim == 1 else np.diag(self.factor)
        return 2.0 * float(np.log(diagonal).sum())

    def whitened(self, x: ArrayLike) -> Array:
        """L⁻¹ (x − μ) of each row of x (n, d): float64 (n, d), standard normal where x is of this density."""
        centred = np.atleast_2d(np.asarray(x, np.float64)) - self.mean
        white: Array = centred / self.factor if self.factor.ndim == 1 else centred @ self._whitening.T
        return white

    def squared_distance(self, x: ArrayLike) -> Array:
        """Mahalanobis distance squared of each row of x (n, d): float64 (n,)."""
        white = self.whitened(x)
        distances: Array = np.einsum("ij,ij->i", white, white)
        return distances

    def log_density(self, x: ArrayLike) -> Array:
        """log p of each row of x (n, d): float64 (n,), in nats."""
        constant = len(self.mean) * LOG_2PI + self.log_determinant
        return -0.5 * (constant + self.squared_distance(x))

    @classmethod
    def from_covariance(cls, mean: Array, covariance: Array) -> "Gaussian":
        """Factor a covariance (d, d), lifting it to the variance floor where it is singular."""
        return cls(mean, _factor(covariance))

    def covariance(self) -> Array:
        """Σ, float64 (d, d)."""
        if self.factor.ndim == 1:
            return np.diag(self.factor**2)
        product: Array = self.factor @ self.factor.T
        return product

    def precision(self) -> Array:
        """Σ⁻¹, float64 (d, d)."""
        if self.factor.ndim == 1:
            return np.diag(self.factor**-2.0)
        inverse: Array = cho_solve((self.factor, True), np.eye(len(self.mean)))
        return inverse


def fit_spherical(references: ArrayLike, *, mean_correction: bool = False) -> Gaussian:
    """σ²·I with σ² the mean variance over dimensions (Bromley 1993); needs two references."""
    x = _references(references, least=2)
    return spherical(len(x), x.mean(0), x.var(0), mean_correction=mean_correction)


def spherical(n: int, mean: Array, variances: Array, *, mean_correction: bool = False) -> Gaussian:
    """As :func:`fit_spherical`, of the mean and the variances (divisor n), each (d,), of n references."""
    variance = max(float(variances.mean()) * _own_correction(n, mean_correction), VARIANCE_FLOOR)
    return Gaussian(mean, np.full(len(mean), math.sqrt(variance)))


def fit_diagonal(references: ArrayLike, *, shrinkage: float | None = None, mean_correction: bool = False) -> Gaussian:
    """One variance a dimension, shrunk towards their mean by 1/n unless `shrinkage` (0 … 1) is given; n ≥ 2."""
    x = _references(references, least=2)
    return diagonal(len(x), x.mean(0), x.var(0), shrinkage=shrinkage, mean_correction=mean_correction)


def diagonal(
    n: int, mean: Array, variances: Array, *, shrinkage: float | None = None, mean_correction: bool = False
) -> Gaussian:
    """As :func:`fit_diagonal`, of the mean and the variances (divisor n), each (d,), of n references."""
    rho = 1.0 / n if shrinkage is None else shrinkage
    shrunk = ((1.0 - rho) * variances + rho * variances.mean()) * _own_correction(n, mean_correction)
    return Gaussian(mean, np.sqrt(np.maximum(shrunk, VARIANCE_FLOOR)))


def fit_full_oas(references: ArrayLike, *, mean_correction: bool = False) -> Gaussian:
    """Full covariance with OAS shrinkage; n ≥ 2."""
    x = _references(references, least=2)
    s = scatter(x) / len(x)
    covariance = shrink(s, oas_shrinkage(s, len(x)))
    return Gaussian.from_covariance(x.mean(0), covariance * _own_correction(len(x), mean_correction))


def fit_full_ledoit_wolf(references: ArrayLike, *, mean_correction: bool = False) -> Gaussian:
    """Full covariance with Ledoit–Wolf shrinkage; n ≥ 2."""
    x = _references(references, least=2)
    covariance = shrink(scatter(x) / len(x), ledoit_wolf_shrinkage(x))
    return Gaussian.from_covariance(x.mean(0), covariance * _own_correction(len(x), mean_correction))


def fit_pooled(references: ArrayLike, within: Array, *, mean_correction: bool = False) -> Gaussian:
    """The person's mean with the bundle's within-class covariance (d, d); n ≥ 1."""
    x = _references(references, least=1)
    return pooled(len(x), x.mean(0), within, mean_correction=mean_correction)


def pooled(n: int, mean: Array, within: Array, *, mean_correction: bool = False) -> Gaussian:
    """As :func:`fit_pooled`, of the mean (d,) of n references."""
    return Gaussian.from_covariance(mean, within * _correction(n, mean_correction))


def fit_map(references: ArrayLike, within: Array, *, strength: float, mean_correction: bool = False) -> Gaussian:
    """(scatter + ν·W) / (n − 1 + ν), ν = `strength` > 0; n ≥ 1, where n = 1 gives W itself.

    The mode of an inverse-Wishart posterior up to its constant: W enters as if it had been seen in ν samples.
    """
    x = _references(references, least=1)
    covariance = (scatter(x) + strength * within) / (len(x) - 1 + strength)
    return Gaussian.from_covariance(x.mean(0), covariance * _correction(len(x), mean_correction))


def fit_diagonal_map(
    references: ArrayLike, within: Array, *, strength: float, mean_correction: bool = False
) -> Gaussian:
    """(n·s² + ν·diag W) / (n − 1 + ν) a dimension, s² the person's variance with divisor n; n ≥ 1."""
    x = _references(references, least=1)
    return diagonal_map(len(x), x.mean(0), x.var(0), within, strength=strength, mean_correction=mean_correction)


def diagonal_map(
    n: int, mean: Array, variances: Array, within: Array, *, strength: float, mean_correction: bool = False
) -> Gaussian:
    """As :func:`fit_diagonal_map`, of the mean and the variances (divisor n), each (d,), of n references."""
    shrunk = (n * variances + strength * np.diag(within)) / (n - 1 + strength) * _correction(n, mean_correction)
    return Gaussian(mean, np.sqrt(np.maximum(shrunk, VARIANCE_FLOOR)))


def _correction(n: int, wanted: bool) -> float:
    return 1.0 + 1.0 / n if wanted else 1.0


def _own_correction(n: int, wanted: bool) -> float:
    return (n + 1.0) / (n - 1.0) if wanted else 1.0


def _references(references: ArrayLike, *, least: int) -> Array:
    x = np.asarray(references, np.float64)
    if x.ndim != 2 or x.shape[1] == 0:
        raise FieldInvalid(f"references must be a matrix (n, d), got shape {x.shape}", field="references")
    if len(x) < least:
        raise TooFewReferences(
            f"this kind of identity model needs {least} references, {len(x)} given",
            field="references",
            fix="enroll more samples of the person",
        )
    if not np.isfinite(x).all():
        raise FieldInvalid("references hold values that are not finite", field="references")
    return x


def _factor(covariance: Array) -> Array:
    """Lower Cholesky factor; directions below the floor are lifted to it only if the plain factorisation fails."""
    try:
        factor: Array = cholesky(covariance, lower=True, check_finite=False)
        if float(np.diag(factor).min()) ** 2 >= VARIANCE_FLOOR:
            return factor
    except LinAlgError:
        pass
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    # Σ = V·diag(λ)·Vᵀ = RᵀR with R from the QR of √λ·Vᵀ: multiplied out, the floor could be lost to rounding again.
    upper = np.linalg.qr(np.sqrt(np.maximum(values, VARIANCE_FLOOR))[:, None] * vectors.T).R
    lower: Array = (upper * np.where(np.diag(upper) < 0.0, -1.0, 1.0)[:, None]).T
    return lower
