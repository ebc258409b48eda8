"""Effective rank, alignment and uniformity of embeddings whose values are known, and what counts as collapsed."""

import math

import numpy as np
import pytest

from train.compare.embedding_space import collapse, effective_rank, embedding_space
from train.compare.results import Space


def test_effective_rank_counts_equal_axes() -> None:
    assert effective_rank(np.array([3.0, 3.0, 3.0, 0.0])) == pytest.approx(3.0)
    assert effective_rank(np.array([5.0, 0.0])) == pytest.approx(1.0)
    assert effective_rank(np.zeros(3)) == 0.0
    # Two values p, 1 − p: exp of their entropy.
    assert effective_rank(np.array([3.0, 1.0])) == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )


def test_alignment_and_uniformity_are_those_of_the_paper() -> None:
    angles = np.array([0.0, 0.2, 1.0, 1.5])
    labels = np.array([0, 0, 1, 1])
    x = 3.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    squares = {(i, j): (2 * math.sin((angles[j] - angles[i]) / 2)) ** 2 for i in range(4) for j in range(i + 1, 4)}
    space = embedding_space(x, labels)
    assert space is not None
    assert space.alignment == pytest.approx((squares[0, 1] + squares[2, 3]) / 2, rel=1e-5)
    expected = math.log(sum(math.exp(-2 * square) for square in squares.values()) / 6)
    assert space.uniformity == pytest.approx(expected, rel=1e-5)


def test_spread_embeddings_have_not_collapsed() -> None:
    x = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    space = embedding_space(x, np.arange(60) // 2)
    assert space is not None
    assert 7.0 < space.effective_rank <= 8.0
    assert sum(space.singular_values) == pytest.approx(1.0)
    assert collapse(space) is None


def test_without_two_samples_of_anybody_there_is_no_alignment() -> None:
    space = embedding_space(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), np.arange(6))
    assert space is not None
    assert space.alignment is None
    assert Space.model_validate_json(space.model_dump_json(exclude_none=True)) == space


@pytest.mark.parametrize(
    ("axes", "centre", "why"),
    [
        (np.zeros(8), np.ones(8), "effective rank 0.00"),
        (np.eye(8)[0], np.ones(8), "effective rank"),
        (np.array([20.0, *[1.0] * 7]), np.zeros(8), "of the variance lies along one axis"),
        (np.full(8, 0.01), np.ones(8), "nearly one point"),
    ],
)
def test_a_point_a_line_and_a_small_cloud_have_collapsed(axes: np.ndarray, centre: np.ndarray, why: str) -> None:
    x = np.random.default_rng(0).normal(size=(60, 8)) * axes + centre
    found = collapse(embedding_space(x.astype(np.float32), np.arange(60) // 2))
    assert found is not None
    assert why in found


def test_values_that_are_not_finite_have_collapsed() -> None:
    x = np.ones((4, 2), np.float32)
    x[2, 1] = np.nan
    assert embedding_space(x, np.zeros(4, np.int64)) is None
    assert collapse(None) == "embeddings are not finite"
