"""Whether scores keep their word: among trials said to be genuine with probability p, is a share p of them genuine?

A score s states P(genuine) = 1 / (1 + e^-s), with even prior odds. How many trials of each side there are is the
protocol's choice, so each side weighs ½ in total: with n_g of G genuine and n_i of I impostor scores in a bin of stated
probability,

    found = (n_g / G) / (n_g / G + n_i / I)         weight = (n_g / G + n_i / I) / 2
    expected calibration error = Σ over bins of weight · |found - mean stated|

(Naeini, Cooper & Hauskrecht 2015, *Obtaining well calibrated probabilities using Bayesian binning*; the weights of the
sides are ours). Ten bins of equal width; empty ones are left out, and so are failures to acquire, which state nothing.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from eval.measures.calibration import cllr, min_cllr
from eval.measures.one_side import Scores, count_below, pieces
from eval.measures.sorted_scores import SortedScores
from eval.resampling.intervals import CONFIDENCE, clopper_pearson
from eval.results.kind_results import Calibration, ReliabilityBin
from verify.policy import Rate

BINS = 10


def calibration(
    scores: SortedScores, *, repeats: tuple[float, float] = (1.0, 1.0), confidence: float = CONFIDENCE
) -> Calibration:
    """Cllr, minCllr, expected calibration error and the reliability bins; `repeats` as in `reliability_bins`."""
    bins = reliability_bins(scores, repeats=repeats, confidence=confidence)
    return Calibration(
        cllr=cllr(scores),
        min_cllr=min_cllr(scores),
        expected_calibration_error=expected_calibration_error(scores, bins),
        bins=bins,
    )


def expected_calibration_error(scores: SortedScores, bins: tuple[ReliabilityBin, ...]) -> float:
    """Mean of |found - stated| over the `bins` of `scores`, each with its weight; in [0, 1]."""
    genuine, impostor = (side.size for side in scores.sides)
    error = sum(
        (one.genuine / genuine + one.impostor / impostor) / 2 * abs(one.found.value - one.stated) for one in bins
    )
    return min(float(error), 1.0)


def reliability_bins(
    scores: SortedScores,
    bins: int = BINS,
    *,
    repeats: tuple[float, float] = (1.0, 1.0),
    confidence: float = CONFIDENCE,
) -> tuple[ReliabilityBin, ...]:
    """The bins of equal width in the stated probability that hold any score, ascending; the last holds 1 as well.

    The interval of `found` is that of Clopper & Pearson for n_g out of n_g + n_i, its ends p turned into `found` by
    p / G : (1 - p) / I. It takes the bin's scores as independent, which several trials of one person are not: it then
    is too short. `repeats` says how often a genuine and an impostor comparison is scored on average, with other draws
    of references; the interval is over counts divided by it.
    """
    edges = logit(np.arange(1, bins) / bins)
    sides = scores.sides
    ends = [np.concatenate([[0], count_below(side, edges), [side.size]]) for side in sides]
    stated = [_sums_of_probability(side, end) / side.size for side, end in zip(sides, ends, strict=True)]
    found = []
    for index in range(bins):
        counts = [int(end[index + 1] - end[index]) for end in ends]
        share_g, share_i = (count / side.size for count, side in zip(counts, sides, strict=True))
        if share_g + share_i == 0:
            continue
        low, high = index / bins, (index + 1) / bins
        mean = float((stated[0][index] + stated[1][index]) / (share_g + share_i))
        found.append(
            ReliabilityBin(
                low=low,
                high=high,
                stated=min(max(mean, low), high),
                found=_found(counts, (sides[0].size, sides[1].size), repeats, confidence),
                genuine=counts[0],
                impostor=counts[1],
            )
        )
    return tuple(found)


def _found(counts: list[int], sizes: tuple[int, int], repeats: tuple[float, float], confidence: float) -> Rate:
    value = _balanced(counts[0], counts[1], *sizes)
    # A count that is not 0 stays so: its comparison was made at least once.
    genuine, impostor = (min(count, max(round(count / times), 1)) for count, times in zip(counts, repeats, strict=True))
    distinct = sizes[0] / repeats[0], sizes[1] / repeats[1]
    exact = clopper_pearson(genuine, genuine + impostor, confidence)
    low, high = (_balanced(end, 1 - end, *distinct) for end in (exact.low, exact.high))
    return Rate(value=value, low=min(low, value), high=max(high, value))


def _balanced(genuine: float, impostor: float, all_genuine: float, all_impostor: float) -> float:
    """Share of genuine scores if both sides had as many in all."""
    share_g, share_i = genuine / all_genuine, impostor / all_impostor
    return share_g / (share_g + share_i)


def _sums_of_probability(side: Scores, ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Σ 1 / (1 + e^-s) of the scores between two neighbouring `ends` (B + 1,), float64 (B,)."""
    bounds = pairwise(ends)
    return np.array([sum(float(expit(part.astype(np.float64)).sum()) for part in pieces(side[a:b])) for a, b in bounds])
