"""Precision@1 and MAP@R, against pytorch-metric-learning and a loop over queries."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import TrialsError
from eval.measures.retrieval import retrieval
from eval.results.search_results import EmbeddingQuality


def all_of(owner: np.ndarray) -> np.ndarray:
    return np.ones(len(owner), dtype=np.bool_)


def measured(embeddings: np.ndarray, owner: np.ndarray, **options: object) -> EmbeddingQuality:
    found = retrieval(embeddings, owner, all_of(owner), replicates=50, **options)
    assert found is not None
    return found


def naive(embeddings: np.ndarray, owner: np.ndarray) -> tuple[float, float]:
    """One query at a time: sort by falling cosine, strangers first among equals, and read the definition off."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    hits, averages = [], []
    for query in range(len(owner)):
        rest = [other for other in range(len(owner)) if other != query]
        relevant = sum(owner[other] == owner[query] for other in rest)
        if relevant == 0:
            continue
        rest.sort(key=lambda other: (-round(float(unit[other] @ unit[query]), 5), owner[other] == owner[query]))
        found = [owner[other] == owner[query] for other in rest[:relevant]]
        hits.append(found[0])
        averages.append(sum(sum(found[: i + 1]) / (i + 1) for i in range(relevant) if found[i]) / relevant)
    return float(np.mean(hits)), float(np.mean(averages))


def people_of_sizes(
    sizes: list[int], dimensions: int = 8, spread: float = 0.8, seed: int = 0
) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    owner = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    means = generator.normal(0, 1, (len(sizes), dimensions))
    return (means[owner] + generator.normal(0, spread, (len(owner), dimensions))).astype(np.float32), owner


@pytest.mark.parametrize("sizes", [[5] * 20, [1, 2, 3, 4, 1, 9, 30, 2, 6], [2, 2], [40, 3]])
def test_as_pytorch_metric_learning(sizes: list[int]) -> None:
    torch = pytest.importorskip("torch")
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    embeddings, owner = people_of_sizes(sizes)
    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision_at_r"),
        knn_func=CustomKNN(CosineSimilarity()),
        device=torch.device("cpu"),
    )
    theirs = calculator.get_accuracy(torch.from_numpy(embeddings), torch.from_numpy(owner))
    ours = measured(embeddings, owner)
    assert ours.precision_at_1.value == pytest.approx(theirs["precision_at_1"], abs=1e-6)
    assert ours.map_at_r.value == pytest.approx(theirs["mean_average_precision_at_r"], abs=1e-6)
    assert ours.queries == sum(size for size in sizes if size > 1)
    assert ours.people == sum(size > 1 for size in sizes)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=8).filter(lambda s: sum(x > 1 for x in s) > 1),
    seed=st.integers(0, 99),
)
def test_as_a_loop_over_queries_ties_included(sizes: list[int], seed: int) -> None:
    """Corners of a square: most cosines are tied, and every one is exact."""
    generator = np.random.default_rng(seed)
    owner = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    embeddings = generator.choice([-1.0, 1.0], (len(owner), 4)).astype(np.float32)
    ours = measured(embeddings, owner)
    assert (ours.precision_at_1.value, ours.map_at_r.value) == pytest.approx(naive(embeddings, owner))


def test_blocks_cannot_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, owner = people_of_sizes([1, 2, 3, 4, 1, 9, 30, 2, 6])
    whole = measured(embeddings, owner)
    monkeypatch.setattr("eval.measures.retrieval.BLOCK_CELLS", 1)
    monkeypatch.setattr("eval.measures.retrieval.FEWEST_ROWS", 3)
    assert measured(embeddings, owner) == whole


def test_rows_in_another_order_and_scaled_are_the_same_embedding() -> None:
    embeddings, owner = people_of_sizes([4, 5, 1, 6, 3])
    shuffle = np.random.default_rng(1).permutation(len(owner))
    scaled = embeddings[shuffle] * np.float32(4.0)
    assert measured(scaled, owner[shuffle]) == measured(embeddings, owner)


def test_one_point_for_everybody_scores_nothing_and_one_point_each_everything() -> None:
    owner = np.repeat(np.arange(4), 3)
    nothing = measured(np.ones((12, 4), np.float32), owner)
    assert nothing.precision_at_1.value == nothing.map_at_r.value == 0.0
    everything = measured(np.eye(4, dtype=np.float32)[owner], owner)
    assert everything.precision_at_1.value == everything.map_at_r.value == 1.0
    assert everything.map_at_r.low == pytest.approx(0.05 ** (1 / 12))


def test_only_the_vector_counts() -> None:
    embeddings, owner = people_of_sizes([4, 5, 1, 6])
    trace = np.random.default_rng(1).normal(0, 100, (len(owner), 20)).astype(np.float32)
    assert measured(np.hstack([embeddings, trace]), owner, vector=8) == measured(embeddings, owner)


def test_forgeries_and_failures_are_left_out() -> None:
    embeddings, owner = people_of_sizes([4, 5, 1, 6])
    more = np.vstack([embeddings, embeddings[:5], np.full((3, 8), np.nan, np.float32)])
    owners = np.concatenate([owner, np.full(5, -1), owner[:3]])
    usable = np.arange(len(owners)) < len(owner) + 5
    assert retrieval(more, owners, usable, replicates=50) == measured(embeddings, owner)


def test_an_interval_resamples_people() -> None:
    """Two of four people are always found, two never: fifty samples each make that no surer."""
    owner = np.repeat(np.arange(4), 50)
    angles = np.where(owner < 2, owner * 1.0, 3.0)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = measured(points, owner)
    assert found.precision_at_1.value == 0.5
    assert found.precision_at_1.low < 0.15
    assert found.precision_at_1.high > 0.85


def test_fewer_than_two_people_with_two_samples_are_none() -> None:
    owner = np.array([0, 0, 0, 1, 2])
    assert retrieval(np.eye(5), owner, all_of(owner)) is None
    assert retrieval(np.eye(5), np.full(5, -1), all_of(owner)) is None


def test_bad_columns_are_errors() -> None:
    owner = np.array([0, 0, 1, 1])
    with pytest.raises(TrialsError, match="do not match"):
        retrieval(np.eye(5), owner, all_of(owner))
    with pytest.raises(TrialsError, match="NaN"):
        retrieval(np.full((4, 2), np.nan), owner, all_of(owner))
