"""How honest scores are as natural-log likelihood ratios: Cllr, and minCllr after the best monotone recalibration.

    Cllr = 1 / (2 ln 2) · [ mean over genuine of ln(1 + e^-s) + mean over impostors of ln(1 + e^s) ]   bits

(Brümmer & du Preez 2006, *Application-independent evaluation of speaker detection*, eq. 22). It is the cost of deciding
by the scores, averaged over all priors and costs: 0 for scores that always know, 1 for scores that are all 0 and say
nothing, above 1 for scores that mislead. minCllr is the least Cllr of any rising function of the scores; Cllr - minCllr
is what calibration loses and minCllr what the scores cannot tell apart. Only Cllr depends on the scores' scale.

The best rising function is that of pool-adjacent-violators (PAV). Its blocks are the edges of the convex hull of the
ROC (Fawcett & Niculescu-Mizil 2007, *PAV and the ROC convex hull*), so it is read off the hull, in integers and without
merging the two sides: a block with share p of the genuine and q of the impostor scores gets log(p / q).

Failures to acquire (-inf) are left out: they are no likelihood ratios.
"""

import numpy as np
from numpy.typing import NDArray

from eval.measures.one_side import Scores, pieces
from eval.measures.sorted_scores import SortedScores

Counts = NDArray[np.int64]


def cllr(scores: SortedScores) -> float:
    """Cllr of the finite scores in bits, >= 0."""
    genuine, impostor = scores.sides
    lost = _sum_softplus(genuine, -1) / genuine.size + _sum_softplus(impostor, 1) / impostor.size
    return float(lost / (2 * np.log(2)))


def min_cllr(scores: SortedScores) -> float:
    """Cllr of the finite scores after pool-adjacent-violators, in bits, in [0, 1]; both sides weigh the same."""
    rejected_impostor, rejected_genuine = convex_hull(scores)
    p = np.diff(rejected_genuine) / scores.acquired_genuine.size
    q = np.diff(rejected_impostor) / scores.acquired_impostor.size
    mixed = (p > 0) & (q > 0)  # a block of one kind only gets an infinite ratio, and costs nothing
    p, q = p[mixed], q[mixed]
    return float((p * np.log1p(q / p) + q * np.log1p(p / q)).sum() / (2 * np.log(2)))


def convex_hull(scores: SortedScores) -> tuple[Counts, Counts]:
    """Corners of the convex hull of (#{i < t}, #{g < t}), rising from (0, 0) to (I, G), both int64 (V,).

    Finite scores only. A corner is always reached by rejecting an impostor and left by rejecting a genuine score, so it
    is enough to look at the scores of the shorter side. The hull of every piece is taken first, then that of all their
    corners: the memory is a few pieces.
    """
    genuine, impostor = scores.sides
    x, y = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
    start = 0
    for keys in pieces(genuine if genuine.size <= impostor.size else impostor):
        ranks = np.arange(start, start + keys.size)
        start += keys.size
        # At tied scores all points but one lie above the hull, as they count too many genuine or too few impostors.
        if genuine.size <= impostor.size:
            left, below = np.searchsorted(impostor, keys, side="left"), ranks
        else:
            left, below = ranks + 1, np.searchsorted(genuine, keys, side="right")
        corners = _lower_hull(left, below)
        x.append(left[corners])
        y.append(below[corners])
    all_x, all_y = (np.append(np.concatenate(parts), side.size) for parts, side in ((x, impostor), (y, genuine)))
    corners = _lower_hull(all_x, all_y)
    return all_x[corners], all_y[corners]


def _lower_hull(x: Counts, y: Counts) -> NDArray[np.intp]:
    """Indices of the corners of the lower convex hull of points in order of `x`, whose `y` never falls either.

    Quickhull: the point furthest below a chord is a corner, and parts it in two. Products of counts are exact up to
    2³¹ scores a side.
    """
    corners = [0, x.size - 1]
    chords = [(0, x.size - 1)]
    while chords:
        first, last = chords.pop()
        if last - first < 2:
            continue
        inside = slice(first + 1, last)
        above = (y[inside] - y[first]) * (x[last] - x[first]) - (x[inside] - x[first]) * (y[last] - y[first])
        lowest = int(above.argmin())
        if above[lowest] < 0:
            corner = first + 1 + lowest
            corners.append(corner)
            chords += [(first, corner), (corner, last)]
    return np.unique(np.array(corners))


def _sum_softplus(scores: Scores, sign: int) -> float:
    """Σ ln(1 + e^(sign · score)), which cannot overflow in this form."""
    total = 0.0
    for part in pieces(scores):
        values = sign * part.astype(np.float64)
        total += float((np.maximum(values, 0) + np.log1p(np.exp(-np.abs(values)))).sum())
    return total
