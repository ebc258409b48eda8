"""How embeddings use their space, and whether a network has collapsed to a point or a line.

    effective rank   exp(−Σ p_k ln p_k), p_k = σ_k / Σ σ of the centred embeddings    (Roy & Vetterli 2007)
    first share      σ_1² / Σ σ²: variance along the first principal axis
    alignment        mean over pairs of one person of ‖x − y‖²                         (Wang & Isola 2020, α = 2)
    uniformity       ln mean over pairs of all samples of exp(−2 ‖x − y‖²)             (Wang & Isola 2020, t = 2)

The last two are of embeddings divided by their norm. Uniformity is 0 where all embeddings are one point; on a sphere of
many dimensions, spread evenly, it is close to −4. Lower is better for both.
"""

import numpy as np
from numpy.typing import NDArray

from train.compare.results import Space

LEAST_RANK = 2.0
MOST_FIRST_SHARE = 0.9
MOST_UNIFORMITY = -0.1
"""A run beyond any of the three has collapsed; so has one whose loss or embeddings are not finite."""


def embedding_space(embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> Space | None:
    """Of embeddings (N, D) with N ≥ 2 and the person of each, int64 (N,); None where a value is not finite.

    Without two samples of one person there is no alignment.
    """
    if not np.isfinite(embeddings).all():
        return None
    x = embeddings.astype(np.float64)
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False)
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    pairs = np.triu_indices(len(x), k=1)
    squares = np.maximum(2.0 - 2.0 * (unit @ unit.T)[pairs], 0.0)
    same = (labels[:, None] == labels[None, :])[pairs]
    total = float(singular.sum())
    shares = singular / total if total > 0 else np.zeros_like(singular)
    return Space(
        dimensions=x.shape[1],
        effective_rank=effective_rank(singular),
        first_share=float(singular[0] ** 2 / (singular**2).sum()) if total > 0 else 1.0,
        uniformity=float(np.log(np.exp(-2.0 * squares).mean())),
        alignment=float(squares[same].mean()) if same.any() else None,
        singular_values=tuple(float(share) for share in shares),
    )


def effective_rank(singular: NDArray[np.float64]) -> float:
    """1 … K of K singular values ≥ 0; 0 where all are 0."""
    total = singular.sum()
    if total <= 0:
        return 0.0
    p = singular[singular > 0] / total
    return float(np.exp(-(p * np.log(p)).sum()))


def collapse(space: Space | None) -> str | None:
    """Why these embeddings count as collapsed, or None where they do not."""
    if space is None:
        return "embeddings are not finite"
    if space.effective_rank < LEAST_RANK:
        return f"effective rank {space.effective_rank:.2f} is below {LEAST_RANK:g}"
    if space.first_share > MOST_FIRST_SHARE:
        return f"{space.first_share:.0%} of the variance lies along one axis"
    if space.uniformity > MOST_UNIFORMITY:
        return f"uniformity {space.uniformity:.2f} is above {MOST_UNIFORMITY:g}: nearly one point"
    return None
