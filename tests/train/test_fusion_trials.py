"""What matching a recipe may ask for, and how trials with and without pressure are put together."""

import numpy as np
import pytest

from train.embedding import Prepared
from train.fusion import Matching, Trials, _together, without_pressure


def test_only_pressure_is_taken_away() -> None:
    inputs = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    before = inputs.copy()
    prepared = Prepared(inputs, np.arange(3), ("town",) * 3, np.array([False, False, True]))
    found = without_pressure(prepared)
    assert not found.inputs[:, 2].any()
    np.testing.assert_array_equal(np.delete(found.inputs, 2, 1), np.delete(before, 2, 1))
    np.testing.assert_array_equal(prepared.inputs, before)
    assert (found.labels.tolist(), found.corpora) == ([0, 1, 2], prepared.corpora)


def test_trials_together_stay_apart_by_enrolment() -> None:
    first = Trials({"a": np.array([1.0, 2.0])}, np.array([0, 1]), np.array([0, 1]))
    second = Trials({"a": np.array([3.0])}, np.array([3]), np.array([0]))
    found = _together(first, second)
    assert found.parts["a"].tolist() == [1.0, 2.0, 3.0]
    assert (found.kind.tolist(), found.enrolment.tolist()) == ([0, 1, 3], [0, 1, 2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": ("ink",)}, "no part 'ink'"),
        ({"sets": ("shape", "scent")}, "no part 'scent.log_mean'"),
        ({"sets": ()}, "at least one feature set"),
        ({"share": 1.1}, "share must be 0 … 1"),
        ({"share": -0.1}, "share must be 0 … 1"),
        ({"learned": 1.1}, "learned must be 0 … 1"),
        ({"learned": -0.1}, "learned must be 0 … 1"),
        ({"sets": ("shape", "learned")}, "weighed by their share"),
    ],
)
def test_unknown_parts_and_shares_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Matching(**options)  # type: ignore[arg-type]
