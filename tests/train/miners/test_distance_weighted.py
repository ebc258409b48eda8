"""Distance-weighted draws: their distribution against the formula, which negatives, and what they follow from."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from train.miners.distance_weighted import DistanceWeighted

SIZE = 5
AWAY = [0.1, 0.5, 0.8, 1.0, 1.2, 1.39, 1.41, 1.9]
"""Euclidean distances of a row's negatives; two lie beyond where a negative costs nothing."""
BEYOND_999 = {5: 20.5, 1: 10.8}
"""Degrees of freedom → the value that χ² exceeds once in a thousand."""


def same(distances: Tensor) -> Tensor:
    return distances


def drawn(away: list[float], rows: int, *, miner: DistanceWeighted, seed: int = 0) -> Tensor:
    """int64 (len(away),): how often each negative was drawn, one draw for each of `rows` equal rows."""
    distances = torch.tensor([[0.3, *away]]).expand(rows, -1).contiguous()
    positives = torch.zeros(distances.shape, dtype=torch.bool)
    positives[:, 0] = True
    torch.manual_seed(seed)
    pull, push = miner(distances, positives, ~positives).counts()
    assert torch.equal(pull.sum(1), torch.ones(rows, dtype=torch.int64))
    assert torch.equal(push.sum(1), torch.ones(rows, dtype=torch.int64))
    return push.sum(0)[1:]


def chi_square(found: list[int], shares: list[float]) -> float:
    expected = [share / sum(shares) * sum(found) for share in shares]
    return sum((count - mean) ** 2 / mean for count, mean in zip(found, expected, strict=True))


def test_negatives_are_drawn_by_the_inverse_density_of_their_distance() -> None:
    found = drawn(AWAY, 20_000, miner=DistanceWeighted(SIZE, same)).tolist()
    shares = []
    for d in AWAY[:6]:
        d = max(d, 0.5)
        shares.append(1.0 / (d ** (SIZE - 2) * (1.0 - d * d / 4.0) ** ((SIZE - 3) / 2)))
    assert found[6:] == [0, 0]
    assert chi_square(found[:6], shares) < BEYOND_999[5]


def test_where_all_are_too_far_one_is_drawn_evenly() -> None:
    found = drawn([1.5, 1.9], 5_000, miner=DistanceWeighted(SIZE, same)).tolist()
    assert chi_square(found, [1.0, 1.0]) < BEYOND_999[1]


@pytest.mark.parametrize(
    ("back", "euclidean"), [(lambda d: d * d, torch.sqrt), (lambda d: d * d / 2, lambda d: (2 * d).sqrt())]
)
def test_other_distances_are_weighed_as_the_euclidean_ones_that_they_are(
    back: Callable[[float], float], euclidean: Callable[[Tensor], Tensor]
) -> None:
    distances = torch.tensor([AWAY], dtype=torch.float64)
    negatives = torch.ones(distances.shape, dtype=torch.bool)
    expected = DistanceWeighted(SIZE, same).weights(distances, negatives)
    other = torch.tensor([[back(d) for d in AWAY]], dtype=torch.float64)
    torch.testing.assert_close(DistanceWeighted(SIZE, euclidean).weights(other, negatives), expected)
    assert float(expected.max()) == 1.0


def test_draws_follow_from_the_generator() -> None:
    first, again, other = (
        drawn(AWAY, 200, miner=DistanceWeighted(SIZE, same), seed=seed).tolist() for seed in (3, 3, 4)
    )
    assert first == again != other


def test_each_positive_pair_gets_a_negative_of_its_row_where_there_is_one() -> None:
    torch.manual_seed(0)
    distances = torch.rand(6, 9)
    kinds = torch.randint(0, 3, (6, 9))
    positives, negatives = kinds == 0, kinds == 1
    negatives[2] = False
    pull, push = DistanceWeighted(SIZE, same)(distances, positives, negatives).counts()
    expected = positives & negatives.any(1, keepdim=True)
    assert torch.equal(pull, expected.long())
    assert torch.equal(push.sum(1), expected.sum(1))
    assert not bool((push.bool() & ~negatives).any())


@pytest.mark.parametrize("size", [2, 512])
def test_weights_are_finite_in_single_precision(size: int) -> None:
    """In 512 dimensions the densities at 0.5 and 1.4 are a hundred powers of ten apart."""
    distances = torch.linspace(0.0, 2.0, 21)[None, :]
    found = DistanceWeighted(size, same).weights(distances, torch.ones(distances.shape, dtype=torch.bool))
    assert math.isclose(float(found.max()), 1.0)
    assert bool((found >= 0.0).all())
