"""Thresholds of each person's own."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.measures.metrics import equal_error, far_at, frr_at, threshold_at_far
from eval.measures.person_thresholds import SHARES, person_thresholds
from eval.trials import Trials

MakeTrials = Callable[..., Trials]


def test_people_shifted_apart_gain_by_thresholds_of_their_own(make_trials: MakeTrials) -> None:
    generator = np.random.default_rng(0)
    shift = np.linspace(-5, 5, 11)[:, None]
    genuine = make_trials(generator.normal(4, 1, (11, 50)) + shift)
    impostor = make_trials(generator.normal(0, 1, (11, 200)) + shift, first_probe=550)
    found = person_thresholds(genuine, impostor, replicates=200)
    assert found is not None
    assert found.people == 11
    assert found.threshold == threshold_at_far(impostor.scores, 0.01)
    assert found.far_own.value <= found.far == 0.01
    assert found.frr_own.value < 0.2 < found.frr_common.value
    assert [quantile.share for quantile in found.quantiles] == list(SHARES)
    at_far, at_eer = ([getattr(q, name) for q in found.quantiles] for name in ("at_far", "at_eer"))
    assert at_far == sorted(at_far)
    assert at_eer == sorted(at_eer)
    assert at_eer[-1] - at_eer[0] == pytest.approx(9, abs=1)  # 90 % of eleven shifts, ten wide


def test_every_number_is_that_of_a_loop_over_people(make_trials: MakeTrials) -> None:
    generator = np.random.default_rng(1)
    own, others = generator.normal(2, 1, (5, 20)), generator.normal(0, 1, (5, 100))
    genuine, impostor = make_trials(own), make_trials(others, 100)
    found = person_thresholds(genuine, impostor, far=0.05, replicates=100)
    assert found is not None
    thresholds = [threshold_at_far(line, 0.05) for line in others]
    pairs = list(zip(own, others, thresholds, strict=True))
    assert found.frr_own.value == pytest.approx(np.mean([frr_at(g, t) for g, _, t in pairs]))
    assert found.far_own.value == pytest.approx(np.mean([far_at(i, t) for _, i, t in pairs]))
    assert found.frr_common.value == pytest.approx(frr_at(own.ravel(), found.threshold))
    assert found.far_common.value == pytest.approx(far_at(others.ravel(), found.threshold))
    median = found.quantiles[SHARES.index(0.5)]
    assert median.at_far == pytest.approx(np.median(thresholds) - found.threshold)
    eers = [equal_error(g, i).threshold for g, i, _ in pairs]
    assert median.at_eer == pytest.approx(np.median(eers) - equal_error(own.ravel(), others.ravel()).threshold)


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-50, 50), scale=st.floats(0.1, 10))
def test_shifting_all_scores_changes_nothing_and_scaling_scales_the_offsets(shift: float, scale: float) -> None:
    generator = np.random.default_rng(2)
    claim = np.repeat(np.arange(4, dtype=np.int32), 30)
    genuine, impostor = generator.normal(2, 1, 120).round(3), generator.normal(0, 1, 120).round(3)

    def measured(factor: float, offset: float) -> object:
        both = (
            Trials(scores * factor + offset, claim, np.zeros_like(claim), np.arange(120, dtype=np.int32))
            for scores in (genuine, impostor)
        )
        return person_thresholds(*both, far=0.1, replicates=50)

    plain, moved = measured(1.0, 0.0), measured(scale, shift)
    assert moved.frr_own == plain.frr_own
    assert moved.frr_common == plain.frr_common
    for before, after in zip(plain.quantiles, moved.quantiles, strict=True):
        assert after.at_far == pytest.approx(before.at_far * scale, abs=1e-9)
        assert after.at_eer == pytest.approx(before.at_eer * scale, abs=1e-9)


def test_people_whose_impostors_cannot_show_the_rate_are_left_out(make_trials: MakeTrials) -> None:
    genuine = make_trials(np.ones((4, 3)))
    impostor = make_trials(np.zeros((4, 99)), 12)
    assert person_thresholds(genuine, impostor) is None
    enough = make_trials(np.zeros((4, 100)), 12)
    found = person_thresholds(genuine, enough, replicates=50)
    assert found is not None
    assert found.people == 4


def test_people_of_whom_everything_failed_are_left_out(make_trials: MakeTrials) -> None:
    own, others = np.ones((4, 3)), np.zeros((4, 100))
    own[0], others[1] = -np.inf, -np.inf
    found = person_thresholds(make_trials(own), make_trials(others, 12), replicates=50)
    assert found is not None
    assert found.people == 2


def test_nameless_trials_have_no_people() -> None:
    trials = Trials.anonymous(np.arange(200.0))
    assert person_thresholds(trials, trials) is None
