"""Is the difference between two rates of two models more than chance? Paired by the people resampled.

With d = rate₂ − rate₁ as measured and d*_b = rate₂*_b − rate₁*_b over resamples b of the same people for both,

    sd = √(P / (P − 1)) · standard deviation of d*,     t = d / sd,     interval d ± t(P − 1) · sd

and p is two-sided from Student's t with P − 1 degrees of freedom (Efron & Tibshirani 1993, *An Introduction to the
Bootstrap*, sections 12.4 and 16.3; paired by resampled unit as in Bisani & Ney 2004, *Bootstrap estimates for
confidence intervals in ASR performance evaluation*). What one person makes easy or hard for both models cancels.
The interval excludes 0 where p is below 1 − confidence.

Several models against one: p-values adjusted by Holm 1979, *A simple sequentially rejective multiple test procedure*.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from eval.resampling.intervals import CONFIDENCE, rule_of_three
from eval.resampling.replicates import FloatArray


@dataclass(frozen=True)
class PairedDifference:
    """``value`` = second − first in [-1, 1] with the ends of its interval; p in [0, 1] that chance alone does it."""

    value: float
    low: float
    high: float
    p: float


def paired_difference(
    first: float,
    second: float,
    replicates: tuple[FloatArray, FloatArray],
    *,
    people: int,
    comparisons: int,
    confidence: float = CONFIDENCE,
) -> PairedDifference:
    """How far `second` is above `first`, and whether that is more than chance.

    Right where people were sampled independently; with fewer than about ten the normal shape that t assumes is a guess.

    Parameters
    ----------
    first, second : the rates as measured.
    replicates : of each, float64 (B,); row b of both is the same resample of people.
    people : P >= 2, how many were resampled.
    comparisons : distinct trials behind the rates. Where models never disagree on any, that bounds how often they do:
        each end of the interval is at least the rule of three away from the difference, and p is of that spread.
    """
    value = second - first
    spread = float(np.sqrt(people / (people - 1)) * np.std(replicates[1] - replicates[0]))
    within = float(student_t.ppf((1 + confidence) / 2, people - 1))
    # Rounding aside, all resamples agree: every person tells the same. No test on P signs can do better than 2 / 2^P.
    least = 2.0 ** (1 - people) if spread < 1e-12 and abs(value) > 1e-12 else 0.0
    # One spread for both, so that the interval and p never disagree on whether 0 is possible.
    spread = max(spread, rule_of_three(comparisons) / within)
    reach = within * spread if least < 1 - confidence else max(within * spread, abs(value))
    p = max(2 * float(student_t.sf(abs(value) / spread, people - 1)), least)
    return PairedDifference(value, max(value - reach, -1.0), min(value + reach, 1.0), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: whoever rejects those below α wrongly rejects any with a chance of at most α."""
    adjusted, reached = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = reached
    return adjusted
