"""Bootstrap by person: how far the rates would move with other people of the same kind.

The subsets bootstrap (Bolle, Ratha & Pankanti 2004, *Error analysis of pattern recognition systems — the subsets
bootstrap*): claimed people are drawn with replacement, each with all genuine and all impostor trials against that
claim. With w_p times that person p was drawn, n_p trials and e_p(t) errors at threshold t,

    rate(t) = Σ_p w_p e_p(t) / Σ_p w_p n_p

so all replicates are one product of the weights (B, P) with per-person counts (P, T) on a grid of thresholds. The grid
holds the low tail of the genuine and the high tail of the impostor scores one by one and thins the rest; it serves the
intervals only, point estimates are exact. Where a rate needs a threshold (FRR at a FAR, EER), the threshold is found
again in every replicate, so that its uncertainty is in the interval. The spread of the replicates gives the interval
(`PersonBootstrap._interval`).

Right when people were sampled independently and the claimed person is what makes trials alike. It holds the impostors
fixed: when few people act as impostors, the interval of a FAR is somewhat short.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t as student_t

from encode.errors import TrialsError
from eval.intervals import CONFIDENCE, rule_of_three
from eval.metrics import equal_error_index
from eval.trials import Trials
from verify.policy import Rate

DEFAULT_REPLICATES = 2000
METHOD = "bootstrap by person"

_TAIL = 512
_BODY = 512

FloatArray = NDArray[np.float64]


class PersonBootstrap:
    """Replicates of every rate of one kind of impostor; cheap to ask, as the counts are made once.

    Parameters
    ----------
    genuine, impostor : the trials; people are taken from their `claim` columns.
    replicates : B, resamples of the claimed people.
    seed : of the resampling.
    confidence : of the intervals.

    Raises
    ------
    TrialsError for fewer than two claimed people.
    """

    def __init__(
        self,
        genuine: Trials,
        impostor: Trials,
        *,
        replicates: int = DEFAULT_REPLICATES,
        seed: int = 0,
        confidence: float = CONFIDENCE,
    ) -> None:
        people = np.union1d(genuine.claimed, impostor.claimed)
        if len(people) < 2:
            raise TrialsError("an interval by person needs at least two claimed people")
        self.confidence = confidence
        self._genuine = genuine.by_person(people)
        self._impostor = impostor.by_person(people)
        self._comparisons = (genuine.comparisons, impostor.comparisons)
        drawn = np.random.default_rng([seed, len(people)]).multinomial(
            len(people), np.full(len(people), 1 / len(people)), size=replicates
        )
        # A replicate without a single trial of one kind has no rate; it can only occur with very few people.
        trials = np.array([[len(scores) for scores in side] for side in (self._genuine, self._impostor)])
        self._weights: FloatArray = drawn[(drawn @ trials.T > 0).all(axis=1)].astype(np.float64)
        self._grid = _grid(genuine.scores, impostor.scores)
        self._grid_far, self._grid_frr = self._rates(self._grid)

    def far(self, value: float, threshold: float) -> Rate:
        """Interval of the FAR `value` at a threshold fixed beforehand."""
        far, _ = self._rates(np.array([threshold]))
        return self._interval(value, far[:, 0], self._comparisons[1])

    def frr(self, value: float, threshold: float) -> Rate:
        """Interval of the FRR `value` at a threshold fixed beforehand."""
        _, frr = self._rates(np.array([threshold]))
        return self._interval(value, frr[:, 0], self._comparisons[0])

    def frr_at_far(self, value: float, target: float) -> Rate:
        """Interval of the FRR `value` at the threshold of a target FAR, which every replicate finds anew."""
        return self._interval(value, self.frr_replicates(target), self._comparisons[0])

    def frr_replicates(self, target: float) -> FloatArray:
        """float64 (B,), the FRR of every replicate at its own lowest threshold whose FAR is at most `target`."""
        first = np.argmax(self._grid_far <= target, axis=1)
        return np.take_along_axis(self._grid_frr, first[:, None], axis=1)[:, 0]

    def equal_error(self, value: float) -> Rate:
        """Interval of the equal error rate `value`."""
        at = [equal_error_index(far, frr) for far, frr in zip(self._grid_far, self._grid_frr, strict=True)]
        rows = np.arange(len(at))
        replicates = (self._grid_far[rows, at] + self._grid_frr[rows, at]) / 2
        return self._interval(value, replicates, min(self._comparisons))

    def auc(self, value: float) -> Rate:
        """Interval of the area under the ROC `value`."""
        accepted = 1 - self._grid_frr
        # Failures to acquire are accepted at no threshold: the curve's last piece runs straight to (1, 1), as in `auc`.
        far = np.pad(self._grid_far, ((0, 0), (1, 0)), constant_values=1.0)
        accepted = np.pad(accepted, ((0, 0), (1, 0)), constant_values=1.0)
        widths = far[:, :-1] - far[:, 1:]
        area_missed = 1 - (widths * (accepted[:, :-1] + accepted[:, 1:]) / 2).sum(axis=1)
        missed = self._interval(1 - value, area_missed, min(self._comparisons))
        return Rate(value=value, low=min(1 - missed.high, value), high=max(1 - missed.low, value))

    def mean_over_people(self, per_person: FloatArray) -> Rate:
        """Mean of one rate a person, float64 (P,), with its interval; NaN where a person has none.

        The resamples weight people in the order of their index, as `per_person` must be.
        """
        known = ~np.isnan(per_person)
        weights = self._weights[:, known]
        weights = weights[weights.sum(axis=1) > 0]
        replicates = weights @ per_person[known] / weights.sum(axis=1)
        return self._interval(float(per_person[known].mean()), replicates, self._comparisons[0])

    def _interval(self, value: float, replicates: FloatArray, comparisons: int) -> Rate:
        """value ± t · sd(replicates) on the logit scale, each end at least the rule of three away from 0 or 1.

        A rate near 0 cannot move down as far as up, which the logit allows for; Student's t with P - 1 degrees of
        freedom and the factor P / (P - 1) allow for few people. In simulations with alike trials within a person this
        covers the true rate more often than the percentile, BC and BCa ends do. Half a trial is added to keep the
        logit finite. Without the rule of three over distinct comparisons a rate of which no error was seen would be
        stated as 0 to 0; draws repeat comparisons, so they do not lower that floor.
        """
        half = 0.5 / comparisons
        people = self._weights.shape[1]
        t = student_t.ppf((1 + self.confidence) / 2, people - 1)
        reach = t * np.sqrt(people / (people - 1)) * np.std(logit((replicates + half) / (1 + 2 * half)))
        centre = logit((value + half) / (1 + 2 * half))
        low, high = expit([centre - reach, centre + reach]) * (1 + 2 * half) - half
        return Rate(
            value=value,
            low=max(min(float(low), value, 1 - rule_of_three(comparisons)), 0.0),
            high=min(max(float(high), value, rule_of_three(comparisons)), 1.0),
        )

    def _rates(self, thresholds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """FAR and FRR of every replicate at every threshold, both float64 (B, T)."""
        genuine = np.array([np.searchsorted(scores, thresholds, side="left") for scores in self._genuine])
        impostor = np.array([len(s) - np.searchsorted(s, thresholds, side="left") for s in self._impostor])
        genuine_trials = np.array([len(scores) for scores in self._genuine])
        impostor_trials = np.array([len(scores) for scores in self._impostor])
        far = self._weights @ impostor / (self._weights @ impostor_trials)[:, None]
        frr = self._weights @ genuine / (self._weights @ genuine_trials)[:, None]
        return far, frr


def _grid(genuine: FloatArray, impostor: FloatArray) -> FloatArray:
    """Ascending thresholds (T,), T at most about 2,000, the last one above every score."""
    scores = [
        np.unique(genuine[np.isfinite(genuine)]),
        np.unique(impostor[np.isfinite(impostor)])[::-1],
    ]
    kept = []
    for side in scores:
        body = np.linspace(0, len(side) - 1, min(_BODY, len(side))).astype(np.int64)
        kept += [side[:_TAIL], side[body]]
    highest = max(side.max() for side in scores)
    return np.unique(np.concatenate([*kept, [np.nextafter(highest, np.inf)]]))
