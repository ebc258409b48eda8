"""What stands above the summary."""

from typing import Any

import pytest

from eval.page.cautions import warnings
from eval.page.wording import percent


def said(results: Any, **changes: Any) -> str:
    block = results.random.model_copy(update=changes)
    return "\n".join(warnings(results.model_copy(update={"random": block, "skilled": None})))


def test_samples_and_people_that_failed_are_named(full: Any) -> None:
    text = said(full.results)
    assert "used in the model's development" in text
    assert "3 of 7,777 samples could not be acquired" in text
    assert "1 of 25 people failed to enroll" in text
    assert "a posteriori" not in text


def test_thresholds_chosen_after_the_fact_alone_are_optimistic(full: Any) -> None:
    assert "optimistic as a promise" in said(full.results, at_development=(), at_policy=())
    assert "optimistic" not in said(full.results, at_development=())


def test_thin_evidence_is_named(full: Any) -> None:
    rows = tuple(row.model_copy(update={"beyond_evidence": True}) for row in full.results.random.frr_at_far)
    assert "Zero-effort impostors: 4,800 distinct comparisons are too few" in said(full.results, frr_at_far=rows)
    points = tuple(row.model_copy(update={"beyond_evidence": True}) for row in full.results.random.at_development)
    assert "development people are too few" in said(full.results, at_development=points)
    assert "too few" not in said(full.results)


@pytest.mark.parametrize(
    ("ratio", "thin", "expected"), [(2.5, False, True), (1.9, False, False), (2.5, True, False), (None, False, False)]
)
def test_groups_that_differ_beyond_doubt_are_named(full: Any, ratio: float | None, thin: bool, expected: bool) -> None:
    column = full.results.random.groups[0].model_copy(
        update={"frr_ratio": ratio, "far_ratio": None, "beyond_evidence": thin}
    )
    assert ("by age band, up to 2.5 times" in said(full.results, groups=(column,))) is expected


def test_a_policy_that_does_not_hold_is_named(full: Any) -> None:
    policy = full.results.bundle.policy.model_copy(update={"impostor": "random"})
    results = full.results.model_copy(update={"bundle": full.results.bundle.model_copy(update={"policy": policy})})
    row = results.random.at_policy[0].model_copy(update={"beyond_evidence": False})
    assert row.achieved_far.low > row.target_far
    assert f"lets {percent(row.achieved_far.value)} through" in said(results, at_policy=(row,))
    held = row.model_copy(update={"target_far": 0.2})
    for rows, facts in (((held,), results), ((row,), full.results)):  # as aimed at; of other impostors
        assert "does not hold" not in said(facts, at_policy=rows)
