"""Scores → the block of results.json for one kind of impostor."""

from collections.abc import Callable

import numpy as np
import pytest

from encode.errors import TrialsError
from eval.bootstrap import PersonBootstrap
from eval.metrics import equal_error
from eval.rates import REPORTED_FARS, equal_error_by_person, measure
from eval.trials import Trials

MakeTrials = Callable[..., Trials]


def block_of(genuine: Trials, impostor: Trials) -> object:
    return measure(genuine, impostor, PersonBootstrap(genuine, impostor, replicates=50))


def test_the_block_counts_what_it_rests_on(make_trials: MakeTrials) -> None:
    genuine = make_trials(np.array([[1.0, -np.inf], [2.0, 3.0], [4.0, 5.0]]))
    impostor = make_trials(np.array([[0.0] * 3, [0.0, -np.inf, -np.inf], [0.0] * 3]), first_probe=6)
    trials = block_of(genuine, impostor).trials
    assert (trials.genuine, trials.impostor, trials.people) == (6, 9, 3)
    assert (trials.genuine_probes, trials.impostor_probes) == (6, 9)
    assert (trials.genuine_failures, trials.impostor_failures) == (1, 2)


def test_rows_are_the_five_false_accept_rates_and_never_exceed_them(make_trials: MakeTrials) -> None:
    generator = np.random.default_rng(0)
    block = block_of(make_trials(generator.normal(2, 1, (10, 5))), make_trials(generator.normal(0, 1, (10, 50)), 50))
    assert tuple(row.far for row in block.frr_at_far) == REPORTED_FARS == (0.1, 0.075, 0.05, 0.01, 0.001)
    assert all(row.achieved_far.value <= row.far for row in block.frr_at_far)
    assert [row.frr.value for row in block.frr_at_far] == sorted(row.frr.value for row in block.frr_at_far)
    assert {row.threshold_chosen for row in block.frr_at_far} == {"a posteriori"}


def test_the_rule_of_30_counts_distinct_comparisons(make_trials: MakeTrials) -> None:
    """10 people x 60 impostors: 600 comparisons show 5 % (30 errors), not 1 % (6)."""
    genuine, impostor = make_trials(np.ones((10, 2))), make_trials(np.zeros((10, 60)), 20)
    drawn = Trials(*(np.tile(column, 9) for column in (impostor.scores, impostor.claim, impostor.draw, impostor.probe)))
    for trials in (impostor, drawn):
        flags = {row.far: row.beyond_evidence for row in block_of(genuine, trials).frr_at_far}
        assert flags == {0.1: False, 0.075: False, 0.05: False, 0.01: True, 0.001: True}


def test_each_person_has_an_equal_error_rate_of_their_own(make_trials: MakeTrials) -> None:
    genuine = np.array([[1.0, 2.0, 3.0], [11.0, 12.0, 13.0], [1.0, -1.0, 0.0]])
    impostor = np.array([[0.0, -1.0, -2.0], [10.0, 9.0, 8.0], [2.0, 3.0, -3.0]])
    rates = equal_error_by_person(make_trials(genuine), make_trials(impostor))
    assert rates.tolist() == [equal_error(g, i).rate for g, i in zip(genuine, impostor, strict=True)]
    assert rates[0] == rates[1] == 0.0
    block = block_of(make_trials(genuine), make_trials(impostor))
    assert block.eer_per_person.value == pytest.approx(rates.mean())
    assert block.eer_per_person.value < block.eer.value


def test_every_enrolment_has_a_threshold_of_its_own(make_trials: MakeTrials) -> None:
    """Scores of the second draw are all 10 higher: one threshold for both draws would err, two do not."""
    first, second = np.array([[3.0, 4.0]]), np.array([[13.0, 14.0]])
    drawn = []
    for low, high in ((first, second), (first - 2.5, second - 2.5)):
        trials = [make_trials(low), make_trials(high)]
        columns = [np.concatenate([getattr(one, name) for one in trials]) for name in ("scores", "claim", "probe")]
        draw = np.repeat(np.array([0, 1], np.int32), [len(one) for one in trials])
        drawn.append(Trials(columns[0], columns[1], draw, columns[2]))
    genuine, impostor = drawn
    assert equal_error_by_person(genuine, impostor).tolist() == [0.0]
    assert equal_error(genuine.scores, impostor.scores).rate > 0.0


def test_a_person_without_a_curve_is_left_out_of_the_mean(make_trials: MakeTrials) -> None:
    genuine = make_trials(np.array([[1.0, 2.0], [-np.inf, -np.inf], [1.0, 3.0]]))
    rates = equal_error_by_person(genuine, make_trials(np.zeros((2, 4)), 6))
    assert rates[0] == 0.0
    assert np.isnan(rates[1:]).all()


def test_no_trials_of_one_side_is_an_error(make_trials: MakeTrials) -> None:
    genuine, none = make_trials(np.ones((3, 2))), make_trials(np.ones((0, 0)))
    with pytest.raises(TrialsError, match="no impostor trials"):
        measure(genuine, none, PersonBootstrap(genuine, genuine, replicates=10))
