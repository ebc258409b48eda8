"""Bootstrap by trial: scores of which nobody knows whose they are.

Genuine and impostor scores are drawn with replacement, independently of each other. Only their counts between the
thresholds of a grid matter, and those are multinomial: the B × T counts are drawn at once, whatever the number of
scores. At a threshold fixed beforehand the number of errors is binomial, and Clopper–Pearson needs no resampling.

Right only where trials are independent, as where each has a person of its own. Trials that share people say less than
they count, so that these intervals then are too short; nothing in the scores themselves tells by how much.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.resampling.intervals import CONFIDENCE, clopper_pearson
from eval.resampling.replicates import DEFAULT_REPLICATES, Replicates
from eval.resampling.threshold_grid import KEPT_WHOLE, threshold_grid
from eval.trials import Trials
from verify.policy import Rate

BY_TRIAL = "bootstrap by trial"

FloatArray = NDArray[np.float64]


class TrialBootstrap(Replicates):
    """Replicates of every rate of one kind of impostor, every trial by itself.

    Parameters
    ----------
    genuine, impostor : the trials; only their scores are used.
    replicates : B, resamples.
    seed : of the resampling.
    confidence : of the intervals.

    Raises
    ------
    TrialsError for fewer than two trials of either kind.
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
        if min(len(genuine), len(impostor)) < 2:
            raise TrialsError("an interval by trial needs at least two genuine and two impostor trials")
        self._trials = (len(genuine), len(impostor))
        grid = threshold_grid(genuine.scores, impostor.scores)
        generator = np.random.default_rng([seed, *self._trials])
        rejected = _below(genuine.scores, grid, replicates, generator)
        turned_away = _below(impostor.scores, grid, replicates, generator)
        super().__init__(
            method=BY_TRIAL,
            confidence=confidence,
            grid=grid,
            far=(self._trials[1] - turned_away) / self._trials[1],
            frr=rejected / self._trials[0],
            comparisons=self._trials,
            units=self._trials,
            kept=np.ones(replicates, np.bool_),
            smooth=max(self._trials) > KEPT_WHOLE,
        )

    def far(self, value: float, threshold: float) -> Rate:
        """Clopper–Pearson interval of the FAR `value`."""
        return self._exact(value, self._trials[1])

    def frr(self, value: float, threshold: float) -> Rate:
        """Clopper–Pearson interval of the FRR `value`."""
        return self._exact(value, self._trials[0])

    def mean_over_people(self, per_person: FloatArray) -> Rate:
        """Raises TrialsError: nobody knows the people."""
        raise TrialsError("trials without people have no rate by person")

    def _exact(self, value: float, trials: int) -> Rate:
        found = clopper_pearson(round(value * trials), trials, self.confidence)
        return Rate(value=value, low=min(found.low, value), high=max(found.high, value))

    @cached_property
    def _designs(self) -> tuple[float, float]:
        return 1.0, 1.0


def _below(scores: FloatArray, grid: FloatArray, replicates: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """int64 (B, T), how many of a resample of `scores` are below every threshold of `grid` (T,)."""
    below = np.searchsorted(np.sort(scores), grid, side="left")
    cells = np.diff(below, prepend=0, append=len(scores))
    drawn = generator.multinomial(len(scores), cells / len(scores), size=replicates)
    return np.cumsum(drawn[:, :-1], axis=1)
