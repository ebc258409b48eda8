"""Bootstrap by group of people: for runs so large that only counts on a grid of thresholds are kept.

Claimed people are put into G groups (64, say) at random, and counts are added up by group. Groups are then resampled as
people are in `eval.resampling.bootstrap_person`, with G − 1 degrees of freedom. Where the counts of both roles are
given (a group as claimed, and the same people as impostors), both are drawn together:

    FAR*(t) = FAR(t) + κ(t) Σ_g (w_g − 1) r_g(t) / N,     κ² = G (G − 1) / (G − 2)² · (1 − N FAR (1 − FAR) / Σ_g r_g²)

with r_g the errors of group g in either role above what the FAR lets expect. The first factor corrects the residuals
for few groups. The second takes out once the chance of single trials, which is in the sum twice, by each role; what is
alike between the trials of a pair of people stays in twice (`eval.resampling.dyads` needs counts by pair to take that
out).

Right when people are independent and fell into groups at random, of about equal size. Without the counts as impostors
the impostors are held fixed, and the interval of a FAR is short.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from encode.errors import TrialsError
from eval.resampling.intervals import CONFIDENCE
from eval.resampling.replicates import DEFAULT_REPLICATES, Replicates
from eval.resampling.roles import draw_people, far_in_both_roles
from verify.policy import Rate

BY_GROUP = "bootstrap by group of people"
BY_GROUP_IN_BOTH_ROLES = "bootstrap by group of people in both roles"

FloatArray = NDArray[np.float64]


class GroupBootstrap(Replicates):
    """Replicates of every rate from counts; made by `from_counts`."""

    @classmethod
    def from_counts(
        cls,
        grid: ArrayLike,
        genuine_below: ArrayLike,
        impostor_at_or_above: ArrayLike,
        genuine_trials: ArrayLike,
        impostor_trials: ArrayLike,
        *,
        comparisons: tuple[int, int],
        acting_at_or_above: ArrayLike | None = None,
        acting_trials: ArrayLike | None = None,
        replicates: int = DEFAULT_REPLICATES,
        seed: int = 0,
        confidence: float = CONFIDENCE,
    ) -> "GroupBootstrap":
        """The bootstrap of G groups.

        Parameters
        ----------
        grid : float64 (T,), ascending thresholds, the last above every score. An interval knows no others, so the grid
            must be fine where the rates asked for are: for a FAR of 1e-6, around the highest millionth of the scores.
        genuine_below : integers (G, T), genuine scores of each group's people below every threshold.
        impostor_at_or_above : integers (G, T), impostor scores against each group's people at or above it.
        genuine_trials, impostor_trials : integers (G,), trials of each group.
        comparisons : distinct genuine and impostor trials.
        acting_at_or_above, acting_trials : the same of the impostor trials where the group's people made the probe.
        replicates, seed, confidence : as for people.

        Raises
        ------
        TrialsError for fewer than two groups, counts of other shapes, or no trial of one kind.
        """
        thresholds = np.asarray(grid, dtype=np.float64)
        below, above = np.asarray(genuine_below, np.float64), np.asarray(impostor_at_or_above, np.float64)
        genuine, impostor = np.asarray(genuine_trials, np.float64), np.asarray(impostor_trials, np.float64)
        groups = len(genuine)
        if groups < 2:
            raise TrialsError("an interval by group needs at least two groups")
        shapes = {below.shape, above.shape, (len(genuine), len(thresholds)), (len(impostor), len(thresholds))}
        if len(shapes) > 1:
            raise TrialsError(f"counts are not of {groups} groups at {len(thresholds)} thresholds")
        if not genuine.sum() or not impostor.sum():
            raise TrialsError("an interval needs genuine and impostor trials")
        weights = draw_people(groups, replicates, seed)
        kept = (weights @ genuine > 0) & (weights @ impostor > 0)
        weights = weights[kept]
        method = BY_GROUP
        if acting_at_or_above is None or acting_trials is None:
            far = weights @ above / (weights @ impostor)[:, None]
        else:
            method = BY_GROUP_IN_BOTH_ROLES
            acting, trials = np.asarray(acting_at_or_above, np.float64), np.asarray(acting_trials, np.float64)
            if acting.shape != above.shape or trials.shape != impostor.shape:
                raise TrialsError(f"counts are not of {groups} groups at {len(thresholds)} thresholds")
            rate = above.sum(axis=0) / impostor.sum()
            own = above + acting - np.outer(impostor + trials, rate)
            squares, chance = (own**2).sum(axis=0), impostor.sum() * rate * (1 - rate)
            share = np.divide(chance, squares, out=np.zeros_like(rate), where=squares > 1e-9)
            # κ without the √(G / (G − 1)) by which the interval widens all replicates.
            scale = (groups - 1) / max(groups - 2, 1) * np.sqrt(np.maximum(1 - share, 0.5))
            far = far_in_both_roles(rate, (weights - 1) @ own, scale / impostor.sum())
        return cls(
            method=method,
            confidence=confidence,
            grid=thresholds,
            far=far,
            frr=weights @ below / (weights @ genuine)[:, None],
            comparisons=comparisons,
            units=(max(int(np.count_nonzero(genuine)), 2), max(int(np.count_nonzero(impostor)), 2)),
            kept=kept,
            smooth=True,
        )

    def far(self, value: float, threshold: float) -> Rate:
        """Interval of the FAR `value` at the lowest threshold of the grid that is not below `threshold`."""
        return self._interval(value, self._grid_far[:, self._at(threshold)], (1,), floor=1)

    def frr(self, value: float, threshold: float) -> Rate:
        """Interval of the FRR `value` at the lowest threshold of the grid that is not below `threshold`."""
        return self._interval(value, self._grid_frr[:, self._at(threshold)], (0,), floor=0)

    def mean_over_people(self, per_person: FloatArray) -> Rate:
        """Raises TrialsError: counts by group do not tell of people."""
        raise TrialsError("counts by group of people have no rate by person")

    def _at(self, threshold: float) -> int:
        return min(int(np.searchsorted(self._grid, threshold, side="left")), self._grid.size - 1)
