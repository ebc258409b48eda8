"""Means whose people are resampled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import TrialsError
from eval.resampling.share_by_person import share_by_person


@settings(max_examples=50, deadline=None)
@given(
    people=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20)), min_size=2, max_size=8).filter(
        lambda people: sum(count > 0 for _, count in people) > 1
    )
)
def test_the_value_is_the_ratio_of_sums_and_lies_in_its_interval(people: list[tuple[float, int]]) -> None:
    sums, counts = [share * count for share, count in people], [count for _, count in people]
    found = share_by_person(sums, counts, comparisons=sum(counts), replicates=50)
    assert found.value == pytest.approx(sum(sums) / sum(counts))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_interval_is_that_of_people_not_of_trials() -> None:
    """Standard error of 40 people who are right half of the time, each always or never: √(¼ / 40) = 0.079."""
    always_or_never = share_by_person(np.tile([0, 100], 20), np.full(40, 100), comparisons=4000)
    assert always_or_never.high - always_or_never.low == pytest.approx(4 * 0.079, rel=0.1)
    alike = share_by_person(np.full(40, 50), np.full(40, 100), comparisons=4000)
    assert alike.high - alike.low < 0.01


def test_a_share_that_everybody_has_is_exactly_the_mean() -> None:
    assert all(share_by_person([0.01] * people, [1] * people, comparisons=9).value == 0.01 for people in range(2, 50))


def test_fewer_than_two_people_have_no_interval() -> None:
    with pytest.raises(TrialsError, match="at least two people"):
        share_by_person([1.0, 0.0], [3, 0], comparisons=3)
