"""Candidates are scored on people whom their background does not know; the one with the fewest errors goes first."""

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import TrainingError
from encode.manifest import CalibrationSpec, IdentitySpec
from enroll.identity import IdentityModel
from train.background import fit_background
from train.calibration import fit_calibration
from train.embedding import Embedded
from train.identity_choice import (
    DRAWS,
    REFERENCES,
    Candidate,
    Measured,
    calibrate,
    choose_identity,
    default_candidates,
    given_candidates,
    leave_one_corpus_out,
)

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

MAP = Candidate(IdentitySpec(kind="map", strength=5.0), 0.1, 0.1)
SPHERICAL = Candidate(IdentitySpec(kind="spherical"), 0.1, 0.1)


def people(counts: list[int], seed: int = 0, size: int = 6) -> tuple[Array, Labels]:
    """Embeddings of people with `counts` samples each; within a person two directions vary more than the others."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    within = np.diag([1.5, 1.0, 0.3, 0.3, 0.3, 0.3])
    return draw.normal(size=(len(counts), size))[labels] * 2 + draw.normal(size=(len(labels), size)) @ within, labels


def embedded(x: Array, labels: Labels, corpora: list[str] | None = None, forged: object = False) -> Embedded:
    """The samples of one corpus, unless it is told of each."""
    flags = np.broadcast_to(np.asarray(forged, np.bool_), len(x))
    return Embedded(x, labels, tuple(corpora or ["a"] * len(x)), flags)


def test_every_kind_is_a_candidate() -> None:
    found = default_candidates(recent=3, anchors=2)
    kinds = {candidate.identity.kind for candidate in found}
    assert kinds == {"map", "pooled", "spherical", "diagonal", "full_oas", "full_ledoit_wolf"}
    assert {(candidate.identity.recent, candidate.identity.anchors) for candidate in found} == {(3, 2)}
    assert len(set(map(repr, found))) == len(found)
    assert MAP.describe() == "map ν=5, W shrunk 0.1, background 0.1"
    assert SPHERICAL.describe() == "spherical, W shrunk 0.1, background 0.1"


def test_each_corpus_is_scored_by_what_the_others_taught() -> None:
    """Redone by hand: the same draws, a background of the other corpus, and no calibration."""
    x, labels = people([4, 4, 3, 7, 4, 5])
    corpora = ["a" if label < 3 else "b" for label in labels]
    spec = MAP.identity.model_copy(update={"calibration": CalibrationSpec(scale=9.0, offset=9.0)})
    genuine, impostor = leave_one_corpus_out(embedded(x, labels, corpora), Candidate(spec, 0.1, 0.1), seed=3)
    expected_genuine, expected_impostor = [], []
    for number, inside in enumerate([labels < 3, labels >= 3]):
        background = fit_background(x[~inside], labels[~inside], within_shrinkage=0.1, total_shrinkage=0.1)
        model = IdentityModel(MAP.identity, background)
        generator = np.random.default_rng((3, number))
        own, own_labels = x[inside], labels[inside]
        for person in np.unique(own_labels):
            rows = np.flatnonzero(own_labels == person)
            references = min(REFERENCES, len(rows) - 1)
            for _ in range(DRAWS):
                order = generator.permutation(rows)
                fitted = model.fit(own[order[:references]])
                expected_genuine.append(model.llr(fitted, own[order[references:]]))
                expected_impostor.append(model.llr(fitted, own[own_labels != person]))
    np.testing.assert_allclose(genuine, np.concatenate(expected_genuine))
    np.testing.assert_allclose(impostor, np.concatenate(expected_impostor))
    assert len(genuine) == DRAWS * (1 + 1 + 1 + 2 + 1 + 1)
    assert len(impostor) == DRAWS * (7 + 7 + 8 + 9 + 12 + 11)


def test_one_corpus_is_halved_by_people() -> None:
    x, labels = people([4] * 8)
    genuine, impostor = leave_one_corpus_out(embedded(x, labels), MAP, seed=0)
    halved = ["even" if label % 2 == 0 else "odd" for label in labels]
    same, other = leave_one_corpus_out(embedded(x, labels, halved), MAP, seed=0)
    np.testing.assert_allclose(genuine, same)
    np.testing.assert_allclose(impostor, other)


def test_draws_follow_from_the_seed() -> None:
    x, labels = people([5] * 8)
    runs = [leave_one_corpus_out(embedded(x, labels), MAP, seed=seed)[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_the_best_goes_first() -> None:
    x, labels = people([5] * 24)
    found = choose_identity(embedded(x, labels), default_candidates(), seed=0)
    costs = [entry.cost for entry in found]
    assert costs == sorted(costs)
    assert len(found) == len(default_candidates())
    assert found[0].candidate.identity.kind in ("map", "pooled")
    assert all(0.0 <= entry.eer <= 0.5 for entry in found[:5])


def test_rates_are_those_of_counting() -> None:
    x, labels = people([4] * 20, seed=1)
    (found,) = choose_identity(embedded(x, labels), [MAP], seed=0)
    points = []
    for threshold in found.impostor:
        far, frr = float((found.impostor >= threshold).mean()), float((found.genuine < threshold).mean())
        points.append((abs(far - frr), (far + frr) / 2, far, frr))
    assert found.eer == pytest.approx(min(points)[1], abs=2e-3)
    assert found.frr_at_1 == pytest.approx(min(frr for _, _, far, frr in points if far <= 0.01))
    assert found.cost == pytest.approx((found.eer + found.frr_at_1) / 2)


def test_scores_that_are_all_equal_are_no_success() -> None:
    x, labels = people([3] * 8)
    (found,) = choose_identity(embedded(np.ones_like(x), labels), [MAP], seed=0)
    assert found.eer == pytest.approx(0.5)


def test_the_winners_scores_give_the_calibration() -> None:
    x, labels = people([5] * 12)
    genuine, impostor = leave_one_corpus_out(embedded(x, labels), MAP, seed=0)
    measured = Measured(MAP, 0.1, 0.1, genuine, impostor)
    assert calibrate(measured) == fit_calibration(genuine, impostor)


@pytest.mark.parametrize("counts", [[1] * 8, [2, 1, 1, 1], [2] * 8])
def test_too_few_samples_are_refused(counts: list[int]) -> None:
    x, labels = people(counts)
    with pytest.raises(TrainingError, match=r"two samples|several samples"):
        leave_one_corpus_out(embedded(x, labels), MAP, seed=0)


@pytest.mark.parametrize("candidate", default_candidates(), ids=Candidate.describe)
def test_every_candidate_faces_the_same_trials(candidate: Candidate) -> None:
    """Kinds that need two references would otherwise be spared the people who have only one to give."""
    x, labels = people([2, 4, 2, 4, 3, 3])
    genuine, impostor = leave_one_corpus_out(embedded(x, labels), candidate, seed=0)
    assert len(genuine) == DRAWS * 4
    assert len(impostor) == DRAWS * (4 + 7 + 7 + 8)


def test_forgeries_are_the_impostors_and_nothing_else() -> None:
    """Moved far away, they change no genuine score; and people of whom there is none are not claimed."""
    x, labels = people([9, 9, 9, 9, 6, 6])
    forged = (np.arange(len(x)) % 9 >= 6) & (labels < 4)
    corpora = ["a" if label < 3 else "b" for label in labels]
    genuine, impostor = leave_one_corpus_out(embedded(x, labels, corpora, forged), MAP, seed=0)
    assert len(genuine) == DRAWS * 4 * (6 - REFERENCES)
    assert len(impostor) == DRAWS * 4 * 3
    away = np.where(forged[:, None], x + 1000.0, x)
    same, far = leave_one_corpus_out(embedded(away, labels, corpora, forged), MAP, seed=0)
    np.testing.assert_array_equal(genuine, same)
    assert far.max() < impostor.min()
    (found,) = choose_identity(embedded(x, labels, corpora, forged), [MAP], seed=0)
    assert found.skilled
    (plain,) = choose_identity(embedded(x, labels, corpora), [MAP], seed=0)
    assert not plain.skilled


def test_a_given_identity_is_compared_by_shrinkage_alone() -> None:
    spherical = given_candidates(IdentitySpec(kind="spherical", recent=6, anchors=0))
    assert {(candidate.identity.kind, candidate.identity.recent) for candidate in spherical} == {("spherical", 6)}
    assert len(spherical) == len({candidate.total_shrinkage for candidate in spherical}) == 3
    assert len(given_candidates(IdentitySpec(kind="map"))) == 9
