"""The experiment of Bromley, Guyon, LeCun, Säckinger & Shah 1993 on signatures that can be had today.

The paper's own signatures were never published. Its experiment is: train the network on some writers; of another
writer, fit a spherical Gaussian to the last six genuine signatures given; score further genuine signatures and skilled
forgeries. It reports one point of the curve: 80 % of forgeries caught at 95.5 % of genuine signatures accepted.

Here everyone is a test person once. People are divided into folds; for each, the network starts from scratch and sees
people of the other folds alone, one in five of whom only say when to stop and what everyone else looks like. The first
half of a person's genuine signatures, in the order of writing, is given, and the Gaussian is of the last six of it; the
second half is probed, and all forgeries of the person. Forgeries of test people are in no training set and no Gaussian.

The baseline is the same Gaussian on the network's input: 1,600 feature values as they are.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encode.errors import CorpusInvalid, TrainingError
from encode.manifest import IdentitySpec
from encode.stroke_preprocessing import StrokePreprocessing
from enroll.identity import IdentityModel
from eval.corpora.corpus import Corpus, merge
from eval.measures.rates import measure, points_of
from eval.resampling.bootstrap import PersonBootstrap
from eval.results.kind_results import KindResults
from eval.trials import KINDS, ScoreTable, TrialKind, Trials
from train.background import fit_background
from train.development import embed_samples
from train.loop import Trainer
from train.recipe import Recipe
from train.strokes import StrokeSet, load_strokes
from verify.policy import Rate

Array = NDArray[np.float64]

FOLDS = 4
LAST = 6
"""Genuine signatures that the Gaussian is fitted to."""
LEAST_GIVEN = 2

GENUINE_ACCEPTED, FORGERIES_CAUGHT = 0.955, 0.80
"""The paper's operating point."""

BASELINE = "features as they are, 1,600 values"
_SPHERICAL = IdentitySpec(kind="spherical", recent=LAST, anchors=0)
_BACKGROUND_ONE_IN = 5


@dataclass(frozen=True)
class Outcome:
    """What one system did on the people of one corpus; all with 95 % intervals by person.

    Attributes
    ----------
    caught : share of forgeries rejected where `GENUINE_ACCEPTED` of genuine signatures are accepted.
    accepted : share of genuine signatures accepted where `FORGERIES_CAUGHT` of forgeries are rejected.
    rates : everything else, EER among it.
    """

    system: str
    corpus: str
    caught: Rate
    accepted: Rate
    rates: KindResults


def folds(people: Sequence[str], count: int = FOLDS) -> list[tuple[str, ...]]:
    """People → `count` parts of about the same size, by a fixed hash of the name.

    Raises CorpusInvalid for fewer people than two a fold.
    """
    if len(people) < 2 * count:
        raise CorpusInvalid(f"{len(people)} people are too few for {count} folds", field="corpus", fix="add a corpus")
    ordered = sorted(people, key=lambda person: hashlib.sha256(f"fold\0{person}".encode()).digest())
    return [tuple(sorted(ordered[start::count])) for start in range(count)]


def reproduce(
    corpora: Sequence[Corpus],
    recipes: Sequence[Recipe],
    work: Path,
    *,
    replicates: int = 1000,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Iterator[Outcome]:
    """Yield the outcomes of the baseline and of every recipe; `work` keeps checkpoints, so a killed run continues.

    The recipes must read the same features. Raises CorpusInvalid, TrainingError.
    """
    everyone = merge("+".join(corpus.name for corpus in corpora), corpora)
    samples = _read(everyone, recipes[0], progress)
    parts = folds(samples.people)
    plain: Array = samples.views[:, 0].flatten(1).numpy().astype(np.float64)
    yield from _outcomes(BASELINE, everyone, samples, parts, [plain] * len(parts), replicates)
    for recipe in recipes:
        embeddings = []
        for number, test_people in enumerate(parts, start=1):
            training, stopping = _learners(samples, test_people)
            label = f"{recipe.name}, fold {number}"
            trainer = Trainer(
                recipe,
                samples.only(training),
                samples.only(stopping),
                work / recipe.name / f"fold{number}",
                report=lambda step, steps, losses, label=label: progress(label, step, steps),  # type: ignore[misc]
            )
            embeddings.append(embed_samples(trainer.run().network, samples).astype(np.float64))
        yield from _outcomes(
            f"{recipe.name}, {embeddings[0].shape[1]} values", everyone, samples, parts, embeddings, replicates
        )


def _read(corpus: Corpus, recipe: Recipe, progress: Callable[[str, int, int], None]) -> StrokeSet:
    steps = recipe.steps()
    if not isinstance(steps, StrokePreprocessing):
        raise TrainingError("the 1993 network reads strokes", field="preprocessing")
    return load_strokes(
        corpus, steps, recipe.jitter, seed=recipe.seed, advance=lambda done, total: progress("read", done, total)
    )


def _learners(samples: StrokeSet, test_people: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Everyone but the test people: who is trained on, and the one in five who is not."""
    others = sorted(set(samples.people) - set(test_people))
    forged = {samples.people[int(label)] for label in samples.labels[samples.forged]}
    # Those who were forged first: stopping needs forgeries to look at.
    ordered = sorted(others, key=lambda name: (name not in forged, hashlib.sha256(f"stop\0{name}".encode()).digest()))
    count = max(2, len(others) // _BACKGROUND_ONE_IN)
    return sorted(ordered[count:]), sorted(ordered[:count])


def _outcomes(
    system: str,
    corpus: Corpus,
    samples: StrokeSet,
    parts: Sequence[tuple[str, ...]],
    embeddings: Sequence[Array],
    replicates: int,
) -> Iterator[Outcome]:
    tables = [_score_fold(corpus, samples, people, x) for people, x in zip(parts, embeddings, strict=True)]
    columns = {
        name: np.concatenate([getattr(table, name) for table in tables])
        for name in ("kind", "scores", "claim", "draw", "probe")
    }
    of_claim = np.array(samples.corpus_of)[columns["claim"]]
    for name in dict.fromkeys(samples.corpus_of):
        own = of_claim == name
        if not own.any():
            continue  # nobody of this corpus was forged: it is there to learn from
        table = replace(tables[0], **{column: values[own] for column, values in columns.items()})
        yield _measured(system, name, table, replicates)


def _score_fold(corpus: Corpus, samples: StrokeSet, test_people: tuple[str, ...], x: Array) -> ScoreTable:
    """Claims of every test person who was forged; `x` float64 (N, D) has a row for every sample."""
    labels, forged = samples.labels.numpy(), samples.forged.numpy()
    _, stopping = _learners(samples, test_people)
    behind = np.isin(labels, [samples.people.index(person) for person in stopping]) & ~forged
    background = fit_background(x[behind], labels[behind], within_shrinkage=0.5, total_shrinkage=0.9)
    model = IdentityModel(_SPHERICAL, background)
    index = {name: number for number, name in enumerate(samples.ids)}
    kind, scores, claim, probe = [], [], [], []
    for person in test_people:
        own = [index[row.id] for row in corpus.genuine(person) if row.id in index]
        forgeries = [index[row.id] for row in corpus.forgeries(person) if row.id in index]
        given = own[: len(own) // 2]
        if not forgeries or len(given) < LEAST_GIVEN:
            continue
        probes = np.array([*own[len(given) :], *forgeries], np.int32)
        scores.append(model.llr(model.fit(x[given[-LAST:]]), x[probes]))
        genuine, skilled = KINDS.index(TrialKind.GENUINE), KINDS.index(TrialKind.SKILLED)
        kind.append(np.where(forged[probes], skilled, genuine).astype(np.int8))
        claim.append(np.full(len(probes), samples.people.index(person), np.int32))
        probe.append(probes)
    if not scores:
        raise CorpusInvalid("a fold has nobody who was forged", field="corpus", fix="add a corpus with forgeries")
    return ScoreTable(
        people=samples.people,
        samples=samples.ids,
        kind=np.concatenate(kind),
        scores=np.concatenate(scores),
        claim=np.concatenate(claim),
        draw=np.zeros(sum(map(len, scores)), np.int32),
        probe=np.concatenate(probe),
        model_digest="",
    )


def _measured(system: str, corpus: str, table: ScoreTable, replicates: int) -> Outcome:
    genuine, forgeries = table.of(TrialKind.GENUINE), table.of(TrialKind.SKILLED)
    bootstrap = PersonBootstrap(genuine, forgeries, replicates=replicates, seed=0)
    at_caught = points_of(genuine, forgeries, bootstrap).at_far(1.0 - FORGERIES_CAUGHT)
    # With the sign of all scores turned, forgeries and genuine signatures trade places: the FRR at a FAR is then the
    # share of forgeries accepted at a share of genuine signatures rejected.
    as_genuine, as_impostor = _turned(forgeries), _turned(genuine)
    turned = PersonBootstrap(as_genuine, as_impostor, replicates=replicates, seed=0)
    at_accepted = points_of(as_genuine, as_impostor, turned).at_far(1.0 - GENUINE_ACCEPTED)
    return Outcome(
        system,
        corpus,
        caught=_complement(at_accepted.frr),
        accepted=_complement(at_caught.frr),
        rates=measure(genuine, forgeries, bootstrap),
    )


def _turned(trials: Trials) -> Trials:
    return replace(trials, scores=-trials.scores)


def _complement(rate: Rate) -> Rate:
    return Rate(value=1.0 - rate.value, low=1.0 - rate.high, high=1.0 - rate.low)
