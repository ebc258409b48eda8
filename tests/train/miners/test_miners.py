"""What each miner finds, against a list made triplet by triplet, and against the library's miners."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytorch_metric_learning import distances as their_distances
from pytorch_metric_learning import miners as theirs
from torch import Tensor

from train.losses.contrast import batch_masks
from train.losses.multi_similarity import mined
from train.miners.all_triplets import AllTriplets
from train.miners.easy import EasyNegatives
from train.miners.hard import HardNegatives
from train.miners.hardest import HardestPairs
from train.miners.semihard import SemiHardNegatives
from train.miners.triplets import Miner

BAND = 3.0
BANDS: dict[str, tuple[Miner, Callable[[float], bool]]] = {
    "all": (AllTriplets(), lambda beyond: True),
    "hard": (HardNegatives(), lambda beyond: beyond <= 0.0),
    "semihard": (SemiHardNegatives(BAND), lambda beyond: 0.0 < beyond <= BAND),
    "easy": (EasyNegatives(BAND), lambda beyond: beyond > BAND),
}
Table = tuple[Tensor, Tensor, Tensor]
Found = set[tuple[int, ...]]


def table(seed: int) -> Table:
    """Distances (9, 12) in whole numbers, so that many lie on the edge of a band; masks, some rows empty."""
    generator = torch.Generator().manual_seed(seed)
    distances = torch.randint(0, 9, (9, 12), generator=generator).double()
    kinds = torch.randint(0, 3, (9, 12), generator=generator)
    positives, negatives = kinds == 0, kinds == 1
    positives[4], negatives[5] = False, False
    positives[6] = negatives[6] = False
    return distances, positives, negatives


def listed(of: Table, kept: Callable[[float], bool]) -> list[tuple[int, int, int]]:
    distances, positives, negatives = of
    return [
        (a, p, n)
        for a in range(distances.shape[0])
        for p in range(distances.shape[1])
        for n in range(distances.shape[1])
        if positives[a, p] and negatives[a, n] and kept(float(distances[a, n] - distances[a, p]))
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", BANDS)
def test_a_band_counts_the_triplets_of_the_list(name: str, seed: int) -> None:
    miner, kept = BANDS[name]
    of = table(seed)
    expected = torch.zeros(2, 9, 12, dtype=torch.int64)
    found = listed(of, kept)
    assert len(found) > 5
    for a, p, n in found:
        expected[0, a, p] += 1
        expected[1, a, n] += 1
    pull, push = miner(*of).counts()
    assert torch.equal(pull, expected[0])
    assert torch.equal(push, expected[1])


@pytest.mark.parametrize("margin", [-1.0, 0.0, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("name", BANDS)
def test_the_hinge_of_a_band_is_that_of_the_list(name: str, margin: float) -> None:
    """At margins below, at and above the edges of the band."""
    miner, kept = BANDS[name]
    of = table(seed=7)
    distances = of[0]
    costs = [max(0.0, float(distances[a, p] - distances[a, n]) + margin) for a, p, n in listed(of, kept)]
    total, number, paying = miner(*of).hinge(distances, margin)
    assert float(total) == sum(costs)
    assert int(number) == len(costs)
    assert int(paying()) == sum(cost > 0.0 for cost in costs)


@pytest.mark.parametrize("seed", range(3))
def test_the_hardest_of_a_row_are_its_farthest_positive_and_nearest_negative(seed: int) -> None:
    distances, positives, negatives = table(seed)
    pull, push = HardestPairs()(distances, positives, negatives).counts()
    alive = positives.any(1) & negatives.any(1)
    assert 0 < int(alive.sum()) < 9
    assert torch.equal(pull.sum(1), alive.long())
    assert torch.equal(push.sum(1), alive.long())
    for row in range(9):
        if alive[row]:
            assert distances[row, pull[row].argmax()] == max(distances[row][positives[row]])
            assert distances[row, push[row].argmax()] == min(distances[row][negatives[row]])
    assert not bool((pull.bool() & ~positives).any() or (push.bool() & ~negatives).any())


@pytest.mark.parametrize("name", [*BANDS, "hardest"])
def test_without_positives_or_negatives_nothing_is_found(name: str) -> None:
    miner = HardestPairs() if name == "hardest" else BANDS[name][0]
    distances, some, none = torch.rand(4, 6), torch.ones(4, 6).bool(), torch.zeros(4, 6).bool()
    for positives, negatives in ((some, none), (none, some), (none, none)):
        found = miner(distances, positives, negatives)
        pull, push = found.counts()
        assert not bool(pull.any() or push.any())
        assert [float(sum_) for sum_ in found.hinge(distances, 1.0)[:2]] == [0.0, 0.0]


LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 2, 0, 9, 1])
EUCLIDEAN = their_distances.LpDistance(normalize_embeddings=False, p=2)


@pytest.fixture
def points(sphere_of: Callable[[int, int], Tensor]) -> Tensor:
    return sphere_of(len(LABELS), 5)


def pairs_of(counts: Tensor) -> Found:
    return {tuple(place) for place in counts.nonzero().tolist()}


def pairs(rows: Tensor, columns: Tensor) -> Found:
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize("name", ["hard", "semihard", "easy"])
def test_bands_are_the_librarys(points: Tensor, name: str) -> None:
    band = 0.3
    miner: Miner = {"hard": HardNegatives(), "semihard": SemiHardNegatives(band), "easy": EasyNegatives(band)}[name]
    a, p, n = theirs.TripletMarginMiner(band, type_of_triplets=name, distance=EUCLIDEAN)(points, LABELS)
    expected = torch.zeros(2, len(LABELS), len(LABELS), dtype=torch.int64)
    expected[0].index_put_((a, p), torch.ones_like(a), accumulate=True)
    expected[1].index_put_((a, n), torch.ones_like(a), accumulate=True)
    pull, push = miner(EUCLIDEAN(points), *batch_masks(LABELS)).counts()
    assert len(a) > 5
    assert torch.equal(pull, expected[0])
    assert torch.equal(push, expected[1])


@pytest.mark.parametrize("of", ["BatchHardMiner", "BatchEasyHardMiner"])
def test_batch_hard_is_the_librarys(points: Tensor, of: str) -> None:
    options: dict[str, Any] = {} if of == "BatchHardMiner" else {"pos_strategy": "hard", "neg_strategy": "hard"}
    found = getattr(theirs, of)(distance=EUCLIDEAN, **options)(points, LABELS)
    a, p, n = found if len(found) == 3 else (found[0], found[1], found[3])
    pull, push = HardestPairs()(EUCLIDEAN(points), *batch_masks(LABELS)).counts()
    assert pairs_of(pull) == pairs(a, p)
    assert pairs_of(push) & pairs(a, n) == pairs_of(push)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5])
def test_multi_similarity_mines_what_the_library_does(points: Tensor, epsilon: float) -> None:
    positive_rows, positive, negative_rows, negative = theirs.MultiSimilarityMiner(epsilon)(points, LABELS)
    found = mined(points @ points.T, *batch_masks(LABELS), epsilon)
    assert pairs_of(found[0]) == pairs(positive_rows, positive)
    assert pairs_of(found[1]) == pairs(negative_rows, negative)
