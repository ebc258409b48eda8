"""The FAR under resampling of people: as claimed only, or as claimed and as impostors at once."""

import numpy as np
from numpy.typing import NDArray

from eval.resampling.dyads import DyadicSpread

FloatArray = NDArray[np.float64]
Indices = NDArray[np.int64]


def draw_people(people: int, replicates: int, seed: int, *stream: int) -> FloatArray:
    """float64 (B, P), times that each of `people` is drawn when as many are drawn with replacement, B times.

    Follows from the arguments alone, so that two models on the same people are resampled alike.
    """
    if not people:
        return np.empty((replicates, 0))
    generator = np.random.default_rng([seed, people, *stream])
    return generator.multinomial(people, np.full(people, 1 / people), size=replicates).astype(np.float64)


def far_in_both_roles(rate: FloatArray, residual: FloatArray, scale: FloatArray | float) -> FloatArray:
    """FAR + scale · residual, float64 (B, T), within [0, 1] and never rising.

    rate, scale : float64 (T,), the FAR on all trials, and by how much to stretch.
    residual : float64 (B, T), Σ_p (w_p − 1)(e_p − FAR n_p) / N over people's trials of both roles.
    """
    return np.minimum.accumulate(np.clip(rate + scale * residual, 0.0, 1.0), axis=1)


class PersonCounts:
    """Scores at or above thresholds, counted by person and weighted.

    Parameters
    ----------
    scores : float64 (M,).
    person : int64 (M,), in [0, people).
    """

    def __init__(self, scores: FloatArray, person: Indices, people: int) -> None:
        self._scores, self._person = scores, person
        self.trials: FloatArray = np.bincount(person, minlength=people).astype(np.float64)

    def at_or_above(self, weights: FloatArray, thresholds: FloatArray) -> FloatArray:
        """float64 (B, T), Σ_p w_p #{scores of p >= t}, for weights (B, P) and ascending thresholds (T,)."""
        cell = np.searchsorted(thresholds, self._scores, side="right") - 1
        inside = np.flatnonzero(cell >= 0)
        people, size = len(self.trials), len(thresholds)
        flat = self._person[inside] * size + cell[inside]
        within = np.bincount(flat, minlength=people * size).reshape(people, size)
        return weights @ np.cumsum(within[:, ::-1], axis=1, dtype=np.float64)[:, ::-1]


class AsClaimed:
    """FAR with claimed people drawn and the impostors held fixed.

    Parameters
    ----------
    scores, claim : float64 and int64 (M,), of the impostor trials.
    weights : float64 (B, P), times that each claimed person was drawn.
    """

    def __init__(self, scores: FloatArray, claim: Indices, weights: FloatArray) -> None:
        self._counts = PersonCounts(scores, claim, weights.shape[1])
        self._weights = weights
        self.kept: NDArray[np.bool_] = weights @ self._counts.trials > 0
        self.units = max(int(np.count_nonzero(self._counts.trials)), 2)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget the other resamples; `rows` bool (B,)."""
        self._weights = self._weights[rows]

    def far(self, thresholds: FloatArray) -> FloatArray:
        """float64 (B, T) at ascending thresholds (T,)."""
        errors = self._counts.at_or_above(self._weights, thresholds)
        return errors / (self._weights @ self._counts.trials)[:, None]


class InBothRoles:
    """FAR with people drawn together with their trials as claimed and as impostor.

    Parameters
    ----------
    scores, claim, source : float64, int64, int64 (M,); people in one numbering, `source` -1 where unknown.
    weights : float64 (B, U), times that each unit was drawn.
    unit : int64 (P,), the unit that each person is drawn with: their own, or one shared by many people.
    """

    def __init__(self, scores: FloatArray, claim: Indices, source: Indices, weights: FloatArray, unit: Indices) -> None:
        known = source >= 0
        self._counts = PersonCounts(
            np.concatenate([scores, scores[known]]), unit[np.concatenate([claim, source[known]])], weights.shape[1]
        )
        self._beyond = weights - 1.0
        self._sorted = np.sort(scores)
        self._spread = DyadicSpread(scores, claim, source)
        self.kept: NDArray[np.bool_] = np.ones(len(weights), np.bool_)
        self.units = max(min(self._spread.claimed, self._spread.sources), 2)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget the other resamples; `rows` bool (B,)."""
        self._beyond = self._beyond[rows]

    def far(self, thresholds: FloatArray) -> FloatArray:
        """float64 (B, T) at ascending thresholds (T,)."""
        trials = len(self._sorted)
        rate = (trials - np.searchsorted(self._sorted, thresholds, side="left")) / trials
        residual = self._counts.at_or_above(self._beyond, thresholds)
        residual -= np.outer(self._beyond @ self._counts.trials, rate)
        # The interval widens all replicates by √(P / (P − 1)); what the ratio holds of that is taken out again.
        scale = self._spread.ratio(thresholds) * np.sqrt((self.units - 1) / self.units)
        return far_in_both_roles(rate, residual, scale / trials)
