"""Checks of score columns: against a naive twin, and the places they name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import TrialsError
from eval.files.score_checks import require_distinct, require_scores


def place(index: int) -> str:
    return f"row {index + 1}"


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2), st.sampled_from([-1, 0, 2**31 - 3])), max_size=12))
def test_repeated_rows_are_found_exactly(rows: list[tuple[int, int, int]]) -> None:
    columns = [np.array([row[at] for row in rows], dtype=np.int32) for at in range(3)]
    wide = [*columns, columns[2], columns[2]]  # five columns whose product does not fit in 64 bits
    for chosen in (columns, wide):
        if len(set(rows)) == len(rows):
            require_distinct(chosen, place, field="f", names="columns")
        else:
            with pytest.raises(
                TrialsError, match=rf"^f: trials occur twice \({len(rows) - len(set(rows))} rows too many\)"
            ):
                require_distinct(chosen, place, field="f", names="columns")


def test_the_example_is_a_pair_of_equal_rows() -> None:
    with pytest.raises(TrialsError, match="such as row 2 and row 4: the same columns"):
        require_distinct([np.array([5, 1, 2, 1])], place, field="f", names="columns")


def test_finite_scores_and_failures_pass() -> None:
    require_scores(np.array([1.0, -np.inf, -2.0]), place, field="f")


@pytest.mark.parametrize(
    ("scores", "match"),
    [
        ([0.0, np.nan, np.nan], r"row 2: the score is NaN \(and 1 more like it\) \(use --nan-fails"),
        ([0.0, 0.0, np.inf], r"row 3: the score is \+inf \(scores are finite\)"),
    ],
)
def test_other_values_are_named(scores: list[float], match: str) -> None:
    with pytest.raises(TrialsError, match=match):
        require_scores(np.array(scores), place, field="f")
