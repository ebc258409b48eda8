"""The 1993 experiment on synthetic signers: who is learned from, who enrolls; test forgeries are in neither."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from encode.errors import CorpusInvalid, TrainingError
from eval.corpora.corpus import Corpus, merge
from eval.measures.metrics import far_at, frr_at
from eval.trials import KINDS, TrialKind
from train import reproduce_bromley1993
from train.loop import Trainer
from train.recipe import Recipe
from train.reproduce_bromley1993 import BASELINE, FOLDS, LAST, Outcome, folds, reproduce
from train.strokes import StrokeSet

MakeRecipe = Callable[..., Recipe]
MakeSigners = Callable[..., Corpus]

PEOPLE = [f"w{number:02}" for number in range(16)]


@pytest.fixture(scope="module")
def town(make_signers: MakeSigners) -> Corpus:
    return make_signers("town", PEOPLE, genuine=14, forgeries=3)


@pytest.fixture(scope="module")
def village(make_signers: MakeSigners) -> Corpus:
    """Four people whom nobody forged: they can only be learned from."""
    people = ["v1", "v2", "v3", "v4"]
    return make_signers("village", people, genuine=4, forgeries=0)


def test_folds_are_even_and_follow_from_the_names() -> None:
    parts = folds(PEOPLE)
    assert [len(part) for part in parts] == [4] * FOLDS
    assert sorted(person for part in parts for person in part) == PEOPLE
    assert folds(PEOPLE[::-1]) == parts
    with pytest.raises(CorpusInvalid, match="7 people are too few"):
        folds(PEOPLE[:7])


def test_test_people_and_their_forgeries_are_never_learned_from(
    town: Corpus,
    village: Corpus,
    make_signature_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[set[str], set[str]]] = []

    class Spy(Trainer):
        def __init__(self, recipe: Recipe, training: StrokeSet, background: StrokeSet, *rest: Path, **more: object):
            seen.append((set(training.ids), set(background.ids)))
            assert not set(training.people) & set(background.people)
            super().__init__(recipe, training, background, *rest)

    monkeypatch.setattr(reproduce_bromley1993, "Trainer", Spy)
    outcomes = list(reproduce([town, village], [make_signature_recipe(2)], tmp_path, replicates=50))
    everyone = merge("all", [town, village])
    parts = folds(everyone.people)
    assert len(seen) == FOLDS
    for (training, stopping), test_people in zip(seen, parts, strict=True):
        of_test = {row.id for row in everyone.rows if row.person in test_people}
        assert not (training | stopping) & of_test
        assert training | stopping | of_test == {row.id for row in everyone.rows}
        assert any("-f" in name for name in stopping)
    assert [(outcome.system, outcome.corpus) for outcome in outcomes] == [
        (BASELINE, "town"),
        ("tiny signatures, 304 values", "town"),
    ]
    for outcome in outcomes:
        counts = outcome.rates.trials
        assert (counts.people, counts.genuine, counts.impostor) == (16, 16 * 7, 16 * 3)
        check_interval(outcome)


def check_interval(outcome: Outcome) -> None:
    for rate in (outcome.caught, outcome.accepted):
        assert 0.0 <= rate.low <= rate.value <= rate.high <= 1.0


def test_the_last_six_given_enroll_and_no_forgery_does(
    town: Corpus, make_signature_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone = merge("town", [town])
    samples = reproduce_bromley1993._read(everyone, make_signature_recipe(), lambda *_: None)
    part = folds(samples.people)[0]
    x = np.random.default_rng(0).normal(size=(len(samples.ids), 5)) + np.arange(len(samples.ids))[:, None]
    fitted: list[np.ndarray] = []
    model = reproduce_bromley1993.IdentityModel
    fit = model.fit
    monkeypatch.setattr(model, "fit", lambda self, given: (fitted.append(given), fit(self, given))[1])
    table = reproduce_bromley1993._score_fold(everyone, samples, part, x)
    monkeypatch.undo()
    for person, given in zip(part, fitted, strict=True):
        rows = [samples.ids.index(row.id) for row in everyone.genuine(person)[7 - LAST : 7]]
        np.testing.assert_array_equal(given, x[rows])
        probes = [table.samples[index] for index in table.probe[table.claim == samples.people.index(person)]]
        shots = [*(f"g{shot:02}" for shot in range(7, 14)), *(f"f{shot:02}" for shot in range(3))]
        assert probes == [f"{person}-{shot}" for shot in shots]
    moved = x + 1000.0 * samples.forged.numpy()[:, None]
    again = reproduce_bromley1993._score_fold(everyone, samples, part, moved)
    genuine = table.kind == KINDS.index(TrialKind.GENUINE)
    np.testing.assert_array_equal(table.scores[genuine], again.scores[genuine])
    assert (table.scores[~genuine] > again.scores[~genuine]).all()


def test_the_papers_point_is_that_of_counting(town: Corpus, make_signature_recipe: MakeRecipe) -> None:
    everyone = merge("town", [town])
    samples = reproduce_bromley1993._read(everyone, make_signature_recipe(), lambda *_: None)
    x = samples.views[:, 0, 1:3, ::40].flatten(1).numpy().astype(np.float64)
    tables = [reproduce_bromley1993._score_fold(everyone, samples, part, x) for part in folds(samples.people)]
    outcome = next(reproduce_bromley1993._outcomes("x", everyone, samples, folds(samples.people), [x] * FOLDS, 50))
    scores = np.concatenate([table.scores for table in tables])
    kind = np.concatenate([table.kind for table in tables])
    genuine = scores[kind == KINDS.index(TrialKind.GENUINE)]
    forgeries = scores[kind == KINDS.index(TrialKind.SKILLED)]
    thresholds = np.concatenate([scores, [np.nextafter(scores.max(), np.inf)]])
    caught = max(1 - far_at(forgeries, t) for t in thresholds if frr_at(genuine, t) <= 0.045)
    accepted = max(1 - frr_at(genuine, t) for t in thresholds if far_at(forgeries, t) <= 0.2)
    assert outcome.caught.value == pytest.approx(caught)
    assert outcome.accepted.value == pytest.approx(accepted)


def test_signatures_that_nobody_forged_measure_nothing(
    village: Corpus, make_signers: MakeSigners, make_signature_recipe: MakeRecipe, tmp_path: Path
) -> None:
    more = make_signers("more", [f"m{number}" for number in range(8)], genuine=4, forgeries=0)
    with pytest.raises(CorpusInvalid, match="nobody who was forged"):
        next(reproduce([village, more], [make_signature_recipe()], tmp_path))


def test_a_recipe_of_faces_is_refused(town: Corpus, make_recipe: MakeRecipe, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="reads strokes"):
        next(reproduce([town], [make_recipe()], tmp_path))
