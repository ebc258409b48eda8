"""Scores as matrix products: the same as the identity model's own, for every kind of Gaussian."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from encode.errors import FieldInvalid, TooFewReferences
from enroll.identity import IdentityModel
from eval.allpairs.factored import TOLERANCE, factor, require_factorable
from eval.allpairs.ragged import Ragged

KINDS = ("spherical", "diagonal", "diagonal_map", "full_oas", "full_ledoit_wolf", "pooled", "map")


def scores_of(model: IdentityModel, embeddings: Any, references: Ragged) -> tuple[Any, Any, Any]:
    """Scores (N, T) by the factors and by the model, and the factors."""
    found = factor(model, embeddings, references)
    linear, *squares = (found.features.astype(np.float64) @ weights.T for weights in found.weights)
    mine = linear + sum(term**2 for term in squares)
    theirs = [model.llr(model.fit(embeddings[references[i]]), embeddings) for i in range(len(references))]
    return mine, np.stack(theirs, axis=1), found


@pytest.mark.parametrize("mean_correction", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_factored_scores_are_the_models_own(make_people: Callable[..., Any], kind: str, mean_correction: bool) -> None:
    people = make_people()
    model = people.model(kind, mean_correction=mean_correction)
    generator = np.random.default_rng(1)
    # Different reference counts, single references where the kind allows it. Two leave Ledoit-Wolf without shrinkage.
    counts = (model.minimum + (kind == "full_ledoit_wolf"), 3, 5, 11, 3)
    references = Ragged.of(generator.choice(len(people.owner), n, replace=False) for n in counts)
    mine, theirs, found = scores_of(model, people.embeddings, references)
    assert not found.dense.any()
    assert np.abs(mine - theirs).max() <= found.rounding < 0.01
    assert theirs.max() <= found.highest + 1e-9


@pytest.mark.parametrize("kind", ["spherical", "diagonal", "diagonal_map", "pooled"])
def test_templates_of_moments_score_alike(make_people: Callable[..., Any], kind: str) -> None:
    people = make_people()
    model = people.model(kind, storage="moments", limit=50)
    references = Ragged.of([np.array([0, 1, 2]), np.array([5, 9])])
    mine, theirs, _ = scores_of(model, people.embeddings, references)
    assert np.abs(mine - theirs).max() < 1e-3


@pytest.mark.parametrize("kind", KINDS[:2] + KINDS[3:5])
def test_equal_references_are_left_to_the_model(make_people: Callable[..., Any], kind: str) -> None:
    people = make_people()
    embeddings = people.embeddings.copy()
    embeddings[1] = embeddings[0]
    references = Ragged.of([np.array([0, 1]), np.array([2, 3, 4])])
    _, theirs, found = scores_of(people.model(kind), embeddings, references)
    assert found.dense.tolist() == [True, False]
    assert not found.weights[:, 0].any()
    assert theirs.max() <= found.highest


def test_a_singular_prior_is_left_to_the_model(make_people: Callable[..., Any]) -> None:
    people = make_people()
    within = people.within.copy()
    within[0] = within[:, 0] = 0.0
    d = len(within)
    background = {"mean": np.full(d, 3.0), "total": people.within + np.eye(d), "within": within}
    model = IdentityModel(people.model("pooled").spec, background)
    assert factor(model, people.embeddings, Ragged.of([np.array([0]), np.array([1])])).dense.all()


def test_far_from_the_background_float32_is_not_trusted(make_people: Callable[..., Any]) -> None:
    people = make_people()
    found = factor(people.model("pooled"), people.embeddings + np.float32(3e4), Ragged.of([np.array([0])]))
    assert found.dense.all()
    assert found.rounding < TOLERANCE


def test_frame_matching_is_refused_by_name(make_people: Callable[..., Any]) -> None:
    model = make_people().model("map", matching={"weights": {"shape.log_mean": 1.0}})
    with pytest.raises(FieldInvalid, match="frame by frame"):
        require_factorable(model, 5)


def test_too_few_references_are_refused(make_people: Callable[..., Any]) -> None:
    with pytest.raises(TooFewReferences, match="2 references or more, 1 given"):
        require_factorable(make_people().model("spherical"), 1)
