"""Covariance estimates that stay invertible with few samples.

OAS (Chen, Wiesel, Eldar & Hero 2010, eq. 23) and Ledoit–Wolf (2004) shrink the sample covariance S (divisor n) towards
(tr S / d)·I:

    Σ = (1 − ρ)·S + ρ·(tr S / d)·I,        0 ≤ ρ ≤ 1
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDING = 1e-12
"""S is a multiple of the identity, as it always is in one dimension, if nothing but this share of it says otherwise."""


def scatter(x: Array) -> Array:
    """Σ_i (x_i − x̄)(x_i − x̄)ᵀ of x (n, d): float64 (d, d); zeros for n = 1."""
    centred = x - x.mean(0)
    product: Array = centred.T @ centred
    return product


def oas_shrinkage(s: Array, n: int) -> float:
    """ρ of OAS for the sample covariance s (d, d) of n samples; 1 where the estimate has nothing to go on."""
    d = len(s)
    trace_of_square = float((s * s).sum())
    square_of_trace = float(np.trace(s)) ** 2
    numerator = (1.0 - 2.0 / d) * trace_of_square + square_of_trace
    apart = trace_of_square - square_of_trace / d
    if apart <= _ROUNDING * square_of_trace:
        return 1.0
    return float(min(1.0, numerator / ((n + 1.0 - 2.0 / d) * apart)))


def ledoit_wolf_shrinkage(x: Array) -> float:
    """ρ of Ledoit & Wolf 2004 for samples x (n, d); 1 where the samples show no spread."""
    n, d = x.shape
    centred = x - x.mean(0)
    s = centred.T @ centred / n
    target = float(np.trace(s)) / d
    delta = float((s * s).sum()) - d * target * target
    if delta <= _ROUNDING * d * target * target:
        return 1.0
    # β: mean squared distance of the single outer products from S, without building n matrices of d × d.
    norms = (centred * centred).sum(1)
    beta = (float((norms * norms).sum()) / n - float((s * s).sum())) / n
    return float(min(1.0, max(0.0, beta / delta)))


def shrink(s: Array, rho: float) -> Array:
    """(1 − ρ)·S + ρ·(tr S / d)·I."""
    d = len(s)
    shrunk: Array = (1.0 - rho) * s
    shrunk.flat[:: d + 1] += rho * np.trace(s) / d
    return shrunk


def pooled_within(x: Array, labels: NDArray[np.int64]) -> tuple[Array, int]:
    """Within-class covariance over people with at least two samples, and its degrees of freedom.

    x (n, d), labels (n,) → Σ over people of their scatter, divided by Σ (n_i − 1).
    """
    total = np.zeros((x.shape[1], x.shape[1]))
    freedom = 0
    for label in np.unique(labels):
        own = x[labels == label]
        if len(own) > 1:
            total += scatter(own)
            freedom += len(own) - 1
    return (total / freedom if freedom else total), freedom
