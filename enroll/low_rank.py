"""A person's covariance as a multiple of the identity plus low rank: quick to fit, to score and to score many with.

In coordinates where the kind's own prior is the identity (whitened by W for `pooled` and `map`, plain else), the
covariance of n references is

    Σ = α·I + V diag(β) Vᵀ,    V orthonormal, of rank n − 1 at most

    Σ⁻¹ = α⁻¹·I − V diag(γ) Vᵀ,   γ = β / (α (α + β))        (Woodbury)
    log det Σ = d log α + Σ log(1 + β/α)

    pooled                 α = c                            β = 0
    map                    α = c ν / (n − 1 + ν)            β = c s² / (n − 1 + ν)
    full_oas, _ledoit_wolf α = c ρ tr S / d                 β = c (1 − ρ) s² / n
    spherical              α = σ²                           β = 0

with s the singular values of the centred references, c the mean correction and ρ the shrinkage (`enroll.gaussian`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.manifest import IdentitySpec
from enroll.covariance import ledoit_wolf_shrinkage, oas_shrinkage, scatter

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LowRank:
    """One person: the terms above.

    Attributes
    ----------
    alpha : least variance in any direction, in the coordinates used.
    directions : float64 (r, d), rows of Vᵀ.
    gains : float64 (r,), γ.
    log_determinant : log det Σ in those coordinates.
    """

    alpha: float
    directions: Array
    gains: Array
    log_determinant: float


def low_rank(spec: IdentitySpec, references: Array) -> LowRank:
    """The covariance of references (n, d) in the kind's coordinates, for `pooled`, `map` and the `full` kinds."""
    n, d = references.shape
    if spec.kind == "pooled":
        alpha = 1.0 + 1.0 / n if spec.mean_correction else 1.0
        return LowRank(alpha, np.zeros((0, d)), np.zeros(0), d * float(np.log(alpha)))
    rank = min(n - 1, d)
    squares, directions = _spread(references, rank) if rank else (np.zeros(0), np.zeros((0, d)))
    if spec.kind == "map":
        share = (1.0 + 1.0 / n if spec.mean_correction else 1.0) / (n - 1 + spec.strength)
        alpha, beta = share * spec.strength, share * squares
    else:
        s = scatter(references) / n
        rho = oas_shrinkage(s, n) if spec.kind == "full_oas" else ledoit_wolf_shrinkage(references)
        correction = (n + 1.0) / (n - 1.0) if spec.mean_correction else 1.0
        alpha, beta = correction * rho * float(np.trace(s)) / d, correction * (1.0 - rho) * squares / n
    if alpha <= 0.0:
        return LowRank(0.0, directions, np.zeros(rank), -np.inf)
    determinant = d * float(np.log(alpha)) + float(np.log1p(beta / alpha).sum())
    return LowRank(alpha, directions, beta / (alpha * (alpha + beta)), determinant)


def _spread(references: Array, rank: int) -> tuple[Array, Array]:
    """Squared singular values (rank,) of the centred references, and their right vectors (rank, d)."""
    _, singular, directions = np.linalg.svd(references - references.mean(0), full_matrices=False)
    return singular[:rank] ** 2, directions[:rank]
