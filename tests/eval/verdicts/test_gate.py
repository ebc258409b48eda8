"""The gate: which number a path means, who passes, and what the log of a build says."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from encode.errors import FieldInvalid
from eval.results.results import Results
from eval.verdicts.gate import Verdict, judge
from eval.verdicts.requirement import parse_requirement

Document = dict[str, Any]
Verdicts = Callable[..., Verdict]


def rate(value: float, low: float, high: float) -> Document:
    return {"value": value, "low": low, "high": high}


@pytest.fixture
def verdict(measured: Document) -> Verdicts:
    """``verdict(requirement, **acceptance)`` on the measured document, or on another as `document`."""
    return lambda requirement, document=measured, **accepted: judge(
        document, parse_requirement(requirement), **accepted
    )


def test_the_document_of_these_tests_is_one_of_ours(measured: Document) -> None:
    Results.model_validate_json(json.dumps(measured))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("random.eer", 0.0185),
        ("random.eer.value", 0.0185),
        ("random.eer.low", 0.0092),
        ("random.eer.high", 0.0358),
        ("random.d_prime", 4.2),
        ("random.auc", 0.998),
        ("random.frr_at_far[0.01]", 0.0185),
        ("random.frr_at_far[1%]", 0.0185),
        ("random.frr_at_far[1e-2].frr.value", 0.0185),
        ("random.frr_at_far[0.01].frr.high", 0.037),
        ("random.frr_at_far[0.01].achieved_far", 0.009),
        ("random.frr_at_far[0.01].frr.clopper_pearson[1]", 0.037),
        ("random.frr_at_far[0.01].threshold", 1.25),
        ("random.far_at_frr[0.05]", 0.009),
        ("random.at_development[0.01].frr", 0.02),
        ("random.at_development[0.01].thresholds[1]", 1.5),
        ("random.at_policy[0.001].achieved_far", 0.009),
        ("random.calibration.cllr", 0.25),
        ("random.calibration.bins[0].found.high", 0.6),
        ("random.groups[group_sex].frr_ratio", 1.5),
        ("random.groups[group_sex].rows[m].frr", 0.03),
        ("random.trials.people", 40),
        ("identification.cmc[1]", 0.96),
        ("identification.cmc[5].rate.low", 0.95),
        ("identification.open_set[0.01]", 0.1),
        ("embedding.map_at_r", 0.8),
        ("failures.to_acquire", 0.0025),
        ("failures.by_reason.IMAGE_CORRUPT", 1),
    ],
)
def test_every_path_means_one_number(verdict: Verdicts, path: str, value: float) -> None:
    found = verdict(f"{path} <= {value!r}", accept_thin_evidence=True)
    assert found.value == value
    assert found.met
    assert not verdict(f"{path} < {value!r}", accept_thin_evidence=True).met


@pytest.mark.parametrize(
    ("requirement", "sentence"),
    [
        (
            "random.frr_at_far[0.01] <= 0.02",
            "PASS random.frr_at_far[0.01]: 1.85 % (95 % interval 0.92–3.70 %) is at most 2 %",
        ),
        ("random.eer <= 1%", "FAIL random.eer: 1.85 % (95 % interval 0.92–3.58 %) is above the required 1 %"),
        (
            "random.eer.high < 5%",
            "PASS random.eer.high: 3.58 % (upper end of the 95 % interval of 1.85 %) is below 5 %",
        ),
        ("random.eer < 0.0185", "FAIL random.eer: 1.85 % (95 % interval 0.92–3.58 %) is not below the required 1.85 %"),
        ("random.calibration.cllr <= 0.3", "PASS random.calibration.cllr: 0.25 is at most 0.3"),
        (
            "random.calibration.expected_calibration_error <= 5%",
            "PASS random.calibration.expected_calibration_error: 3.00 % is at most 5 %",
        ),
        ("random.d_prime > 5", "FAIL random.d_prime: 4.2 is not above the required 5"),
        ("random.trials.people >= 100", "FAIL random.trials.people: 40 is below the required 100"),
        (
            "identification.cmc[1] >= 0.95",
            "PASS identification.cmc[1]: 96.0 % (95 % interval 90.0–98.0 %) is at least 95 %",
        ),
        (
            "random.frr_at_far[0.001] <= 5%",
            "FAIL random.frr_at_far[0.001]: 31.3 % (95 % interval 15.7–62.6 %) is above the required 5 %; "
            "besides, it rests on too few comparisons: the rule of 30 needs 30,000, there are 15,600",
        ),
        (
            "random.frr_at_far[0.001] <= 50%",
            "FAIL random.frr_at_far[0.001]: 31.3 % (95 % interval 15.7–62.6 %) is at most 50 %, "
            "but it rests on too few comparisons: the rule of 30 needs 30,000, there are 15,600",
        ),
        (
            "random.far_at_frr[0.01] <= 5%",
            "FAIL random.far_at_frr[0.01]: 0.90 % (95 % interval 0.40–2.00 %) is at most 5 %, "
            "but it rests on too few comparisons: the rule of 30 needs 3,000, there are 200",
        ),
        (
            "random.at_policy[0.001].frr <= 5%",
            "FAIL random.at_policy[0.001].frr: 2.00 % (95 % interval 1.00–4.00 %) is at most 5 %, "
            "but it rests on too few comparisons of development people: the rule of 30 needs 30,000, there are 9,000",
        ),
        (
            "random.at_development[0.01].frr <= 5%",
            "FAIL random.at_development[0.01].frr: 2.00 % (95 % interval 1.00–4.00 %) is at most 5 %, "
            "but it rests on too few comparisons of development people: the rule of 30 needs 3,000, there are 2,500",
        ),
        (
            "random.groups[group_sex].frr_ratio <= 2",
            "FAIL random.groups[group_sex].frr_ratio: 1.5 is at most 2, "
            "but a group rests on too few trials: the rule of 30 asks for 30 errors in each",
        ),
    ],
)
def test_a_sentence_tells_the_verdict_and_why(verdict: Verdicts, requirement: str, sentence: str) -> None:
    found = verdict(requirement)
    assert found.sentence == sentence
    assert found.met is sentence.startswith("PASS")
    assert found.requirement.text == requirement


def test_the_far_of_a_threshold_set_beforehand_needs_evidence_of_its_own(verdict: Verdicts, measured: Document) -> None:
    document = copy.deepcopy(measured)
    [row] = document["random"]["at_policy"]
    row |= {"beyond_evidence": False, "achieved_far": {"value": 0.0, "low": 0.0, "high": 0.01, "trials": 31_200}}
    found = verdict("random.at_policy[0.001].achieved_far <= 0.1%", document)
    assert not found.met
    assert found.reasons == ("too few comparisons show that FAR: the rule of 30 needs 30,000, there are 15,600",)
    assert verdict("random.at_policy[0.001].achieved_far <= 0.1%", document, accept_thin_evidence=True).met
    assert verdict("random.at_policy[0.001].frr <= 5%", document).met
    assert verdict("random.at_policy[0.001].achieved_far.high <= 1%", document).met
    document["random"]["trials"]["impostor_comparisons"] = 30_000
    assert verdict("random.at_policy[0.001].achieved_far <= 0.1%", document).met


def test_rounding_never_hides_on_which_side_a_rate_is(verdict: Verdicts, measured: Document) -> None:
    document = copy.deepcopy(measured)
    document["random"]["eer"] = rate(0.050004, 0.03, 0.08)
    assert (
        "5.0004 % (95 % interval 3.00–8.00 %) is above the required 5 %"
        in verdict("random.eer <= 5%", document).sentence
    )
    document["random"]["eer"] = rate(0.049996, 0.03, 0.08)
    assert ": 4.9996 % (95 % interval" in verdict("random.eer < 5%", document).sentence
    document["random"]["eer"] = rate(0.05, 0.03, 0.08)
    assert ": 5.00 % (95 % interval" in verdict("random.eer <= 5%", document).sentence


def test_thin_evidence_counts_where_it_is_accepted(verdict: Verdicts) -> None:
    refused, accepted = (
        verdict("random.frr_at_far[0.001] <= 50%", accept_thin_evidence=choice) for choice in (False, True)
    )
    assert (refused.met, accepted.met) == (False, True)
    assert refused.reasons == accepted.accepted != ()
    assert accepted.sentence.startswith("PASS")
    assert accepted.sentence.endswith("is at most 50 %; accepted although " + accepted.accepted[0])
    assert not verdict("random.frr_at_far[0.001] <= 5%", accept_thin_evidence=True).met


@pytest.mark.parametrize("role", ["training", "development"])
def test_a_corpus_behind_the_model_proves_nothing_unless_accepted(
    verdict: Verdicts, measured: Document, role: str
) -> None:
    document = copy.deepcopy(measured)
    document["corpus"]["used_in_making_the_model"] = role
    found = verdict("random.eer <= 5%", document)
    assert not found.met
    assert found.sentence.endswith(f"is at most 5 %, but the corpus was used in the model's {role}, so this is no test")
    assert verdict("random.eer <= 5%", document, accept_training_data=True).met
    assert not verdict("random.eer <= 5%", document, accept_thin_evidence=True).met
    both = verdict("random.frr_at_far[0.001] <= 50%", document)
    assert len(both.reasons) == 2
    assert verdict("random.frr_at_far[0.001] <= 50%", document, accept_training_data=True).met is False


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("skilled.eer", "the file has no skilled (it has bundle, command, corpus"),
        (
            "random.frr_at_fat[0.01]",
            "random has no frr_at_fat (did you mean frr_at_far? it has at_development, at_policy",
        ),
        ("random.frr_at_far[0.02]", "random.frr_at_far has no [0.02] (it has [0.01], [0.001])"),
        ("random.frr_at_far[one]", "random.frr_at_far has no [one] (it has [0.01], [0.001])"),
        ("random.frr_at_far", "random.frr_at_far is a list (name one of its entries in brackets)"),
        ("random.frr_at_far.frr", "random.frr_at_far is a list (say which of it in brackets: [0.01], [0.001])"),
        ("random.groups[group_age].frr_ratio", "random.groups has no [group_age] (it has [group_sex])"),
        (
            "random.groups[group_sex]",
            "random.groups[group_sex] is a block, not a number (go on with one of beyond_evidence",
        ),
        ("random.at_policy[0.001]", "is a block, not a number (go on with one of achieved_far"),
        ("random", "random is a block, not a number"),
        ("random.eer[0]", "random.eer is no list"),
        ("random.eer.value.low", "random.eer.value has nothing inside"),
        ("random.frr_at_far[0.01].beyond_evidence", "is no number"),
        ("corpus.name", "corpus.name is no number"),
    ],
)
def test_a_path_that_leads_nowhere_tells_what_there_is(verdict: Verdicts, path: str, told: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        verdict(f"{path} <= 1")
    assert told in str(caught.value)
    assert caught.value.field == "require"


@pytest.mark.parametrize("limit", ["5", "500%", "-2"])
def test_a_limit_that_no_share_reaches_is_refused(verdict: Verdicts, limit: str) -> None:
    """Whoever writes 5 for 5 % must not be told that the requirement is met."""
    with pytest.raises(FieldInvalid, match=r"random\.eer is a share") as caught:
        verdict(f"random.eer <= {limit}")
    assert caught.value.field == "require"
    assert caught.value.fix is not None


def test_a_number_that_is_no_share_has_any_limit(verdict: Verdicts) -> None:
    assert verdict("random.trials.people <= 500").met
    assert verdict("random.d_prime >= 2").met
