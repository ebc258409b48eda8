"""t-SNE of the embedding."""

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.drawings.embedding_map import embedding_map

PEOPLE, EACH = 6, 10


@pytest.fixture
def embeddings() -> NDArray[np.float64]:
    generator = np.random.default_rng(1)
    return generator.normal(0, 4, (PEOPLE, 1, 16)).repeat(EACH, 1).reshape(-1, 16) + generator.normal(
        0, 0.5, (PEOPLE * EACH, 16)
    )


OWNER = np.repeat(np.arange(PEOPLE), EACH)
GENUINE, USABLE = np.zeros(PEOPLE * EACH, bool), np.ones(PEOPLE * EACH, bool)


def test_people_stay_together_and_the_map_is_repeatable(embeddings: NDArray[np.float64]) -> None:
    mapped = embedding_map(embeddings, OWNER, GENUINE, USABLE, most_people=4)
    again = embedding_map(embeddings, OWNER, GENUINE, USABLE, most_people=4)
    assert mapped is not None
    assert again is not None
    assert np.array_equal(mapped.positions, again.positions)
    assert (mapped.shown, mapped.people, mapped.samples) == (4, PEOPLE, PEOPLE * EACH)
    distance = np.linalg.norm(mapped.positions[:, None] - mapped.positions[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (OWNER[distance.argmin(axis=1)] == OWNER).mean() > 0.95
    spread = np.ptp(mapped.positions, axis=0)
    assert spread[0] > 0
    assert (mapped.person == -1).sum() == 2 * EACH


def test_the_people_with_most_samples_are_told_apart(embeddings: NDArray[np.float64]) -> None:
    usable = USABLE.copy()
    usable[:5] = usable[10:17] = False  # of persons 0 and 1 too few are left
    forged = GENUINE.copy()
    forged[50:60] = True  # person 5 has forgeries alone
    mapped = embedding_map(embeddings, OWNER, forged, usable, most_people=3, most_samples=40)
    assert mapped is not None
    assert len(mapped.positions) == 40
    assert mapped.samples == 48
    kept = np.bincount(mapped.person[mapped.person >= 0], minlength=3)
    assert kept.tolist() == [10, 10, 10]  # persons 2, 3 and 4
    assert not mapped.is_forgery[mapped.person >= 0].any()
    assert mapped.is_forgery.any()


def test_too_few_or_equal_samples_make_no_map(embeddings: NDArray[np.float64]) -> None:
    assert embedding_map(embeddings[:7], OWNER[:7], GENUINE[:7], USABLE[:7]) is None
    assert embedding_map(np.ones_like(embeddings), OWNER, GENUINE, USABLE) is None
    assert embedding_map(embeddings, OWNER, GENUINE, ~USABLE) is None
