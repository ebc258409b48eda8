"""The 2005 experiment on a small stand-in for AT&T: who trains, who is tested, and how many trials there are."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encode.errors import CorpusInvalid
from eval.corpora.corpus import Corpus
from eval.corpora.spec import open_corpus
from train import reproduce_chopra2005
from train.loop import Trainer
from train.pixels import PixelSet
from train.recipe import Recipe, load_recipe
from train.reproduce_chopra2005 import folds, reproduce


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """40 people of ten images: a coarse pattern a person, and noise."""
    root = tmp_path_factory.mktemp("att")
    generator = np.random.default_rng(0)
    for person in range(1, 41):
        pattern = generator.integers(0, 200, (7, 6))
        (root / f"s{person}").mkdir()
        for number in range(1, 11):
            pixels = (pattern + generator.integers(0, 50, (7, 6))).astype(np.uint8)
            Image.fromarray(pixels).resize((46, 56)).save(root / f"s{person}" / f"{number}.pgm")
    return open_corpus(f"att:{root}")


@pytest.fixture
def recipe() -> Recipe:
    shipped = load_recipe("att-chopra2005")
    plan = dataclasses.replace(shipped.optimisation, steps=1, warmup=1, evaluate_every=1)
    batch = dataclasses.replace(shipped.batch, people=3, samples=2)
    return dataclasses.replace(shipped, optimisation=plan, batch=batch)


def test_the_last_fold_is_the_papers_split(faces: Corpus) -> None:
    parts = folds(faces)
    assert parts[0] == ("s1", "s2", "s3", "s4", "s5")
    assert parts[-1] == ("s36", "s37", "s38", "s39", "s40")
    assert sorted(person for part in parts for person in part) == sorted(faces.people)


def test_another_number_of_people_is_refused(faces: Corpus) -> None:
    with pytest.raises(CorpusInvalid, match="39 people; the protocol needs 40"):
        folds(faces.only(set(faces.people) - {"s7"}))


def test_every_fold_trains_on_the_other_35_people(
    faces: Corpus, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[set[str]] = []

    class Spy(Trainer):
        def __init__(self, recipe: Recipe, training: PixelSet, background: None, folder: Path, **rest: object) -> None:
            learned.append(set(training.people))
            super().__init__(recipe, training, background, folder)

    monkeypatch.setattr(reproduce_chopra2005, "Trainer", Spy)
    outcomes = list(reproduce(faces, [recipe], tmp_path, replicates=50))
    assert [set(faces.people) - people for people in learned] == [set(part) for part in folds(faces)]
    assert [(o.system, o.gaussian) for o in outcomes] == [
        (system, gaussian)
        for system in ("PCA-50 of pixels", "att-chopra2005")
        for gaussian in ("full covariance a person", "MAP")
    ]
    for outcome in outcomes:
        split, everyone = outcome.paper_split.trials, outcome.all_folds.trials
        assert (split.genuine, split.impostor, split.people) == (25, 100, 5)
        assert (everyone.genuine, everyone.impostor, everyone.people) == (200, 800, 40)
    pca = outcomes[1].all_folds
    assert pca.eer.value < 0.2  # patterns differ far more between people than within
