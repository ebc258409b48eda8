"""Development scores → the policy that the service loads."""

from collections.abc import Callable

import numpy as np
import pytest

from encode.errors import TrialsError
from encode.sample import Modality
from eval.metrics import far_at, frr_at, threshold_at_far
from eval.policy_builder import build_policy
from eval.trials import ScoreTable, TrialKind
from verify.policy import Policy

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


def test_kinds_of_impostor_are_not_pooled(make_table: MakeTable) -> None:
    scores = table(make_table)
    random, skilled = (
        build_policy(scores, impostor=kind, replicates=50, **FACTS) for kind in (TrialKind.RANDOM, TrialKind.SKILLED)
    )
    assert skilled.impostor == "skilled"
    assert skilled.trials.impostor == 600
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
