"""The interval that the replicates of a bootstrap make: value ± t · sd on the logit scale."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from eval.resampling.intervals import CONFIDENCE, rule_of_three
from verify.policy import Rate

FloatArray = NDArray[np.float64]


def logit_interval(
    value: float,
    replicates: FloatArray,
    *,
    people: int,
    comparisons: int,
    confidence: float = CONFIDENCE,
    design: float = 1.0,
    skewed: bool = False,
) -> Rate:
    """value ± t · sd(replicates) on the logit scale, each end at least the rule of three away from 0 or 1.

    A rate near 0 cannot move down as far as up, which the logit allows for; Student's t with P - 1 degrees of
    freedom and the factor P / (P - 1) allow for few people. In simulations with alike trials within a person this
    covers the true rate more often than the percentile, BC, BCa, delta-method and studentised ends do
    (benchmarks/interval_coverage.py). Half a trial is added to keep the logit finite. Without the rule of three a rate
    of which no error was seen would be stated as 0 to 0; draws repeat comparisons, so they do not lower that floor.

    Parameters
    ----------
    value : in [0, 1].
    replicates : float64 (B,), in [0, 1].
    people : P >= 2, how many were resampled.
    comparisons : distinct trials behind the value, at least 1.
    design : trials that tell as much as one independent trial does, at least 1: the floor is the rule of three over
        comparisons / design, as in Korn & Graubard 1998, *Confidence intervals for proportions with small expected
        number of positive counts estimated from survey data*.
    skewed : lengthen the end that few extreme people may lie behind (`_lengthening`).
    """
    half = 0.5 / comparisons
    floor = rule_of_three(max(comparisons / design, 1.0), confidence)
    few = np.sqrt(people / (people - 1))
    t = float(stdtrit(people - 1, (1 + confidence) / 2))
    spread = few * float(np.std(logit((replicates + half) / (1 + 2 * half))))
    down, up = _lengthening(value, replicates, spread, confidence) if skewed else (0.0, 0.0)
    centre = logit((value + half) / (1 + 2 * half))
    ends = expit([centre - (t + down) * spread, centre + (t + up) * spread]) * (1 + 2 * half) - half
    return Rate(
        value=value,
        low=max(min(float(ends[0]), value, 1 - floor), 0.0),
        high=min(max(float(ends[1]), value, floor), 1.0),
    )


def _lengthening(value: float, replicates: FloatArray, spread: float, confidence: float) -> tuple[float, float]:
    """How many standard deviations to add below and above, each at least 0 and at most 1.

    A sample that happens to hold none of the extreme people shows both a low rate and a small spread. To first order
    (Hall 1992, *On the removal of skewness by transformation*, equation 2.2) the quantiles of the studentised mean
    move by γ (2z² + 1) / 6, γ the skewness of the replicates, of which the logit already takes (1 − 2 value) z² sd / 2.
    """
    deviation = replicates - replicates.mean()
    sd = float(np.std(replicates))
    if sd < 1e-12:
        return 0.0, 0.0
    z = float(ndtri((1 + confidence) / 2))
    skewness = float((deviation**3).mean()) / sd**3
    shift = skewness * (2 * z**2 + 1) / 6 - (1 - 2 * value) * z**2 * spread / 2
    return min(max(-shift, 0.0), 1.0), min(max(shift, 0.0), 1.0)
