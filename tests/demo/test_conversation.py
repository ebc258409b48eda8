"""Which target FAR the demonstration asks for."""

import pytest

from countersign.demo.conversation import common_far


@pytest.mark.parametrize(
    ("offered", "far"),
    [
        ([[0.1, 0.01, 0.001, 0.0001]], 0.01),
        ([[0.1, 0.02]], 0.02),
        ([[0.1, 0.01, 0.001], [0.1, 0.01], [0.1, 0.01]], 0.01),
        ([[0.1, 0.01], [0.001]], None),
        ([[0.0001]], 0.0001),
    ],
    ids=["preferred", "nearest", "in common", "nothing in common", "stricter only"],
)
def test_it_is_the_one_nearest_to_a_hundredth_that_all_offer(offered: list[list[float]], far: float | None) -> None:
    assert common_far(offered) == far
