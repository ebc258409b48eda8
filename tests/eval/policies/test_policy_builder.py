"""Development scores → the policy that the service loads."""

from collections.abc import Callable

import numpy as np
import pytest

from encode.errors import TrialsError
from encode.sample import Modality
from eval.measures.metrics import far_at, frr_at, threshold_at_far
from eval.policies.policy_builder import build_policy
from eval.trials import ScoreTable, TrialKind
from verify.fused_policy import fuse
from verify.policy import Policy
from verify.score_summary import summarize

MakeTable = Callable[..., ScoreTable]
FACTS = {"modality": Modality.FACE, "corpus_name": "development", "corpus_digest": "1" * 64, "references": 5}


def table(make_table: MakeTable, people: int = 20, impostors: int = 100) -> ScoreTable:
    generator = np.random.default_rng(0)
    return make_table(
        genuine=generator.normal(3, 1, (people, 5)),
        random=generator.normal(0, 1, (people, impostors)),
        skilled=generator.normal(1, 1, (people, 30)),
    )


def test_every_row_is_the_threshold_measured_on_these_scores(make_table: MakeTable) -> None:
    scores = table(make_table)
    policy = build_policy(scores, replicates=100, **FACTS)
    genuine, impostor = scores.of(TrialKind.GENUINE).scores, scores.of(TrialKind.RANDOM).scores
    assert policy.target_fars == (0.1, 0.05, 0.01, 0.001)  # 2,000 comparisons: not one expected at 0.0001
    for row in policy.table:
        assert row.threshold == threshold_at_far(impostor, row.target_far)
        assert row.achieved_far.value == far_at(impostor, row.threshold) <= row.target_far
        assert row.frr.value == frr_at(genuine, row.threshold)
    assert (policy.trials.genuine, policy.trials.impostor) == (100, 2000)
    assert [policy.beyond_evidence(row) for row in policy.table] == [False, False, True, True]
    assert (policy.model_digest, policy.corpus.people, policy.impostor) == (scores.model_digest, 20, "random")
    assert policy.default_target_far == 0.001


def test_the_policy_survives_its_file(make_table: MakeTable) -> None:
    policy = build_policy(table(make_table), replicates=50, **FACTS)
    assert Policy.from_json(policy.to_json()) == policy


def test_the_policy_sums_up_the_scores_it_was_made_of(make_table: MakeTable) -> None:
    scores = table(make_table)
    policy = build_policy(scores, replicates=50, **FACTS)
    assert policy.scores is not None
    genuine, impostor = policy.scores.genuine, policy.scores.impostor
    assert (genuine.count, impostor.count) == (100, 2_000)
    assert impostor.extremes == tuple(np.sort(scores.of(TrialKind.RANDOM).scores)[-100:].tolist())
    assert genuine.extremes == tuple(np.sort(scores.of(TrialKind.GENUINE).scores).tolist())


def test_fused_with_a_modality_that_says_nothing_the_thresholds_stay(make_table: MakeTable) -> None:
    """What the service computes from the summary is what was measured on the scores, where the summary is exact."""
    policy = build_policy(table(make_table), replicates=50, **FACTS)
    nothing = policy.model_copy(
        update={"modality": Modality.SIGNATURE, "scores": summarize(np.zeros(1), np.zeros(1))},
    )
    fused = fuse(policy, nothing)
    for far in (0.01, 0.001):  # 100 of 2,000 scores are kept one by one
        assert fused.row_for(far).threshold == policy.row_for(far).threshold
        assert fused.row_for(far).achieved_far.value == policy.row_for(far).achieved_far.value
        assert fused.row_for(far).frr.value == policy.row_for(far).frr.value
    assert fused.row_for(0.1).threshold == pytest.approx(policy.row_for(0.1).threshold, abs=0.05)


def test_kinds_of_impostor_are_not_pooled(make_table: MakeTable) -> None:
    scores = table(make_table)
    random, skilled = (
        build_policy(scores, impostor=kind, replicates=50, **FACTS) for kind in (TrialKind.RANDOM, TrialKind.SKILLED)
    )
    assert skilled.impostor == "skilled"
    assert skilled.trials.impostor == 600
    assert skilled.scores is not None
    assert skilled.scores.impostor.count == 600
    assert skilled.row_for(0.1).threshold > random.row_for(0.1).threshold


def test_few_people_get_a_default_that_their_trials_support(make_table: MakeTable) -> None:
    policy = build_policy(table(make_table, people=4, impostors=30), replicates=50, **FACTS)
    assert policy.target_fars == (0.1, 0.05, 0.01)
    assert policy.default_target_far == 0.01


def test_no_policy_without_impostors(make_table: MakeTable) -> None:
    scores = make_table(genuine=np.ones((3, 3)), random=np.zeros((3, 3)))
    with pytest.raises(TrialsError, match="0 distinct skilled impostor comparisons"):
        build_policy(scores, impostor=TrialKind.SKILLED, **FACTS)
    with pytest.raises(TrialsError, match="no impostors"):
        build_policy(scores, impostor=TrialKind.GENUINE, **FACTS)
