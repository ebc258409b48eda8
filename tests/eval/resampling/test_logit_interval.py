"""The ends that replicates make: against their formula, and what moves them."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import t as student_t

from eval.resampling.intervals import rule_of_three
from eval.resampling.logit_interval import logit_interval


def test_ends_are_t_standard_deviations_away_on_the_logit_scale() -> None:
    replicates = np.random.default_rng(0).beta(20, 80, 500)
    rate = logit_interval(0.2, replicates, people=12, comparisons=10**9)
    reach = student_t.ppf(0.975, 11) * np.sqrt(12 / 11) * np.std(logit(replicates))
    assert logit(0.2) - logit(rate.low) == pytest.approx(reach, rel=1e-6)
    assert logit(rate.high) - logit(0.2) == pytest.approx(reach, rel=1e-6)


def test_the_floor_is_over_as_many_trials_as_the_comparisons_are_worth() -> None:
    none = np.zeros(100)
    assert logit_interval(0.0, none, people=10, comparisons=400).high == pytest.approx(rule_of_three(400))
    assert logit_interval(0.0, none, people=10, comparisons=400, design=8).high == pytest.approx(rule_of_three(50))
    assert logit_interval(0.0, none, people=10, comparisons=5, design=50).high == pytest.approx(rule_of_three(1))
    assert logit_interval(1.0, none + 1, people=10, comparisons=400).low == pytest.approx(1 - rule_of_three(400))


def test_skewed_replicates_lengthen_the_end_they_reach_for() -> None:
    """More skewed than the logit takes off: the upper end alone moves out; mirrored, the lower one."""
    tail = np.random.default_rng(1).gamma(0.3, 1, 4000)
    replicates = 0.05 + 0.01 * tail / tail.std()
    plain = logit_interval(0.05, replicates, people=30, comparisons=10**6)
    longer = logit_interval(0.05, replicates, people=30, comparisons=10**6, skewed=True)
    assert longer.low == plain.low
    assert longer.high > plain.high
    mirrored = logit_interval(0.95, 1 - replicates, people=30, comparisons=10**6, skewed=True)
    assert mirrored.low == pytest.approx(1 - longer.high)
    assert mirrored.high == pytest.approx(1 - longer.low)


def test_gamma_replicates_get_halls_shift_less_what_the_logit_takes() -> None:
    """A gamma rate of deviation sd has skewness 2 sd: 2 sd (2z² + 1) / 6 − z² sd / 2 = 0.97 sd for z = 1.96."""
    replicates = np.random.default_rng(2).gamma(50, 1, 200_000) / 50 * 0.001
    plain = logit_interval(0.001, replicates, people=1000, comparisons=10**9)
    longer = logit_interval(0.001, replicates, people=1000, comparisons=10**9, skewed=True)
    sd = np.std(logit(replicates))
    assert logit(longer.high) - logit(plain.high) == pytest.approx(0.97 * sd * sd, abs=0.05 * sd)
    assert longer.low == plain.low
