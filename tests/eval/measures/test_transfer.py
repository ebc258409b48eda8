"""Thresholds of development people on test people: against doing it by hand, and never with a test score's say."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus
from eval.measures.metrics import far_at, frr_at, threshold_at_far
from eval.measures.transfer import transfer, transferred_points
from eval.plans.parts import parts_of, within
from eval.plans.protocol import Protocol
from eval.plans.splits import split_by_folds, split_by_share
from eval.resampling.bootstrap import bootstrap
from eval.scoring import score_corpus
from eval.trials import ScoreTable, TrialKind, Trials
from verify.verifier import Verifier

MakeCorpus, MakeVerifier, MakeTrials = Callable[..., Corpus], Callable[..., Verifier], Callable[..., Trials]
RANDOM, SKILLED = TrialKind.RANDOM, TrialKind.SKILLED


@pytest.fixture
def table(make_corpus: MakeCorpus, make_verifier: MakeVerifier) -> ScoreTable:
    corpus = make_corpus(people=14, samples=6, forgeries=3, unreadable=["p002/g03", "p009/f01"])
    return score_corpus(corpus, make_verifier(), Modality.FACE, Protocol(references=3, draws=2), quiet=True).table


def by_hand(table: ScoreTable, kind: TrialKind, claimed: set[str], made: set[str]) -> list[float]:
    """Scores of a kind whose claimed person is among `claimed` and, unless a forger, whose maker is among `made`."""
    found = []
    for row in range(len(table)):
        of_kind = list(TrialKind)[table.kind[row]] is kind
        source = int(table.source[row])
        if of_kind and table.people[table.claim[row]] in claimed and (source < 0 or table.people[source] in made):
            found.append(float(table.scores[row]))
    return found


@pytest.mark.parametrize("kind", [RANDOM, SKILLED])
def test_one_split_equals_doing_it_by_hand(table: ScoreTable, kind: TrialKind) -> None:
    split = split_by_share(table.people, 0.5, seed=1)
    sides = {
        side: {person for person, label in zip(table.people, split.labels, strict=True) if label == side}
        for side in ("development", "test")
    }
    points = transfer(replace(table, splits=split.labels), kind, (0.2, 0.05), replicates=50)
    for point, target in zip(points, (0.2, 0.05), strict=True):
        development = np.array(by_hand(table, kind, sides["development"], sides["development"]))
        genuine = np.array(by_hand(table, TrialKind.GENUINE, sides["test"], sides["test"]))
        impostor = np.array(by_hand(table, kind, sides["test"], sides["test"]))
        threshold = threshold_at_far(development, target)
        assert point.target_far == target
        assert point.thresholds == (threshold,)
        assert (point.frr.value, point.frr.trials) == (frr_at(genuine, threshold), len(genuine))
        assert (point.achieved_far.value, point.achieved_far.trials) == (far_at(impostor, threshold), len(impostor))
        assert point.achieved_far.errors == np.count_nonzero(impostor >= threshold)
        assert point.threshold_chosen == "on development people"


@pytest.mark.parametrize("kind", [RANDOM, SKILLED])
def test_folds_sum_the_errors_at_thresholds_of_all_other_folds(table: ScoreTable, kind: TrialKind) -> None:
    split = split_by_folds(table.people, 4, seed=2)
    (point,) = transfer(table, kind, (0.1,), labels=split.labels, replicates=50)
    thresholds, false_accepts, impostors, false_rejects, genuines = [], 0, 0, 0, 0
    for fold in ("fold 1", "fold 2", "fold 3", "fold 4"):
        test = {person for person, label in zip(table.people, split.labels, strict=True) if label == fold}
        others = set(table.people) - test
        thresholds.append(threshold_at_far(np.array(by_hand(table, kind, others, others)), 0.1))
        impostor, genuine = by_hand(table, kind, test, test), by_hand(table, TrialKind.GENUINE, test, test)
        false_accepts += sum(score >= thresholds[-1] for score in impostor)
        false_rejects += sum(score < thresholds[-1] for score in genuine)
        impostors, genuines = impostors + len(impostor), genuines + len(genuine)
    assert point.thresholds == tuple(thresholds)
    assert (point.achieved_far.errors, point.achieved_far.trials) == (false_accepts, impostors)
    assert (point.frr.errors, point.frr.trials) == (false_rejects, genuines)
    assert genuines == len(table.of(TrialKind.GENUINE))
    assert point.frr.low < point.frr.value < point.frr.high


def test_no_score_of_a_test_person_moves_a_threshold(table: ScoreTable) -> None:
    split = split_by_share(table.people, 0.5, seed=1)
    (part,) = parts_of(split.labels)
    (before,) = transfer(table, RANDOM, (0.1,), labels=split.labels, replicates=20)
    touched = part.test[table.claim] | ((table.source >= 0) & part.test[table.source])
    moved = replace(table, scores=np.where(touched, table.scores + 3.0, table.scores))
    (after,) = transfer(moved, RANDOM, (0.1,), labels=split.labels, replicates=20)
    assert after.thresholds == before.thresholds
    assert after.achieved_far.value > before.achieved_far.value


def test_two_sets_of_trials_are_one_split(table: ScoreTable) -> None:
    labels = split_by_share(table.people, 0.5, seed=1).labels
    (part,) = parts_of(labels)
    sides = [
        tuple(within(table.of(kind), people) for kind in (TrialKind.GENUINE, RANDOM))
        for people in (part.development, part.test)
    ]
    assert transferred_points(*sides, (0.1, 0.02), replicates=30) == transfer(
        table, RANDOM, (0.1, 0.02), labels=labels, replicates=30
    )


def test_scores_of_nobody_known_set_and_meet_thresholds_too() -> None:
    generator = np.random.default_rng(0)
    development, test = (
        tuple(Trials.anonymous(np.round(generator.normal(mean, 1, number), 2)) for mean, number in ((3, 80), (0, 500)))
        for _ in range(2)
    )
    (point,) = transferred_points(development, test, (0.05,), replicates=50)
    (threshold,) = point.thresholds
    assert threshold == threshold_at_far(development[1].scores, 0.05)
    assert point.achieved_far.value == far_at(test[1].scores, threshold)
    assert point.frr.value == frr_at(test[0].scores, threshold)
    assert (point.development_impostor, point.beyond_evidence) == (500, True)


def test_intervals_are_those_of_the_trials_at_that_threshold(make_trials: MakeTrials) -> None:
    """With one split the shift changes nothing: the same resamples as at the threshold itself."""
    generator = np.random.default_rng(3)
    genuine, impostor = (make_trials(generator.normal(mean, 1, (20, 15))) for mean in (2.0, 0.0))
    (point,) = transferred_points((genuine, impostor), (genuine, impostor), (0.1,), replicates=200, seed=4)
    plain = bootstrap(genuine, impostor, replicates=200, seed=4)
    (threshold,) = point.thresholds
    assert point.achieved_far.plain == plain.far(point.achieved_far.value, threshold)
    assert point.frr.plain == plain.frr(point.frr.value, threshold)


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_a_shifted_score_decides_as_the_score_does(score: float, threshold: float) -> None:
    assert (np.float64(score) - threshold >= 0.0) == (score >= threshold)


def test_evidence_is_of_the_fold_with_the_fewest_distinct_comparisons(table: ScoreTable) -> None:
    labels = split_by_folds(table.people, 3, seed=0).labels
    fewest = min(within(table.of(RANDOM), part.development).comparisons for part in parts_of(labels))
    enough, lacking = transfer(table, RANDOM, (30 / fewest, 29 / fewest), labels=labels, replicates=20)
    assert enough.development_impostor == lacking.development_impostor == fewest
    assert (enough.beyond_evidence, lacking.beyond_evidence) == (False, True)


def test_people_who_cannot_be_kept_apart_are_refused(table: ScoreTable) -> None:
    with pytest.raises(TrialsError, match="not split into development and test"):
        transfer(table, RANDOM, (0.1,))
    labels = split_by_share(table.people, 0.5, seed=1).labels
    with pytest.raises(TrialsError, match="do not tell who made each probe"):
        transfer(replace(table, source=None), RANDOM, (0.1,), labels=labels)
    unknown = np.full(len(table), -1, np.int32)
    with pytest.raises(TrialsError, match="do not tell who is claimed"):
        transfer(replace(table, claim=unknown, probe=unknown), RANDOM, (0.1,), labels=labels)
    assert transfer(replace(table, source=None), SKILLED, (0.1,), labels=labels, replicates=20)


def test_a_side_without_trials_is_refused(table: ScoreTable) -> None:
    labels = ["development"] * 7 + ["test"] * 7
    forged = table.of(SKILLED)
    for side, people in (("development impostor", table.claim < 7), ("impostor test", table.claim >= 7)):
        kept = ~((table.kind == 2) & people)
        columns = {name: getattr(table, name)[kept] for name in ("kind", "scores", "claim", "draw", "probe", "source")}
        with pytest.raises(TrialsError, match=f"a split leaves no {side} trials"):
            transfer(replace(table, **columns), SKILLED, (0.1,), labels=labels)
    assert len(forged) > 0
