"""Variance of a FAR whose trials share people in two roles: who was claimed, and who made the probe.

Let e be the errors and n the trials between two people, r = e − FAR · n their residual, and R_p the sum of r over all
trials that person p takes part in, in either role. With N trials in all,

    variance(FAR) = c · (Σ_p R_p² − Σ_{p,q} r_pq²) / N²

the dyadic-robust variance of Aronow, Samii & Assenova 2015 (*Cluster-robust variance estimation for dyadic data*,
equation 4): Σ R_p² holds the chance of a single pair twice, once by each of its two people, so it is taken out once.
Trials whose source nobody knows have one person only and are in the first sum alone.

c corrects for few people, as residuals are taken from the very mean: with A people claimed and S sources,
c = [A S / ((A − 1)(S − 1))]^(1 + o), where o in [0, 1] says how far they are the same people. This is unbiased for
crossed effects of two sets of people (o = 0); for P people who all meet in both roles (o = 1) it is
P⁴ / (P − 1)⁴ = 1 + 4/P + … as the unbiased P (P − 1) / ((P − 2)(P − 3)) is.

All sums of squares at all thresholds come from one pass over the sorted scores: the k-th error of a pair raises the
square of its count by 2k − 1.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Indices = NDArray[np.int64]


class SquaredResiduals:
    """Σ over clusters of (errors − rate · trials)², for any number of the highest scores taken as errors.

    Parameters
    ----------
    cluster : int64 (M, K), the up to K clusters that each trial is in, from 0, -1 for none; highest scores first.
    """

    def __init__(self, cluster: Indices) -> None:
        trials, memberships = cluster.shape
        inside = np.flatnonzero(cluster.ravel() >= 0)
        members = cluster.ravel()[inside]
        sizes = np.bincount(members, minlength=1)
        # Short integers are sorted by radix, many times faster.
        grouped = np.argsort(members.astype(np.uint16) if len(sizes) <= 1 << 16 else members, kind="stable")
        rank = np.empty(len(members), np.int64)
        rank[grouped] = np.arange(len(members)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self._squares = _totals(2 * rank + 1, inside, trials, memberships)
        self._products = _totals(sizes[members], inside, trials, memberships)
        self._sizes = float((sizes.astype(np.float64) ** 2).sum())

    def __call__(self, errors: Indices, rate: FloatArray) -> FloatArray:
        """float64 (T,) with the highest `errors` (T,) scores as errors, and the overall `rate` (T,) there."""
        squares, products = self._squares[errors], self._products[errors]
        found: FloatArray = squares - 2 * rate * products + rate**2 * self._sizes
        return found


def _totals(values: Indices, inside: Indices, trials: int, memberships: int) -> FloatArray:
    """float64 (M + 1,), sums of `values` over the first 0, 1, … M trials; `inside`: flat place of each value."""
    flat = np.zeros(trials * memberships)
    flat[inside] = values
    return np.concatenate([[0.0], np.cumsum(flat.reshape(trials, memberships).sum(axis=1))])


class DyadicSpread:
    """How the spread of resampling people in both roles compares with the dyadic-robust variance.

    Parameters
    ----------
    scores : float64 (M,), of impostor trials.
    claim, source : int64 (M,), index of a person in one numbering, `source` -1 where unknown.

    Attributes
    ----------
    claimed, sources : how many people are in either role.
    correction : c, at least 1.
    """

    def __init__(self, scores: FloatArray, claim: Indices, source: Indices) -> None:
        order = np.argsort(scores)[::-1]
        self._ascending = scores[order][::-1]
        claim, source = claim[order], source[order]
        self._people = SquaredResiduals(np.stack([claim, source], axis=1))
        known, people = source >= 0, int(max(claim.max(), source.max())) + 1
        pair = np.full(len(scores), -1)
        key = np.minimum(claim, source)[known] * people + np.maximum(claim, source)[known]
        pair[known] = np.unique(key, return_inverse=True)[1]
        self._pairs = SquaredResiduals(pair[:, None])
        as_claimed = np.bincount(claim, minlength=people).astype(np.float64)
        as_source = np.bincount(source[known], minlength=people).astype(np.float64)
        self.claimed, self.sources = int(np.count_nonzero(as_claimed)), int(np.count_nonzero(as_source))
        alike = 2 * (as_claimed * as_source).sum() / ((as_claimed**2).sum() + (as_source**2).sum())
        few = (1 - 1 / max(self.claimed, 2)) * (1 - 1 / max(self.sources, 2))
        self.correction = float(few ** -(1 + alike))

    def ratio(self, thresholds: FloatArray) -> FloatArray:
        """float64 (T,), standard deviation of the FAR ÷ that of resampling in both roles, at `thresholds` (T,).

        At least √½ before the correction for few people, which is its value where trials are independent.
        """
        trials = len(self._ascending)
        errors = trials - np.searchsorted(self._ascending, thresholds, side="left")
        both, pairs = self._people(errors, errors / trials), self._pairs(errors, errors / trials)
        share = np.divide(pairs, both, out=np.zeros_like(both), where=both > 1e-9)
        found: FloatArray = np.sqrt(self.correction * np.maximum(1 - share, 0.5))
        return found
