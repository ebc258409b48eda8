"""How rates read."""

from collections.abc import Callable

import numpy as np
import pytest

from eval.measures.rates import measure
from eval.page.sentences import summary
from eval.page.wording import SPACE, headline, interval, level, one_in, percent
from eval.resampling.bootstrap import PersonBootstrap
from eval.results.kind_results import KindResults
from eval.trials import TrialKind, Trials
from verify.policy import Rate

MakeTrials = Callable[..., Trials]


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.0, "0"),
        (1.0, "100"),
        (0.1234, "12.3"),
        (0.015, "1.50"),
        (0.001, "0.10"),
        (0.000064, "0.0064"),
        (2e-7, "0.00002"),
        (9.44e-7, "0.000094"),
        (2e-10, "2.0e-08"),
    ],
)
def test_percentages_keep_about_two_significant_digits(rate: float, text: str) -> None:
    assert percent(rate) == f"{text}{SPACE}%"


def test_chosen_levels_are_said_as_they_were_chosen() -> None:
    assert level(0.075) == f"7.5{SPACE}%"
    assert level(0.0001) == f"0.01{SPACE}%"
    assert one_in(0.001) == "1 in 1,000"
    assert one_in(0.075) == f"7.5{SPACE}%"


def test_an_interval_names_its_unit_once() -> None:
    assert interval(Rate(value=0.015, low=0.006, high=0.029)) == f"0.60–2.90{SPACE}%"


def block(make_trials: MakeTrials, impostors: int) -> KindResults:
    genuine, impostor = make_trials(np.ones((10, 2))), make_trials(np.zeros((10, impostors)), 20)
    return measure(genuine, impostor, PersonBootstrap(genuine, impostor, replicates=20))


@pytest.mark.parametrize(("impostors", "far"), [(10_000, 0.001), (400, 0.01), (60, 0.05), (3, 0.1)])
def test_the_headline_is_the_strictest_rate_the_trials_support(
    make_trials: MakeTrials, impostors: int, far: float
) -> None:
    assert headline(block(make_trials, impostors)).far == far


def test_the_summary_names_counts_and_limits(make_trials: MakeTrials) -> None:
    text = " ".join(summary(TrialKind.RANDOM, block(make_trials, 400)))
    assert "When 1 in 100 attempts" in text
    assert "10 people, 20 distinct genuine samples and 4,000 distinct impostor comparisons" in text
    assert f"down to 0.75{SPACE}%" in text
    supported = block(make_trials, 10_000)
    supported = supported.model_copy(update={"frr_at_far": supported.frr_at_far[:5]})
    text = " ".join(summary(TrialKind.RANDOM, supported))
    assert "†" not in text
    assert f"enough for every rate stated here, down to a FAR of 0.1{SPACE}%" in text
