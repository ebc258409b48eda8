"""Table 1 of Chopra, Hadsell & LeCun 2005 on AT&T, with one command.

The paper trains on the first 35 people and tests on the last 5: five images of a person make a Gaussian, the other
images are probed. Five test people are few, so the same is also done in 8 folds of five people, in which everyone is a
test person once; the last fold is the paper's own split. Impostors are the probes of the other test people of the fold.

For every fold the network starts from scratch and sees the 35 training people only; the impostor density, W and PCA
come from the same 35. Two Gaussians are scored: the paper's (one full covariance a person, here with OAS shrinkage,
because five images have rank four) and MAP. PCA with MAP is the baseline that a network has to beat.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encode.errors import CorpusInvalid
from encode.manifest import IdentitySpec
from enroll.identity import IdentityModel
from eval.corpora.corpus import Corpus, Row
from eval.measures.rates import measure
from eval.resampling.bootstrap import PersonBootstrap
from eval.results.kind_results import KindResults
from eval.trials import KINDS, ScoreTable, TrialKind
from train.background import fit_background
from train.development import embed_samples
from train.loop import Trainer
from train.pixels import PixelSet, load_pixels
from train.recipe import Recipe

Array = NDArray[np.float64]

FOLD_PEOPLE = 5
REFERENCES = 5
PCA_COMPONENTS = 50

PAPER_FARS = (0.10, 0.075, 0.05)
PAPER_TEST_FRR = (0.00, 0.01, 0.01)
"""Table 1, AT&T test set: false reject rate at false accept rates of 10, 7.5 and 5 %."""

GAUSSIANS = {
    "full covariance a person": IdentitySpec(kind="full_oas"),
    "MAP": IdentitySpec(kind="map", strength=15.0),
}


@dataclass(frozen=True)
class Outcome:
    """Rates of one system: on the paper's split (last fold) and over all folds."""

    system: str
    gaussian: str
    paper_split: KindResults
    all_folds: KindResults


def folds(corpus: Corpus) -> list[tuple[str, ...]]:
    """Five people a fold, in the corpus's own numbering (s1, s2, … s40); refuses another number of people than 40."""
    people = sorted(corpus.people, key=_natural)
    if len(people) != 8 * FOLD_PEOPLE or any(len(corpus.genuine(person)) != 2 * REFERENCES for person in people):
        raise CorpusInvalid(
            f"{corpus.name} has {len(people)} people; the protocol needs 40 people with 10 images each",
            field="corpus",
            fix="use att:DIR or olivetti:",
        )
    return [tuple(people[start : start + FOLD_PEOPLE]) for start in range(0, len(people), FOLD_PEOPLE)]


def reproduce(
    corpus: Corpus,
    recipes: Sequence[Recipe],
    work: Path,
    *,
    replicates: int = 1000,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Iterator[Outcome]:
    """Yield the outcome of every system as it is done; `work` keeps checkpoints, so that a killed run continues."""
    parts = folds(corpus)
    rows = list(corpus.rows)
    yield from _outcomes("PCA-50 of pixels", corpus, parts, _pca_embeddings(corpus, recipes[0], parts), replicates)
    for recipe in recipes:
        embeddings = []
        everyone = _everyone(corpus, recipe)
        for number, test_people in enumerate(parts):
            folder = work / recipe.name / f"fold{number + 1}"
            found = _trained_embeddings(
                corpus, recipe, everyone, test_people, folder, progress, f"{recipe.name}, fold {number + 1}"
            )
            if len(found) != len(rows):
                raise CorpusInvalid("some images cannot be read; the protocol needs all 400", field="corpus")
            embeddings.append(found)
        yield from _outcomes(recipe.name, corpus, parts, embeddings, replicates)


def _trained_embeddings(
    corpus: Corpus,
    recipe: Recipe,
    everyone: PixelSet,
    test_people: tuple[str, ...],
    folder: Path,
    progress: Callable[[str, int, int], None],
    label: str,
) -> Array:
    """Embeddings of `everyone` by a network that never saw `test_people`: float64 (400, D)."""
    training = corpus.only(set(corpus.people) - set(test_people))
    pixels = load_pixels(training, recipe.steps(), margin=recipe.margin)
    trainer = Trainer(recipe, pixels, None, folder, report=lambda step, steps, losses: progress(label, step, steps))
    network = trainer.run().network
    return embed_samples(network, everyone).astype(np.float64)


def _pca_embeddings(corpus: Corpus, recipe: Recipe, parts: Sequence[tuple[str, ...]]) -> list[Array]:
    """For every fold, pixels projected on the first components of its 35 training people."""
    pixels = _everyone(corpus, recipe).centre().numpy().reshape(len(corpus), -1).astype(np.float64) / 255.0
    projected = []
    for test_people in parts:
        training = pixels[[row.person not in test_people for row in corpus.rows]]
        mean = training.mean(0)
        _, _, components = np.linalg.svd(training - mean, full_matrices=False)
        projected.append((pixels - mean) @ components[:PCA_COMPONENTS].T)
    return projected


def _everyone(corpus: Corpus, recipe: Recipe) -> PixelSet:
    return load_pixels(corpus, recipe.steps(), margin=recipe.margin)


def _outcomes(
    system: str, corpus: Corpus, parts: Sequence[tuple[str, ...]], embeddings: Sequence[Array], replicates: int
) -> Iterator[Outcome]:
    for name, spec in GAUSSIANS.items():
        tables = [_score_fold(corpus, spec, people, x) for people, x in zip(parts, embeddings, strict=True)]
        everyone = replace(
            tables[0],
            kind=np.concatenate([table.kind for table in tables]),
            scores=np.concatenate([table.scores for table in tables]),
            claim=np.concatenate([table.claim for table in tables]),
            draw=np.concatenate([table.draw for table in tables]),
            probe=np.concatenate([table.probe for table in tables]),
        )
        yield Outcome(system, name, _rates(tables[-1], replicates), _rates(everyone, replicates))


def _score_fold(corpus: Corpus, spec: IdentitySpec, test_people: tuple[str, ...], x: Array) -> ScoreTable:
    """Enroll the first five images of each test person, probe everyone's last five; x is float64 (400, D)."""
    index = {row.id: number for number, row in enumerate(corpus.rows)}
    training = np.array([row.person not in test_people for row in corpus.rows])
    labels = np.array([corpus.people.index(row.person) for row in corpus.rows])
    background = fit_background(x[training], labels[training], within_shrinkage=0.1, total_shrinkage=0.1)
    model = IdentityModel(spec, background)

    def rows_of(rows: Sequence[Row]) -> NDArray[np.int32]:
        return np.array([index[row.id] for row in rows], np.int32)

    probes = np.concatenate([rows_of(corpus.genuine(person)[REFERENCES:]) for person in test_people])
    owner = labels[probes]
    kind, scores, claim = [], [], []
    for person in test_people:
        fitted = model.fit(x[rows_of(corpus.genuine(person)[:REFERENCES])])
        number = corpus.people.index(person)
        scores.append(model.llr(fitted, x[probes]))
        genuine, random = KINDS.index(TrialKind.GENUINE), KINDS.index(TrialKind.RANDOM)
        kind.append(np.where(owner == number, genuine, random).astype(np.int8))
        claim.append(np.full(len(probes), number, np.int32))
    return ScoreTable(
        people=corpus.people,
        samples=tuple(row.id for row in corpus.rows),
        kind=np.concatenate(kind),
        scores=np.concatenate(scores),
        claim=np.concatenate(claim),
        draw=np.zeros(len(probes) * len(test_people), np.int32),
        probe=np.tile(probes, len(test_people)),
        model_digest="",
    )


def _rates(table: ScoreTable, replicates: int) -> KindResults:
    genuine, impostor = table.of(TrialKind.GENUINE), table.of(TrialKind.RANDOM)
    return measure(genuine, impostor, PersonBootstrap(genuine, impostor, replicates=replicates, seed=0))


def _natural(person: str) -> tuple[str, int]:
    digits = "".join(character for character in person if character.isdigit())
    return person.rstrip("0123456789"), int(digits or 0)
