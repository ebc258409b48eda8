"""Everyone else, in whom every person weighs the same, and the spread within people."""

import numpy as np
import pytest

from encode.errors import TrainingError
from enroll.covariance import pooled_within, shrink
from train.background import fit_background

LABELS = np.array([0, 0, 0, 0, 1, 1, 2])
X = np.random.default_rng(0).normal(size=(7, 3)) + LABELS[:, None]


def test_every_person_weighs_the_same() -> None:
    found = fit_background(X, LABELS, within_shrinkage=0.0, total_shrinkage=0.0)
    means = [X[person == LABELS].mean(0) for person in range(3)]
    np.testing.assert_allclose(found["mean"], np.mean(means, axis=0))
    total = np.zeros((3, 3))
    for person in range(3):
        own = X[person == LABELS] - found["mean"]
        total += sum(np.outer(row, row) for row in own) / len(own) / 3
    np.testing.assert_allclose(found["total"], total)


def test_more_pictures_of_somebody_change_nothing() -> None:
    again = np.concatenate([X, X[4:6], X[4:6]]), np.concatenate([LABELS, [1, 1, 1, 1]])
    plain = fit_background(X, LABELS, within_shrinkage=0.0, total_shrinkage=0.0)
    repeated = fit_background(*again, within_shrinkage=0.0, total_shrinkage=0.0)
    for name in ("mean", "total"):
        np.testing.assert_allclose(repeated[name], plain[name])


def test_both_covariances_are_shrunk_as_asked() -> None:
    plain = fit_background(X, LABELS, within_shrinkage=0.0, total_shrinkage=0.0)
    found = fit_background(X, LABELS, within_shrinkage=0.3, total_shrinkage=0.8)
    np.testing.assert_allclose(found["within"], shrink(pooled_within(X, LABELS)[0], 0.3))
    np.testing.assert_allclose(found["total"], shrink(plain["total"], 0.8))
    assert np.trace(found["total"]) == pytest.approx(np.trace(plain["total"]))


def test_it_says_how_many_it_rests_on_and_nothing_of_anyone() -> None:
    found = fit_background(X, LABELS, within_shrinkage=0.1, total_shrinkage=0.1)
    assert set(found) == {"mean", "total", "within", "people", "samples"}
    assert (found["people"], found["samples"]) == ([3.0], [7.0])
    assert {array.dtype for array in found.values()} == {np.dtype(np.float64)}


def test_one_sample_of_each_is_not_enough() -> None:
    with pytest.raises(TrainingError, match="no background person has two samples") as caught:
        fit_background(X[[0, 4, 6]], np.array([0, 1, 2]), within_shrinkage=0.1, total_shrinkage=0.1)
    assert caught.value.field == "corpus"
