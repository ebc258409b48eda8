"""Paired differences: signs, bounds, and how often chance alone is called a difference."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, ttest_rel

from eval.measures.metrics import auc, equal_error, frr_at, threshold_at_far
from eval.resampling.bootstrap import PersonBootstrap
from eval.trials import Trials
from eval.verdicts.paired import holm, paired_difference

MakeTrials = Callable[..., Trials]
SHARES = st.floats(0, 1)
P_VALUES = st.lists(SHARES, min_size=1, max_size=6)


def resampled_means(errors: np.ndarray, replicates: int, seed: int = 0) -> np.ndarray:
    people = len(errors)
    weights = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=replicates)
    return weights @ errors / people


def test_it_is_the_paired_t_test_where_every_person_has_one_number() -> None:
    """Resampling people gives the standard error of their mean difference, so p is that of the textbook's test."""
    generator = np.random.default_rng(1)
    first = generator.uniform(0, 0.4, 60)
    second = np.clip(first + generator.normal(0.02, 0.08, 60), 0, 1)
    replicates = resampled_means(first, 20_000), resampled_means(second, 20_000)
    found = paired_difference(first.mean(), second.mean(), replicates, people=60, comparisons=10_000)
    textbook = ttest_rel(second, first)
    assert found.value == pytest.approx(second.mean() - first.mean())
    assert found.p == pytest.approx(textbook.pvalue, abs=0.005)
    ends = textbook.confidence_interval()
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=5e-4)


@given(SHARES, SHARES, st.integers(2, 50), st.integers(1, 1000), st.integers(0, 99))
def test_exchanging_the_models_turns_the_sign_and_nothing_else(
    first: float, second: float, people: int, comparisons: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    replicates = generator.uniform(0, 1, 20), generator.uniform(0, 1, 20)
    there = paired_difference(first, second, replicates, people=people, comparisons=comparisons)
    back = paired_difference(second, first, replicates[::-1], people=people, comparisons=comparisons)
    assert (back.value, back.low, back.high, back.p) == (-there.value, -there.high, -there.low, there.p)
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert 0 <= there.p <= 1


@given(SHARES, st.integers(2, 50), st.integers(1, 1000))
def test_a_model_does_not_differ_from_itself(rate: float, people: int, comparisons: int) -> None:
    replicates = np.random.default_rng(0).uniform(0, 1, 20)
    found = paired_difference(rate, rate, (replicates, replicates), people=people, comparisons=comparisons)
    assert (found.value, found.p) == (0, 1)
    assert found.high == -found.low > 0


def test_the_interval_leaves_out_nothing_exactly_where_p_is_below_five_percent() -> None:
    first = np.random.default_rng(2).uniform(0.1, 0.2, 400)
    second = first + np.random.default_rng(3).normal(0, 0.01, 400)
    for shift in np.linspace(-0.04, 0.04, 41):
        found = paired_difference(0.2, 0.2 + shift, (first, second), people=30, comparisons=10_000)
        assert (found.low > 0 or found.high < 0) == (found.p < 0.05)


def test_where_every_person_tells_the_same_p_is_that_of_as_many_signs() -> None:
    found = paired_difference(0.0, 1.0, (np.zeros(100), np.ones(100)), people=8, comparisons=80)
    assert found.p == 2 / 2**8
    assert found.low > 0
    few = paired_difference(0.0, 1.0, (np.zeros(100), np.ones(100)), people=4, comparisons=80)
    assert (few.p, few.low) == (2 / 2**4, 0)


def measured(genuine: Trials, impostor: Trials) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """FRR at FAR 5 %, EER and AUC, with the replicates of each."""
    boot = PersonBootstrap(genuine, impostor, replicates=150, seed=0)
    frr = frr_at(genuine.scores, threshold_at_far(impostor.scores, 0.05))
    rates = np.array([frr, equal_error(genuine.scores, impostor.scores).rate, auc(genuine.scores, impostor.scores)])
    return rates, (boot.frr_replicates(0.05), boot.equal_error_replicates(), boot.auc_replicates())


@pytest.mark.parametrize(("better", "least", "most"), [(0.0, 0.01, 0.08), (1.5, 0.6, 1.0)])
def test_chance_alone_is_seldom_called_a_difference_and_a_true_one_mostly_is(
    make_trials: MakeTrials, better: float, least: float, most: float
) -> None:
    """Two models alike but for noise and `better`, 30 people who are easy or hard for both; p < 0.05 is about 5 %."""
    generator, people, found = np.random.default_rng(0), 30, []
    for _ in range(120 if better == 0 else 20):
        easy, alike = generator.normal(0, 0.7, (people, 1)), generator.normal(0, 0.7, (people, 1))
        models = []
        for gain in (0.0, better):
            own = generator.normal(0, 0.3, (people, 1))
            genuine = make_trials(2.0 + gain + easy + own + generator.normal(0, 1, (people, 4)))
            models.append(measured(genuine, make_trials(alike + generator.normal(0, 1, (people, 20)), 1000)))
        (rates, replicates), (other_rates, other_replicates) = models
        found += [
            paired_difference(*values, pair, people=people, comparisons=people * 4).p
            for values, pair in zip(
                zip(rates, other_rates, strict=True), zip(replicates, other_replicates, strict=True), strict=True
            )
        ]
    assert least <= np.mean(np.array(found) < 0.05) <= most


@given(P_VALUES)
def test_adjusted_p_values_rise_but_keep_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert min(adjusted) == min(1.0, len(p_values) * min(p_values))
    # Never less strict than the false discovery rate, which controls less.
    assert (np.array(adjusted) >= false_discovery_control(p_values) - 1e-12).all()


def test_holms_own_steps() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.04]) == [0.04]
    assert holm([]) == []
