"""Closed-form intervals against their defining equations and published values."""

import pytest
from scipy.stats import binom

from encode.errors import TrialsError
from eval.resampling.intervals import clopper_pearson, rule_of_thirty, rule_of_three


@pytest.mark.parametrize(("errors", "trials"), [(1, 10), (3, 40), (20, 40), (39, 40), (7, 1000)])
def test_clopper_pearson_ends_leave_two_and_a_half_percent_each(errors: int, trials: int) -> None:
    rate = clopper_pearson(errors, trials)
    assert rate.value == errors / trials
    assert binom.sf(errors - 1, trials, rate.low) == pytest.approx(0.025, rel=1e-9)
    assert binom.cdf(errors, trials, rate.high) == pytest.approx(0.025, rel=1e-9)


def test_clopper_pearson_at_the_edges() -> None:
    assert clopper_pearson(0, 10).low == 0.0
    assert clopper_pearson(0, 10).high == pytest.approx(1 - 0.025**0.1)
    assert clopper_pearson(10, 10).low == pytest.approx(0.025**0.1)
    assert clopper_pearson(10, 10).high == 1.0
    assert clopper_pearson(1, 1).value == 1.0


@pytest.mark.parametrize(("errors", "trials"), [(0, 0), (-1, 5), (6, 5)])
def test_clopper_pearson_refuses_what_is_no_count(errors: int, trials: int) -> None:
    with pytest.raises(TrialsError, match="is no rate"):
        clopper_pearson(errors, trials)


@pytest.mark.parametrize("trials", [30, 400, 15_600])
def test_rule_of_three_is_about_three_over_n(trials: int) -> None:
    bound = rule_of_three(trials)
    assert binom.cdf(0, trials, bound) == pytest.approx(0.05, rel=1e-9)
    assert bound == pytest.approx(3 / trials, rel=0.06)


def test_rule_of_three_needs_trials() -> None:
    assert rule_of_three(1) == pytest.approx(0.95)
    with pytest.raises(TrialsError, match="no trials"):
        rule_of_three(0)


def test_thirty_errors_are_within_thirty_percent_nine_times_in_ten() -> None:
    """Doddington's own statement, by the binomial distribution."""
    trials = 3000
    rate = rule_of_thirty(trials)
    assert rate == pytest.approx(0.01)
    within = binom.cdf(39, trials, rate) - binom.cdf(20, trials, rate)
    assert within == pytest.approx(0.90, abs=0.02)


def test_rule_of_thirty_at_the_edges() -> None:
    assert rule_of_thirty(10) == 1.0
    with pytest.raises(TrialsError, match="no trials"):
        rule_of_thirty(0)
