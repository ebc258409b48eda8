"""The modern signature encoder from synthetic signers to a sealed bundle that serves: one tiny run."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from encode.bundle import Bundle, open_bundle
from encode.encoder import Encoder
from encode.errors import TrainingError
from encode.manifest import CARD, ENCODER
from encode.sample import Modality
from enroll.identity import IdentityModel
from eval.corpora.corpus import Corpus, Row
from eval.synthetic.signers import Signer
from train.export import PARITY_TOLERANCE, check_parity
from train.networks.pen_residual import PenMembers, WithTrace
from train.people_split import Role
from train.pool import Pool, open_pool
from train.recipe import Recipe
from train.run import fit_network, load_samples, train_bundle
from train.strokes import StrokeSet
from verify.policy import Policy

MakeRecipe = Callable[..., Recipe]
Named = Callable[..., list[str]]

LENGTH, EMBEDDING = 64, 16
OWN = 2 * 4 * LENGTH // 2
"""Values of the learned frames in a row: four channels of two members, one frame for two points."""


def signers(people: list[str]) -> Corpus:
    """Synthetic signers of these names: seven signatures, four forgeries each."""
    rows = []
    for person in people:
        signer = Signer.draw(int(person.removeprefix("q")) + 1)
        for kind, samples in (("genuine", signer.genuine(7)), ("forgery", signer.forgeries(4))):
            for order, sample in enumerate(samples):
                row = Row(
                    id=f"{person}-{kind}-{order}",
                    path=Path("nowhere"),
                    person=person,
                    modality=Modality.SIGNATURE,
                    kind=kind,
                    order=order,
                    loader=lambda _, sample=sample: sample,  # type: ignore[misc]
                )
                rows.append(row)
    return Corpus("town", rows)


@dataclass(frozen=True)
class Done:
    sealed: Bundle
    recipe: Recipe
    pool: Pool
    work: Path
    stages: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, make_pen_recipe: MakeRecipe, named: Named) -> Done:
    root, recipe = tmp_path_factory.mktemp("run"), make_pen_recipe(4)
    corpus = signers(named("town", training=5, background=5, policy=3))
    stages: list[tuple[str, int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.pool.open_corpus", lambda _: corpus)
        sealed = train_bundle(
            recipe, ["town"], root / "bundle", root / "work", progress=lambda *stage: stages.append(stage)
        )
        pool = open_pool(["town"], modality=Modality.SIGNATURE, shares=recipe.split)
    return Done(sealed, recipe, pool, root / "work", stages)


@pytest.fixture(scope="module")
def network(done: Done) -> PenMembers:
    """What was trained: the finished run is reloaded."""
    trained = fit_network(done.recipe, done.pool, done.work)
    assert trained.steps == 2 * 4
    assert isinstance(trained.network, PenMembers)
    return trained.network


def rows_of(done: Done, role: Role, kind: str = "genuine") -> list[Row]:
    return [row for row in done.pool.part(role).rows if row.kind == kind]


def embed(done: Done, rows: list[Row]) -> NDArray[np.float64]:
    return Encoder(done.sealed, threads=1).embed([row.load() for row in rows]).astype(np.float64)


def test_the_bundle_opens_and_says_what_it_holds(done: Done) -> None:
    bundle = open_bundle(done.sealed.path)
    manifest = bundle.manifest
    assert (manifest.modality, manifest.embedding.size) == (Modality.SIGNATURE, EMBEDDING + 4 * LENGTH + OWN)
    assert (manifest.embedding.vector, manifest.embedding.unit_norm) == (EMBEDDING, True)
    assert manifest.preprocessing == [{"step": "pen_frames", "rate": 20.0, "frames": LENGTH}]
    assert bundle.background["mean"].shape == (EMBEDDING,)
    assert bundle.background["samples"] == [5 * 7]
    assert manifest.identity.kind == "map"
    matching = manifest.identity.matching
    assert matching is not None
    assert {name.partition(".")[0] for name in matching.weights} >= {"shape", "path_change", "log_length"}
    assert {"learned.log_mean", "learned.log_spread"} < set(matching.weights)
    assert matching.learned == 2 * 4
    assert {"shape", "shape+pressure", "learned"} <= set(matching.lone_spread)
    assert json.loads(json.dumps(manifest.recipe))["episodes"]["writers"] == 3
    uses = {(use.name, use.role): (use.people, use.samples) for use in manifest.corpora}
    assert uses == {("town", "training"): (5, 5 * 11), ("town", "development"): (8, 8 * 11)}


def test_a_row_is_the_embedding_and_then_the_trace(done: Done, network: PenMembers) -> None:
    encoder = Encoder(done.sealed, threads=1)
    rows = rows_of(done, Role.POLICY)[:3]
    frames = np.stack([encoder.prepare(row.load()) for row in rows])
    found = encoder.embed([row.load() for row in rows])
    assert found.shape == (3, EMBEDDING + 4 * LENGTH + OWN)
    with torch.no_grad():
        expected, learned = (part.numpy() for part in network.embed(torch.from_numpy(frames)))
    np.testing.assert_allclose(found[:, :EMBEDDING], expected, atol=PARITY_TOLERANCE)
    np.testing.assert_allclose(found[:, -OWN:], learned.reshape(3, OWN), atol=1 / 32 + PARITY_TOLERANCE)
    np.testing.assert_allclose(np.linalg.norm(found[:, :EMBEDDING], axis=1), 1.0, atol=1e-5)
    trace = found[:, EMBEDDING:-OWN].reshape(3, 4, LENGTH)
    np.testing.assert_allclose(trace, frames[:, [0, 1, 2, 4]], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(trace[:, 3], frames[:, 4])


def test_the_sealed_network_is_the_trained_one(done: Done, network: PenMembers) -> None:
    data = (done.sealed.path / ENCODER).read_bytes()
    assert check_parity(WithTrace(network, learned=True), data, (5, LENGTH)) <= PARITY_TOLERANCE
    other = PenMembers([network.members[1], network.members[0]])  # type: ignore[list-item]
    with pytest.raises(TrainingError, match="differs from the trained one"):
        check_parity(WithTrace(other, learned=True), data, (5, LENGTH))


def test_a_killed_run_ends_in_the_same_weights(
    done: Done, network: PenMembers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed past a checkpoint of the second member; the first one is only reloaded."""

    class Killed(Exception):
        pass

    def killed(stage: str, step: int, steps: int) -> None:
        if (stage, step) == ("train", 7):
            raise Killed

    monkeypatch.setattr("train.loop.CHECKPOINT_EVERY", 2)
    with pytest.raises(Killed):
        fit_network(done.recipe, done.pool, tmp_path, progress=killed)
    seen: list[int] = []
    resumed = fit_network(
        done.recipe,
        done.pool,
        tmp_path,
        progress=lambda stage, step, _: seen.append(step) if stage == "train" else None,
    )
    assert seen == [7, 8]
    assert resumed.network.state_dict().keys() == network.state_dict().keys()
    for name, value in resumed.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name


def test_the_model_enrols_and_scores_as_its_weights_say(done: Done) -> None:
    model = IdentityModel.from_bundle(done.sealed)
    person = rows_of(done, Role.POLICY)[0].person
    own = [row for row in rows_of(done, Role.POLICY) if row.person == person]
    probes = embed(done, own[5:])
    enrolled = model.fit(embed(done, own[:5]))
    parts = model.parts(enrolled, probes)
    matching, calibration = done.sealed.manifest.identity.matching, done.sealed.manifest.identity.calibration
    assert matching is not None
    raw = sum(weight * parts[name] for name, weight in matching.weights.items())
    found = model.llr(enrolled, probes)
    np.testing.assert_allclose(found, calibration.scale * raw + calibration.offset)
    assert np.isfinite(found).all()
    # One reference suffices: what stands in for the spread is in the bundle.
    assert np.isfinite(model.llr(model.fit(embed(done, own[:1])), probes)).all()


def test_own_signatures_score_above_other_people_s(done: Done) -> None:
    model = IdentityModel.from_bundle(done.sealed)
    rows = rows_of(done, Role.POLICY)
    people, x = np.array([row.person for row in rows]), embed(done, rows)
    for person in np.unique(people):
        enrolled = model.fit(x[people == person][:5])
        own, others = (model.llr(enrolled, part) for part in (x[people == person][5:], x[people != person]))
        assert np.median(own) > np.median(others)


def test_thresholds_are_set_against_forgeries(done: Done) -> None:
    assert done.sealed.policy is not None
    policy = Policy.from_json(done.sealed.policy)
    policy.require_model(done.sealed.model_digest, Modality.SIGNATURE)
    # Each of the four forgeries is there twice, and counts once.
    assert (policy.impostor, policy.corpus.people, policy.trials.impostor) == ("skilled", 3, 3 * 4)
    assert policy.corpus.name.endswith("every forgery also as quick as the writer")


def test_training_people_are_read_as_recorded(done: Done) -> None:
    """Episodes vary signatures themselves: there are no jittered views beside them."""
    training = load_samples(done.pool.part(Role.TRAINING), done.recipe, varied=True)
    assert isinstance(training, StrokeSet)
    assert training.views.shape == (5 * 11, 1, 5, LENGTH)


def test_both_members_are_reported_as_one_run(done: Done) -> None:
    assert [(step, steps) for stage, step, steps in done.stages if stage == "train"] == [(n, 8) for n in range(1, 9)]


def test_the_card_names_losses_and_weights(done: Done) -> None:
    card = (done.sealed.path / CARD).read_text(encoding="utf-8")
    assert "warping (weight 1), embedding (weight 1), supcon (weight 0.5); 8 steps" in card
    assert "5 features x 64 points in time, embedding of 16 values" in card
    assert "| shape.log_mean |" in card


def test_the_network_learns_from_a_loss_on_batches_without_episodes(
    done: Done, tmp_path: Path, make_pen_recipe: MakeRecipe
) -> None:
    """With made forgeries beside real ones; the development figure is of background people, as ever."""
    recipe = make_pen_recipe(
        3,
        episodes=None,
        losses=[{"kind": "supcon"}],
        batch={"people": 4, "samples": 3, "forgeries": 2},
        pen_variation={"longest": 40, "made": 0.5},
    )
    trained = fit_network(recipe, done.pool, tmp_path)
    assert isinstance(trained.network, PenMembers)
    assert trained.steps == 2 * 3
    assert 0.0 <= trained.best_eer <= 1.0
    again = fit_network(recipe, done.pool, tmp_path / "again")
    for one, other in zip(trained.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)
