"""From signatures to a sealed bundle, with the same code as faces; and forgeries stay on their person's side."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from encode.bundle import Bundle
from encode.encoder import Encoder
from encode.errors import CorpusInvalid
from encode.manifest import CARD
from encode.sample import Modality, StrokesSample
from eval.corpora.corpus import Corpus
from train.background import fit_background
from train.embedding import embed_prepared, prepare_corpus
from train.people_split import Role
from train.pool import Pool, open_pool
from train.recipe import Recipe
from train.run import load_samples, train_bundle
from verify.policy import Policy

Sign = Callable[[str, int, bool], StrokesSample]
MakeSigners = Callable[..., Corpus]
MakeRecipe = Callable[..., Recipe]
Named = Callable[..., list[str]]


@pytest.fixture(scope="module")
def corpora(make_signers: MakeSigners, named: Named) -> dict[str, Corpus]:
    """One corpus in which everybody was forged, and a smaller one in which nobody was."""
    town, village = named("town", training=8, background=4, policy=9), named("village", training=3, policy=1)
    return {
        "town": make_signers("town", town, genuine=8, forgeries=4),
        "village": make_signers("village", village, genuine=6, forgeries=0),
    }


@pytest.fixture
def opened(corpora: dict[str, Corpus], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Specs that open the corpora above."""
    monkeypatch.setattr("train.pool.open_corpus", lambda spec: corpora[spec])
    return list(corpora)


@dataclass(frozen=True)
class Done:
    bundle: Bundle
    recipe: Recipe
    pool: Pool


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, corpora: dict[str, Corpus], make_signature_recipe: MakeRecipe
) -> Done:
    root = tmp_path_factory.mktemp("run")
    recipe = make_signature_recipe(30, optimisation={"evaluate_every": 10})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.pool.open_corpus", lambda spec: corpora[spec])
        bundle = train_bundle(recipe, list(corpora), root / "bundle", root / "work")
        return Done(bundle, recipe, open_pool(list(corpora), modality=Modality.SIGNATURE))


def test_the_bundle_reads_strokes_and_keeps_the_last_six(done: Done, sign: Sign) -> None:
    manifest = done.bundle.manifest
    assert (manifest.modality, manifest.embedding.size, manifest.embedding.unit_norm) == (Modality.SIGNATURE, 304, True)
    assert (manifest.identity.kind, manifest.identity.recent, manifest.identity.anchors) == ("spherical", 6, 0)
    x = Encoder(done.bundle, threads=1).embed([sign("someone", shot, False) for shot in range(3)])
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, atol=1e-5)


def test_forgeries_are_counted_with_whom_they_imitate(done: Done) -> None:
    uses = {(use.name, use.role): (use.people, use.samples) for use in done.bundle.manifest.corpora}
    assert uses == {
        ("town", "training"): (8, 8 * 12),
        ("town", "development"): (13, 13 * 12),
        ("village", "training"): (3, 3 * 6),
        ("village", "development"): (1, 6),
    }


def test_no_forgery_of_a_development_person_is_trained_on(done: Done) -> None:
    training = load_samples(done.pool.part(Role.TRAINING), done.recipe, varied=True)
    assert int(training.forged.sum()) == 8 * 4
    held = {*done.pool.people[Role.BACKGROUND], *done.pool.people[Role.POLICY]}
    assert {row.person for row in done.pool.merged.rows if row.kind == "forgery"} & held
    assert not set(training.people) & held


def test_the_background_never_sees_a_forgery(done: Done) -> None:
    encoder = Encoder(done.bundle, threads=1)
    found = embed_prepared(encoder, prepare_corpus(encoder, done.pool.part(Role.BACKGROUND)))
    assert int(found.forged.sum()) == 4 * 4
    assert done.bundle.background["samples"] == [4 * 8]
    own = ~found.forged
    np.testing.assert_array_equal(found.own[0], found.x[own])
    expected = fit_background(found.x[own], found.labels[own], within_shrinkage=0.5, total_shrinkage=0.5)
    np.testing.assert_allclose(done.bundle.background["mean"], expected["mean"])
    np.testing.assert_allclose(done.bundle.background["within"], expected["within"])


def test_thresholds_are_set_on_people_who_were_forged(done: Done) -> None:
    part = done.pool.policy_part()
    assert {person.partition("/")[0] for person in part.people} == {"town"}
    assert len(part.people) == 9
    assert done.bundle.policy is not None
    policy = Policy.from_json(done.bundle.policy)
    policy.require_model(done.bundle.model_digest, Modality.SIGNATURE)
    assert (policy.impostor, policy.corpus.people, policy.trials.impostor) == ("skilled", 9, 9 * 4)


def test_the_card_speaks_of_signatures(done: Done) -> None:
    card = (done.bundle.path / CARD).read_text(encoding="utf-8")
    assert "A signature encoder: 3,004 trained parameters, input 8 features x 200 points in time" in card
    assert "impostors: skilled forgeries" in card
    assert "bromley1993 (weight 1); 30 steps" in card
    assert "face" not in card


def test_a_corpus_can_be_held_out(opened: list[str]) -> None:
    pool = open_pool(opened, modality=Modality.SIGNATURE, hold_out={"town": 1.0})
    assert {person.partition("/")[0] for person in pool.people[Role.HELD_OUT]} == {"town"}
    assert len(pool.people[Role.HELD_OUT]) == 21
    assert {use.name for use in pool.uses()} == {"village"}


def test_signatures_are_no_faces(opened: list[str]) -> None:
    with pytest.raises(CorpusInvalid, match="holds no samples"):
        open_pool(opened)


def test_a_second_run_is_the_same_model(done: Done, opened: list[str], tmp_path: Path) -> None:
    again = train_bundle(done.recipe, opened, tmp_path / "bundle", tmp_path / "work")
    assert again.model_digest == done.bundle.model_digest
