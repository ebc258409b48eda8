"""Policies: read back as written, refused when they contradict themselves, and marked where evidence ends."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from encode.errors import BundleCorrupt, PolicyMismatch, TargetFarUnavailable
from encode.sample import Modality
from verify.policy import Policy
from verify.score_summary import summarize

MakePolicy = Callable[..., Policy]
DIGEST = "d" * 64


def row(far: float, threshold: float) -> dict[str, Any]:
    rate = {"value": 0.5, "low": 0.5, "high": 0.5}
    return {"target_far": far, "threshold": threshold, "achieved_far": rate, "frr": rate}


def test_a_policy_reads_back_as_written(make_policy: MakePolicy) -> None:
    policy = make_policy(DIGEST)
    again = Policy.from_json(policy.to_json())
    assert again == policy
    assert again.to_json() == policy.to_json()
    assert again.id == policy.id
    assert len(policy.id) == 16


def test_a_policy_carries_its_scores_along(make_policy: MakePolicy) -> None:
    generator = np.random.default_rng(0)
    scores = summarize(generator.normal(3, 2, 900), generator.normal(-3, 2, 5_000))
    policy = make_policy(DIGEST, scores=scores)
    again = Policy.from_json(policy.to_json())
    assert again == policy
    assert again.scores == scores
    assert policy.id != make_policy(DIGEST).id


def test_a_policy_from_before_there_were_scores_keeps_its_bytes_and_id(make_policy: MakePolicy) -> None:
    """Every key that such a policy holds, and none that it does not: its id is the digest of these bytes."""
    written = make_policy(DIGEST).to_json()
    assert list(json.loads(written)) == [
        "version",
        "modality",
        "model_digest",
        "created",
        "corpus",
        "impostor",
        "references",
        "trials",
        "interval",
        "table",
        "default_target_far",
    ]
    assert Policy.from_json(written).scores is None
    assert Policy.from_json(written).to_json() == written


def test_the_id_follows_the_content(make_policy: MakePolicy) -> None:
    assert make_policy(DIGEST, references=4).id != make_policy(DIGEST).id


def test_rows_are_found_by_target_far(make_policy: MakePolicy) -> None:
    policy = make_policy(DIGEST)
    assert policy.row_for(0.01).threshold == 0.0
    assert policy.row_for(0.1 * 0.1).threshold == 0.0  # 0.010000000000000002
    assert policy.row_for(None).target_far == policy.default_target_far == 0.001


@pytest.mark.parametrize("far", [0.05, 0.0100001, 1e-9, 0.5])
def test_a_target_far_not_in_the_table_is_refused_with_those_that_are(make_policy: MakePolicy, far: float) -> None:
    with pytest.raises(TargetFarUnavailable, match=r"0\.1, 0\.01, 0\.001") as caught:
        make_policy(DIGEST).row_for(far)
    assert caught.value.field == "target_far"


@pytest.mark.parametrize(
    ("far", "trials", "beyond"),
    [
        (0.1, 300, False),
        (0.1, 299, True),
        (0.01, 3_000, False),
        (0.01, 2_999, True),
        (0.001, 30_000, False),
        (0.001, 29_999, True),
        (1e-6, 30_000_000, False),
        (1e-6, 29_999_999, True),
    ],
)
def test_the_rule_of_30(make_policy: MakePolicy, far: float, trials: int, beyond: bool) -> None:
    policy = make_policy(
        DIGEST,
        trials={"genuine": 10, "impostor": trials},
        table=[row(far, 1.0)],
        default_target_far=far,
    )
    assert policy.beyond_evidence(policy.row_for(far)) is beyond


def test_another_models_policy_is_refused(make_policy: MakePolicy) -> None:
    policy = make_policy(DIGEST)
    policy.require_model(DIGEST, Modality.FACE)
    with pytest.raises(PolicyMismatch, match="dddddddddddd"):
        policy.require_model("e" * 64, Modality.FACE)
    with pytest.raises(PolicyMismatch, match="signature"):
        policy.require_model(DIGEST, Modality.SIGNATURE)


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "rows out of order": {"table": [row(0.001, 2.0), row(0.01, 0.0)]},
    "a row twice": {"table": [row(0.001, 2.0), row(0.001, 2.0)]},
    "a stricter rate with a lower threshold": {"table": [row(0.01, 2.0), row(0.001, 1.0)]},
    "no rows": {"table": []},
    "default not in the table": {"default_target_far": 0.02},
    "a value outside its interval": {
        "table": [{**row(0.001, 1.0), "frr": {"value": 0.5, "low": 0.6, "high": 0.7}}],
    },
    "a rate above one": {"table": [{**row(0.001, 1.0), "frr": {"value": 1.5, "low": 0.5, "high": 2.0}}]},
    "a threshold that is no number": {"table": [row(0.001, float("nan"))]},
    "no impostor trials": {"trials": {"genuine": 1, "impostor": 0}},
    "a digest that is none": {"model_digest": "x" * 64},
    "a time without a zone": {"created": "2025-03-01T00:00:00"},
    "another version": {"version": 2},
    "scores that do not add up": {
        "scores": {"genuine": {"count": 9, "extremes": [1.0]}, "impostor": {"count": 1, "extremes": [0.0]}}
    },
    "an unknown key": {"remark": "trust me"},
    "measured on test people": {"corpus": {"name": "x", "digest": DIGEST, "people": 9, "role": "test"}},
}


def test_policies_that_contradict_themselves_are_refused(make_policy: MakePolicy) -> None:
    sound = json.loads(make_policy(DIGEST).to_json())
    for name, change in CONTRADICTIONS.items():
        with pytest.raises(BundleCorrupt, match="does not parse") as caught:
            Policy.from_json(json.dumps({**sound, **change}).encode())
        assert caught.value.field == "policy.json", name


@pytest.mark.parametrize("data", [b"", b"not json", b"[]", b"{}", b"\xff"])
def test_what_is_no_policy_is_refused(data: bytes) -> None:
    with pytest.raises(BundleCorrupt):
        Policy.from_json(data)
