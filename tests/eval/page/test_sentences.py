"""What the report says of each block."""

from typing import Any

import pytest

from eval.page.sentences import calibration, group_name, groups, identification
from eval.page.wording import SPACE, ends, percent, share_of
from eval.resampling.intervals import clopper_pearson
from eval.results.counted_rate import CountedRate
from eval.results.kind_results import Calibration, GroupColumn, GroupRates
from eval.results.search_results import Identification, OpenSetPoint, RankRate
from verify.policy import Rate


def counted(errors: int, trials: int) -> CountedRate:
    rate = clopper_pearson(errors, trials)
    return CountedRate(**rate.model_dump(), errors=errors, trials=trials, clopper_pearson=(rate.low, rate.high))


@pytest.mark.parametrize(
    ("cllr", "gap", "said"),
    [
        (0.06, 0.004, "can be taken at their word: they are on average 0.4 percentage points off"),
        (0.2, 0.04, "roughly right, on average 4.0 percentage points off"),
        (0.6, 0.2, "do not set thresholds by probability, set them by FAR"),
        (1.2, 0.3, "say less than no score at all"),
    ],
)
def test_calibration_says_whether_a_probability_can_be_a_threshold(cllr: float, gap: float, said: str) -> None:
    text = calibration(Calibration(cllr=cllr, min_cllr=0.05, expected_calibration_error=gap, bins=()))
    assert said in text
    assert f"so {cllr - 0.05:.3f} is lost to calibration" in text


def column(**changes: Any) -> GroupColumn:
    rows = tuple(
        GroupRates(group=group, people=9, genuine=100, impostor=900, frr=counted(frr, 100), far=counted(far, 900))
        for group, frr, far in (("old", 12, 0), ("young", 4, 9))
    )
    values = {"column": "group_age_band", "far": 0.01, "threshold": 1.0, "rows": rows, "frr_ratio": 3.0}
    return GroupColumn(**values | {"beyond_evidence": False} | changes)


def test_groups_name_the_extremes_and_thin_evidence() -> None:
    assert list(groups(column())) == [
        "Genuine people are turned away 3.0 times as often in “old” as in “young” "
        f"({percent(0.12)} against {percent(0.04)})."
    ]
    assert "Evidence is thin" in list(groups(column(beyond_evidence=True)))[-1]
    assert "leaves no ratio to state" in next(groups(column(frr_ratio=None)))
    assert group_name("group_age_band") == "age band"


def test_identification_speaks_of_the_strictest_supported_rate() -> None:
    point = {"threshold": 1.0, "achieved_fpir": counted(10, 100)}
    block = Identification(
        gallery=2,
        searches=10,
        probes=10,
        cmc=(RankRate(rank=1, rate=Rate(value=1, low=0.9, high=1)),),
        open_set=tuple(
            OpenSetPoint(fpir=fpir, fnir=counted(errors, 100), beyond_evidence=beyond, **point)
            for fpir, errors, beyond in ((0.1, 5, False), (0.05, 7, False), (0.01, 9, True))
        ),
    )
    first, second = identification(block)
    assert first == (
        f"Searched for among 2 people enrolled, the right person comes first in 100{SPACE}% of searches "
        f"(95{SPACE}% interval 90.0–100{SPACE}%)."
    )
    assert second.startswith("When 1 in 20 searches for somebody who is not enrolled may end in a name")
    assert percent(0.07) in second


def test_shares_agree_with_their_verbs() -> None:
    assert share_of(0.01, "attempts") == "1 in 100 attempts is"
    assert share_of(0.075, "attempts") == f"7.5{SPACE}% of attempts are"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.0000091, 0.0113, "0–1.13"),
        (0.00003, 0.0845, "0.003–8.45"),
        (2e-9, 3e-8, "0.0000002–0.000003"),
        (2e-11, 3e-10, "2.0e-09–3.0e-08"),
        (0.97, 0.99996, "97.0–99.996"),
        (0.98, 1.0, "98.0–100"),
    ],
)
def test_ends_have_like_precision_and_never_round_up_to_certainty(low: float, high: float, text: str) -> None:
    assert ends(low, high) == f"{text}{SPACE}%"
