"""Summaries of scores: exact where few or extreme, and never kinder than the scores themselves."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from verify.score_summary import EXTREMES, QUANTILES, Masses, PolicyScores, ScoreSummary, kept_ranks, summarize

COUNTS = st.integers(1, 1_500)
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Scores with ties and failures to acquire."""
    generator = np.random.default_rng(seed)
    scores = np.round(generator.normal(0, 2, count), int(generator.integers(1, 6)))
    scores[1:][generator.random(count - 1) < 0.05] = -np.inf
    return scores


def reaching(masses: Masses, threshold: float) -> float:
    return float(masses.counts[masses.values >= threshold].sum()) / masses.total


def thresholds(scores: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    finite = np.unique(scores[np.isfinite(scores)])
    return [*finite[:: max(1, len(finite) // 50)], finite[-1], np.nextafter(finite[-1], np.inf), finite[0] - 1]


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, count=COUNTS)
def test_no_rate_is_below_the_scores_own(seed: int, count: int) -> None:
    scores = drawn(seed, count)
    summary = summarize(scores, scores)
    up, down = summary.impostor.rounded_up(), summary.genuine.rounded_down()
    failures = int(np.isneginf(scores).sum())
    for masses in (up, down):
        assert masses.total == count
        assert masses.counts.sum() == count - failures
        assert (np.diff(masses.values) >= 0).all()
    for threshold in thresholds(scores):
        own = np.mean(scores >= threshold)
        assert reaching(up, threshold) >= own - 1e-12
        assert reaching(down, threshold) <= own + 1e-12


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, count=COUNTS)
def test_within_the_extremes_the_rates_are_the_scores_own(seed: int, count: int) -> None:
    scores = drawn(seed, count)
    summary = summarize(scores, scores)
    highest = sorted(scores[np.isfinite(scores)])[-EXTREMES:]
    lowest = sorted(scores[np.isfinite(scores)])[:EXTREMES]
    for threshold in highest[1::5]:
        if threshold > highest[0]:
            assert reaching(summary.impostor.rounded_up(), threshold) == np.mean(scores >= threshold)
    for threshold in lowest[::5]:
        assert reaching(summary.genuine.rounded_down(), threshold) == np.mean(scores >= threshold)


def test_few_scores_are_kept_one_by_one() -> None:
    scores = np.random.default_rng(1).normal(size=EXTREMES + QUANTILES)
    for masses in (summarize(scores, scores).impostor.rounded_up(), summarize(scores, scores).genuine.rounded_down()):
        np.testing.assert_array_equal(masses.values, np.sort(scores))
        assert (masses.counts == 1).all()


def test_many_scores_lose_less_than_a_cell() -> None:
    scores = np.random.default_rng(2).normal(size=100_000)
    up = summarize(scores, scores).impostor.rounded_up()
    assert len(up.values) == EXTREMES + QUANTILES
    for threshold in np.linspace(-3, 3, 200):
        assert 0 <= reaching(up, threshold) - np.mean(scores >= threshold) <= 1 / 256 + 1e-9


@pytest.mark.parametrize("others", [0, 1, 2, QUANTILES - 1, QUANTILES, QUANTILES + 1, 1_000_003, 10**10])
def test_the_kept_ranks_run_from_the_first_to_the_last(others: int) -> None:
    ranks = kept_ranks(others)
    assert len(ranks) == min(others, QUANTILES)
    assert (np.diff(ranks) >= 1).all()
    if others:
        assert (ranks[0], ranks[-1]) == (0, others - 1)


def test_all_but_one_a_failure() -> None:
    summary = summarize(np.array([-np.inf, 1.5, -np.inf]), np.array([0.5]))
    assert (summary.genuine.count, summary.genuine.failures, summary.genuine.extremes) == (3, 2, (1.5,))
    assert reaching(summary.genuine.rounded_down(), 1.5) == 1 / 3


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "extremes out of order": {"count": 2, "extremes": [2.0, 1.0]},
    "quantiles out of order": {"count": 3, "extremes": [3.0], "quantiles": [2.0, 1.0]},
    "a quantile too few": {"count": 3, "extremes": [3.0], "quantiles": [2.0]},
    "more scores than counted": {"count": 1, "extremes": [1.0, 2.0]},
    "more failures than scores": {"count": 1, "failures": 1, "extremes": [1.0]},
    "no score at all": {"count": 1, "failures": 1, "extremes": []},
    "a score that is no number": {"count": 1, "extremes": [float("nan")]},
    "an unknown key": {"count": 1, "extremes": [1.0], "person": "ada"},
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_summary_that_contradicts_itself_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        ScoreSummary.model_validate(CONTRADICTIONS[name])


def test_extremes_on_the_wrong_side_are_refused() -> None:
    low = ScoreSummary(count=2, extremes=(0.0,), quantiles=(1.0,))
    high = ScoreSummary(count=2, extremes=(1.0,), quantiles=(0.0,))
    assert PolicyScores(genuine=low, impostor=high)
    for genuine, impostor in ((high, high), (low, low)):
        with pytest.raises(ValidationError, match="extremes of the"):
            PolicyScores(genuine=genuine, impostor=impostor)
