"""Bootstrap by person: how far the rates would move with other people of the same kind.

The subsets bootstrap (Bolle, Ratha & Pankanti 2004, *Error analysis of pattern recognition systems — the subsets
bootstrap*): claimed people are drawn with replacement, each with all genuine and all impostor trials against that
claim. With w_p times that person p was drawn, n_p trials and e_p(t) errors at threshold t,

    rate(t) = Σ_p w_p e_p(t) / Σ_p w_p n_p

Where the trials tell who made the impostor probes, people are in a FAR twice: as claimed and as impostor. Then each is
drawn with the trials of both roles, and people who are never claimed are drawn among themselves. With r_p(t) the
errors of both roles above what the FAR on all N trials lets expect of them,

    FAR*(t) = FAR(t) + κ(t) Σ_p (w_p − 1) r_p(t) / N

the linear part of drawing claimed people and impostors at once (Owen 2007, *The pigeonhole bootstrap*), without its
threefold count of the chance of single pairs; κ scales it to the dyadic-robust variance (`eval.resampling.dyads`). All
replicates are one product of the weights (B, P) with counts (P, T) on a grid of thresholds.

Right when people were sampled independently and people are what makes trials alike. Without sources (and for skilled
forgeries, whose forgers are unknown) the impostors are held fixed: where few people act as impostors, the interval of
a FAR then is short.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.resampling.intervals import CONFIDENCE
from eval.resampling.replicates import DEFAULT_REPLICATES, Replicates, equal_errors
from eval.resampling.roles import AsClaimed, InBothRoles, PersonCounts, draw_people
from eval.resampling.threshold_grid import threshold_grid
from eval.trials import Trials
from verify.policy import Rate

BY_PERSON = "bootstrap by person"
IN_BOTH_ROLES = "bootstrap by person in both roles"

_GROUPS = 256  # of people who are never claimed, beyond which they are drawn in groups: as good, and memory is bounded

FloatArray = NDArray[np.float64]


class PersonBootstrap(Replicates):
    """Replicates of every rate of one kind of impostor; cheap to ask, as the counts are made once.

    Parameters
    ----------
    genuine, impostor : the trials; people are taken from their `claim` columns, and from `impostor.source` if there.
    replicates : B', resamples of the claimed people.
    seed : of the resampling. The weights follow from it, the number of claimed people and `replicates` alone.
    confidence : of the intervals.

    Attributes
    ----------
    people : int32 (P,), the claimed people, ascending.

    Raises
    ------
    TrialsError for fewer than two claimed people, or no trial of one kind.
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
        self.people = np.union1d(genuine.claimed, impostor.claimed)
        if len(self.people) < 2:
            raise TrialsError("an interval by person needs at least two claimed people")
        if not len(genuine) or not len(impostor):
            raise TrialsError("an interval needs genuine and impostor trials")
        weights = draw_people(len(self.people), replicates, seed)
        self._genuine = PersonCounts(genuine.scores, np.searchsorted(self.people, genuine.claim), len(self.people))
        self._impostor = _roles(impostor, self.people, weights, seed)
        self._as_claimed = impostor.scores, np.searchsorted(self.people, impostor.claim)
        kept = (weights @ self._genuine.trials > 0) & self._impostor.kept
        self._weights = weights[kept]
        self._impostor.keep(kept)
        grid = threshold_grid(genuine.scores, impostor.scores)
        super().__init__(
            method=BY_PERSON if isinstance(self._impostor, AsClaimed) else IN_BOTH_ROLES,
            confidence=confidence,
            grid=grid,
            far=self._impostor.far(grid),
            frr=self._frr(grid),
            comparisons=(genuine.comparisons, impostor.comparisons),
            units=(max(int(np.count_nonzero(self._genuine.trials)), 2), self._impostor.units),
            kept=kept,
        )

    def far(self, value: float, threshold: float) -> Rate:
        """Interval of the FAR `value` at a threshold fixed beforehand."""
        return self._interval(value, self._impostor.far(np.array([threshold]))[:, 0], (1,), floor=1)

    def frr(self, value: float, threshold: float) -> Rate:
        """Interval of the FRR `value` at a threshold fixed beforehand."""
        return self._interval(value, self._frr(np.array([threshold]))[:, 0], (0,), floor=0)

    def mean_over_people(self, per_person: FloatArray) -> Rate:
        """Mean of one rate a person, float64 (P,) in the order of `people`, NaN where a person has none.

        The rates by person hold the impostors fixed. By what factor other impostors would change them is taken from the
        equal error rate of all, of which every resample has one with the people drawn in both roles and one with them
        drawn as claimed alone. This is meant for an EER by person, which such impostors move as they move that of all.

        Raises TrialsError if nobody has the rate.
        """
        known = ~np.isnan(per_person)
        if not known.any():
            raise TrialsError("nobody has a rate of their own to take the mean of")
        weights = self._weights[:, known]
        drawn = weights.sum(axis=1) > 0
        replicates = weights[drawn] @ per_person[known] / weights[drawn].sum(axis=1)
        replicates = np.clip(replicates * self._moved_by_impostors[drawn], 0.0, 1.0)
        return self._interval(float(per_person[known].mean()), replicates, (0, 1), floor=0)

    @cached_property
    def _moved_by_impostors(self) -> FloatArray:
        """float64 (B,), the EER of every replicate ÷ the EER with people drawn as claimed alone."""
        moved = np.ones(len(self._weights))
        if isinstance(self._impostor, AsClaimed):
            return moved
        fixed = AsClaimed(*self._as_claimed, self._weights)
        drawn = fixed.kept
        fixed.keep(drawn)
        half = 0.5 / min(self._comparisons)  # as in the logit: a replicate without errors has a ratio, too
        alone = equal_errors(fixed.far(self._grid), self._grid_frr[drawn])
        moved[drawn] = (self.equal_error_replicates()[drawn] + half) / (alone + half)
        return moved

    def _frr(self, thresholds: FloatArray) -> FloatArray:
        trials = (self._weights @ self._genuine.trials)[:, None]
        return (trials - self._genuine.at_or_above(self._weights, thresholds)) / trials


def _roles(impostor: Trials, people: NDArray[np.int32], weights: FloatArray, seed: int) -> AsClaimed | InBothRoles:
    """The FAR of the roles that the trials know of; people who are never claimed get weights of their own."""
    claim = np.searchsorted(people, impostor.claim)
    if impostor.source is None or not (impostor.source >= 0).any():
        return AsClaimed(impostor.scores, claim, weights)
    known = impostor.source >= 0
    others = np.setdiff1d(impostor.source[known], people)
    position = np.full(int(max(people[-1], impostor.source.max())) + 1, -1)
    position[people] = np.arange(len(people))
    position[others] = len(people) + np.arange(len(others))
    source = np.where(known, position[impostor.source], -1)
    groups = min(len(others), _GROUPS)
    shuffled = np.random.default_rng([seed, len(others), 2]).permutation(len(others))
    unit = np.concatenate([np.arange(len(people)), len(people) + shuffled % max(groups, 1)])
    drawn = draw_people(groups, len(weights), seed, 1)
    return InBothRoles(impostor.scores, claim, source, np.hstack([weights, drawn]), unit)
