"""A mean over trials whose people are resampled: the interval of Σ_p s_p / Σ_p n_p.

With s_p the sum of what person p's n_p trials measured (each in [0, 1]) and w_p times that p was drawn,

    share = Σ_p w_p s_p / Σ_p w_p n_p

as in `eval.resampling.bootstrap`, for whatever needs no threshold of its own: rates at one fixed beforehand, and
measures that are no counts at all. Right where people were sampled independently; the interval is made of the
replicates as there.
"""

import numpy as np
from numpy.typing import ArrayLike

from encode.errors import TrialsError
from eval.resampling.bootstrap import DEFAULT_REPLICATES
from eval.resampling.intervals import CONFIDENCE
from eval.resampling.logit_interval import logit_interval
from eval.resampling.roles import draw_people
from verify.policy import Rate


def share_by_person(
    sums: ArrayLike,
    counts: ArrayLike,
    *,
    comparisons: int,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Rate:
    """Σ sums / Σ counts with its interval.

    Parameters
    ----------
    sums : (P,), what each person's trials add up to, between 0 and `counts`.
    counts : (P,), trials of each person; people without any are left out.
    comparisons : distinct trials behind the mean, at least 1: the rule of three over them is the interval's floor.
    replicates, seed, confidence : of the bootstrap.

    Raises
    ------
    TrialsError for fewer than two people with trials.
    """
    summed, counted = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    summed, counted = summed[counted > 0], counted[counted > 0]
    people = len(counted)
    if people < 2:
        raise TrialsError("an interval by person needs at least two people with trials")
    drawn = draw_people(people, replicates, seed)
    # A mean lies between its terms, which rounding may forget.
    own = summed / counted
    value = float(np.clip(summed.sum() / counted.sum(), own.min(), own.max()))
    shares = np.clip(drawn @ summed / (drawn @ counted), 0.0, 1.0)
    return logit_interval(value, shares, people=people, comparisons=comparisons, confidence=confidence)
