"""Losses against pytorch-metric-learning, values and gradients, in double precision."""

import functools
import math
from collections.abc import Callable

import pytest
import torch
from pytorch_metric_learning import distances, losses, miners, reducers
from torch import Tensor, nn

from train.losses.memory import EMPTY

BuildTerm = Callable[..., nn.Module]
Sphere = Callable[..., Tensor]
ValueAndGradient = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Tensor, Tensor]]
Loss = Callable[[Tensor], Tensor]

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 2, 0])
PAIRED = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
Other = Callable[[Tensor], Tensor]


def plain(squared: bool) -> distances.LpDistance:
    return distances.LpDistance(normalize_embeddings=False, p=2, power=2 if squared else 1)


def contrastive(x: Tensor) -> Tensor:
    """Its powers of 1 are ours of one form on squared distances; it adds what we average."""
    loss = losses.ContrastiveLoss(pos_margin=0.0, neg_margin=1.2**2, distance=plain(squared=True))
    return 0.25 * loss(x, LABELS)


def contrastive_of_mean(x: Tensor) -> Tensor:
    loss = losses.ContrastiveLoss(
        pos_margin=0.0, neg_margin=1.2**2, distance=plain(squared=True), reducer=reducers.MeanReducer()
    )
    indices = torch.triu_indices(10, 10, 1)
    same = LABELS[indices[0]] == LABELS[indices[1]]
    return 0.5 * 0.5 * _over_its_pairs(loss, x, indices[:, same], indices[:, ~same])


def _over_its_pairs(loss: nn.Module, x: Tensor, genuine: Tensor, impostor: Tensor) -> Tensor:
    found: Tensor = loss(x, LABELS, (*genuine, *impostor))
    return found


def triplet(kind: str) -> Other:
    def of(x: Tensor) -> Tensor:
        mined = miners.TripletMarginMiner(margin=0.3, type_of_triplets=kind, distance=plain(squared=True))(x, LABELS)
        found: Tensor = losses.TripletMarginLoss(margin=0.3, distance=plain(squared=True))(x, LABELS, mined)
        return found

    return of


def batch_hard(x: Tensor) -> Tensor:
    mined = miners.BatchHardMiner(distance=plain(squared=False))(x, LABELS)
    found: Tensor = losses.TripletMarginLoss(margin=0.3, distance=plain(squared=False))(x, LABELS, mined)
    return found


def all_triplets(x: Tensor) -> Tensor:
    found: Tensor = losses.TripletMarginLoss(margin=0.3, distance=plain(squared=False), reducer=reducers.MeanReducer())(
        x, LABELS
    )
    return found


def npairs(x: Tensor) -> Tensor:
    anchor, positive, other = torch.arange(0, 10, 2), torch.arange(1, 10, 2), torch.arange(0)
    distance = distances.DotProductSimilarity(normalize_embeddings=False)
    found: Tensor = losses.NPairsLoss(distance=distance)(x, PAIRED, (anchor, positive, other, other))
    return found


def multi_similarity(x: Tensor) -> Tensor:
    mined = miners.MultiSimilarityMiner(epsilon=0.1)(x, LABELS)
    found: Tensor = losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5)(x, LABELS, mined)
    return found


SAME: dict[str, tuple[dict[str, object], Other]] = {
    "contrastive, non-zero": (
        {
            "kind": "hadsell2006",
            "margin": 1.2,
            "form": "hinge_of_square",
            "reducer": "balanced_nonzero",
        },
        contrastive,
    ),
    "contrastive, mean": (
        {"kind": "hadsell2006", "margin": 1.2, "form": "hinge_of_square"},
        contrastive_of_mean,
    ),
    "triplet, hard": ({"kind": "triplet", "margin": 0.3, "miner": "hard"}, triplet("hard")),
    "triplet, semi-hard": ({"kind": "triplet", "margin": 0.3}, triplet("semihard")),
    "triplet, all that cost": ({"kind": "triplet", "margin": 0.3, "miner": "all"}, triplet("all")),
    "triplet, mean of all": (
        {"kind": "triplet", "margin": 0.3, "miner": "all", "distance": "euclidean", "reducer": "mean"},
        all_triplets,
    ),
    "triplet, batch hard": (
        {"kind": "triplet", "margin": 0.3, "miner": "hardest", "distance": "euclidean"},
        batch_hard,
    ),
    "supcon": ({"kind": "supcon", "temperature": 0.2}, lambda x: losses.SupConLoss(temperature=0.2)(x, LABELS)),
    "infonce": ({"kind": "infonce", "temperature": 0.2}, lambda x: losses.NTXentLoss(temperature=0.2)(x, LABELS)),
    "multi-similarity": ({"kind": "multi_similarity"}, multi_similarity),
    "multi-similarity, all pairs": (
        {"kind": "multi_similarity", "mined": False},
        lambda x: losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5)(x, LABELS),
    ),
}


def compare(ours: Loss, theirs: Loss, x: Tensor, with_gradient: ValueAndGradient) -> None:
    expected, slope = with_gradient(theirs, x)
    value, gradient = with_gradient(ours, x)
    assert float(slope.abs().max()) > 1e-3
    # Theirs divides by norms, ours takes them as 1: alike along the sphere.
    on_sphere = [part - (part * x).sum(1, keepdim=True) * x for part in (gradient, slope)]
    torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(*on_sphere, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", SAME)
def test_the_library_finds_the_same(
    build_term: BuildTerm, sphere: Sphere, with_gradient: ValueAndGradient, name: str
) -> None:
    keys, theirs = SAME[name]
    loss = build_term(**keys)
    compare(lambda x: loss(x, LABELS), theirs, sphere(seed=1), with_gradient)


def test_npairs_is_the_librarys(build_term: BuildTerm, sphere: Sphere, with_gradient: ValueAndGradient) -> None:
    loss = build_term("npair")
    compare(lambda x: loss(x, PAIRED), npairs, sphere(), with_gradient)


@pytest.mark.parametrize("views", [2])
def test_of_two_views_ntxent_is_the_librarys(
    build_term: BuildTerm, sphere: Sphere, with_gradient: ValueAndGradient, views: int
) -> None:
    labels = torch.arange(5).repeat(views)
    loss = build_term("ntxent", temperature=0.2)
    compare(lambda x: loss(x, labels), lambda x: losses.NTXentLoss(temperature=0.2)(x, labels), sphere(), with_gradient)


@pytest.mark.parametrize("kind", ["cosface", "arcface"])
def test_class_margins_are_the_librarys(
    build_term: BuildTerm, sphere: Sphere, with_gradient: ValueAndGradient, kind: str
) -> None:
    ours = build_term(kind, margin=0.3, scale=16.0)
    made = losses.CosFaceLoss if kind == "cosface" else losses.ArcFaceLoss
    theirs = made(4, 5, margin=0.3 if kind == "cosface" else math.degrees(0.3), scale=16.0).double()
    with torch.no_grad():
        theirs.W.copy_(ours.weight.T)
    compare(lambda x: ours(x, LABELS), lambda x: theirs(x, LABELS), sphere(), with_gradient)


@pytest.mark.parametrize(
    ("keys", "made"),
    [
        ({"kind": "infonce", "temperature": 0.2}, lambda: losses.NTXentLoss(temperature=0.2)),
        ({"kind": "supcon", "temperature": 0.2}, lambda: losses.SupConLoss(temperature=0.2)),
        ({"kind": "multi_similarity", "mined": False}, lambda: losses.MultiSimilarityLoss(alpha=2, beta=50, base=0.5)),
    ],
    ids=["infonce", "supcon", "multi-similarity"],
)
def test_a_queue_is_the_librarys_cross_batch_memory(
    build_term: BuildTerm,
    sphere: Sphere,
    with_gradient: ValueAndGradient,
    keys: dict[str, object],
    made: Callable[[], nn.Module],
) -> None:
    """Over batches that fill the queue and go round it, theirs counting the batch as queued already: values, and the
    gradient of the batch as rows. As columns it has none in theirs."""
    ours = build_term(queue=15, **keys)
    theirs = losses.CrossBatchMemory(made(), 5, memory_size=25).double()
    for step in range(6):
        x = sphere(seed=step)
        columns = torch.cat([x, ours.embeddings])
        same = LABELS[:, None] == torch.cat([LABELS, ours.labels])
        negatives = ~same & (torch.cat([LABELS, ours.labels]) != EMPTY)
        positives = same.fill_diagonal_(False)
        compared = functools.partial(ours.loss.compare, columns=columns, positives=positives, negatives=negatives)
        compare(compared, lambda x: theirs(x, LABELS), x, with_gradient)
        torch.testing.assert_close(ours(x, LABELS), compared(x))
