"""Scores → the block of results.json for one kind of impostor."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from encode.errors import TrialsError
from eval.measures.calibration import cllr, min_cllr
from eval.measures.metrics import equal_error, fmr_at, fnmr_at
from eval.measures.rates import RARE_FARS, REPORTED_FARS, REPORTED_FRRS, equal_error_by_person, measure
from eval.measures.sorted_scores import SortedScores
from eval.resampling.bootstrap import PersonBootstrap, TrialBootstrap
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


def test_enrolments_of_one_genuine_probe_each_share_their_persons_threshold(make_trials: MakeTrials) -> None:
    """By enrolment, two of four impostors above the only genuine score would make an EER of 1/4, and 1/8 on average."""
    genuine, impostor = np.array([[1.0, 1.0, 3.0, 3.0]]), np.array([[2.0, 2.0, 0.0, 0.0] * 4])
    own, other = make_trials(genuine), make_trials(impostor, 4)
    left_out = replace(own, draw=np.arange(4, dtype=np.int32)), replace(other, draw=np.repeat(np.arange(4), 4))
    assert equal_error_by_person(*left_out).tolist() == [equal_error(genuine[0], impostor[0]).rate]
    assert equal_error(genuine[0], impostor[0]).rate == 0.5


def test_a_person_without_a_curve_is_left_out_of_the_mean(make_trials: MakeTrials) -> None:
    genuine = make_trials(np.array([[1.0, 2.0], [-np.inf, -np.inf], [1.0, 3.0]]))
    rates = equal_error_by_person(genuine, make_trials(np.zeros((2, 4)), 6))
    assert rates[0] == 0.0
    assert np.isnan(rates[1:]).all()


def test_no_trials_of_one_side_is_an_error(make_trials: MakeTrials) -> None:
    genuine, none = make_trials(np.ones((3, 2))), make_trials(np.ones((0, 0)))
    with pytest.raises(TrialsError, match="no impostor trials"):
        measure(genuine, none, PersonBootstrap(genuine, genuine, replicates=10))


def test_rare_false_accepts_have_rows_where_one_is_expected(make_trials: MakeTrials) -> None:
    """10 people x 1,000 impostors: 10,000 comparisons, so one false accept is expected at a FAR of 1e-4."""
    generator = np.random.default_rng(1)
    genuine = make_trials(generator.normal(2, 1, (10, 5)))
    for probes, last in ((1000, 1e-4), (990, 1e-3)):
        block = block_of(genuine, make_trials(generator.normal(0, 1, (10, probes)), 50))
        assert block.frr_at_far[-1].far == last


def test_far_at_a_fixed_frr_never_rejects_more(make_trials: MakeTrials) -> None:
    generator = np.random.default_rng(2)
    genuine, impostor = (
        make_trials(generator.normal(2, 1, (10, 40))),
        make_trials(generator.normal(0, 1, (10, 300)), 400),
    )
    bootstrap = PersonBootstrap(genuine, impostor, replicates=50)
    rows = measure(genuine, impostor, bootstrap).far_at_frr
    assert tuple(row.target_frr for row in rows) == REPORTED_FRRS == (0.1, 0.05, 0.01)
    for row in rows:
        assert row.frr.value <= row.target_frr
        assert row.frr.errors == np.count_nonzero(genuine.scores < row.threshold)
        assert row.achieved_far.errors == np.count_nonzero(impostor.scores >= row.threshold)
        assert np.count_nonzero(genuine.scores < np.nextafter(row.threshold, np.inf)) / len(genuine) > row.target_frr
        assert row.achieved_far.plain == bootstrap.far_at_frr(row.achieved_far.value, row.target_frr)
        assert row.frr.plain == bootstrap.frr(row.frr.value, row.threshold)
    assert [row.beyond_evidence for row in rows] == [False, True, True]  # 400 comparisons: 40, 20 and 4 errors


def test_an_frr_below_the_failures_to_acquire_has_no_row(make_trials: MakeTrials) -> None:
    scores = np.random.default_rng(3).normal(2, 1, (10, 10))
    scores[:7, 0] = -np.inf
    block = block_of(make_trials(scores), make_trials(np.zeros((10, 20)), 100))
    assert [row.target_frr for row in block.far_at_frr] == [0.1]
    assert block.far_at_frr[0].fnmr.value == pytest.approx(3 / 93)


def test_every_point_is_that_of_counting(make_trials: MakeTrials) -> None:
    generator = np.random.default_rng(4)
    g, i = generator.normal(1, 1, (12, 8)), generator.normal(0, 1, (12, 30))
    g[0, 0] = i[0, :3] = -np.inf
    block = block_of(make_trials(g), make_trials(i, 96))
    for row in (*block.frr_at_far, *block.far_at_frr):
        assert (row.frr.errors, row.frr.trials) == (np.count_nonzero(g < row.threshold), g.size)
        assert (row.achieved_far.errors, row.achieved_far.trials) == (np.count_nonzero(i >= row.threshold), i.size)
        assert row.fnmr.value == pytest.approx(fnmr_at(g.ravel(), row.threshold))
        assert row.fmr.value == pytest.approx(fmr_at(i.ravel(), row.threshold))


def test_the_block_says_how_far_apart_and_how_honest_the_scores_are(make_trials: MakeTrials) -> None:
    generator = np.random.default_rng(5)
    genuine, impostor = make_trials(generator.normal(1, 1, (10, 9))), make_trials(generator.normal(-1, 1, (10, 60)), 90)
    block, scores = block_of(genuine, impostor), SortedScores(genuine.scores, impostor.scores)
    assert block.d_prime == scores.d_prime()
    assert block.calibration.cllr == cllr(scores)
    assert block.calibration.min_cllr == min_cllr(scores)
    assert sum(one.genuine for one in block.calibration.bins) == len(genuine)


def test_anonymous_trials_are_measured_like_any_other() -> None:
    generator = np.random.default_rng(6)
    genuine, impostor = generator.normal(2, 1, 20_000), generator.normal(0, 1, 1_000_000)
    trials = Trials.anonymous(genuine), Trials.anonymous(impostor)
    block = measure(*trials, TrialBootstrap(*trials, replicates=50))
    assert (block.trials.people, block.eer_per_person) == (None, None)
    assert [row.far for row in block.frr_at_far] == [*REPORTED_FARS, *RARE_FARS]
    assert [row.achieved_far.errors for row in block.frr_at_far[-3:]] == [100, 10, 1]
    assert [row.beyond_evidence for row in block.frr_at_far[-3:]] == [False, True, True]
    assert block.eer.value == equal_error(genuine, impostor).rate


def test_one_draw_more_of_the_same_comparisons_narrows_no_reliability_bin(make_trials: MakeTrials) -> None:
    generator = np.random.default_rng(7)
    once = make_trials(generator.normal(1, 2, (10, 9))), make_trials(generator.normal(-1, 2, (10, 60)), 90)
    twice = [Trials(*(np.tile(column, 2) for column in (one.scores, one.claim, one.draw, one.probe))) for one in once]
    for one, other in zip(block_of(*once).calibration.bins, block_of(*twice).calibration.bins, strict=True):
        assert other.found.model_dump() == pytest.approx(one.found.model_dump())
