"""From folders of pictures to a sealed bundle, on a few synthetic people and a network of a few thousand weights."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.bundle import Bundle, open_bundle
from encode.encoder import Encoder
from encode.errors import CorpusInvalid, CorpusOverlap, TrainingError
from encode.manifest import CARD, MANIFEST, POLICY
from encode.sample import ImageSample, Modality
from enroll.stores.memory import MemoryStore
from eval.corpora.corpus import Corpus
from eval.corpora.folder import read_folder
from train.embedding import embed_prepared, prepare_corpus
from train.networks.residual import count_parameters
from train.people_split import Role
from train.pool import open_pool
from train.recipe import Recipe
from train.run import fit_network, train_bundle
from verify.model import load_model
from verify.policy import Policy
from verify.verifier import Verifier

MakeRecipe = Callable[..., Recipe]
WriteFaces = Callable[..., Path]
Face = Callable[[str, int], NDArray[np.uint8]]
Encoded = Callable[..., bytes]
Named = Callable[..., list[str]]


@dataclass(frozen=True)
class Done:
    """A finished run and all that it was given."""

    bundle: Bundle
    recipe: Recipe
    specs: list[str]
    cohort: list[str]
    work: Path
    people: list[str]
    progress: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, write_faces: WriteFaces, make_recipe: MakeRecipe, named: Named
) -> Done:
    root = tmp_path_factory.mktemp("run")
    crowd, town = named("crowd", training=6, background=5, policy=6), named("town", training=3, background=4, policy=2)
    visitors = ["visitor1", "visitor2", "visitor3"]
    write_faces(root / "crowd", crowd)
    write_faces(root / "town", town)
    write_faces(root / "visitors", visitors, samples=1)
    recipe = make_recipe(40, mirror=True, optimisation={"evaluate_every": 10, "rate": 1e-2})
    specs, cohort = [f"folder:{root / 'crowd'}", f"folder:{root / 'town'}"], [f"folder:{root / 'visitors'}"]
    progress: list[tuple[str, int, int]] = []
    bundle = train_bundle(
        recipe, specs, root / "bundle", root / "work", cohort=cohort, progress=lambda *given: progress.append(given)
    )
    return Done(bundle, recipe, specs, cohort, root / "work", [*crowd, *town, *visitors], progress)


def test_the_bundle_opens_and_says_what_it_is(done: Done) -> None:
    bundle = open_bundle(done.bundle.path)
    assert bundle.model_digest == done.bundle.model_digest
    assert (bundle.manifest.name, bundle.manifest.modality) == ("tiny", Modality.FACE)
    assert bundle.manifest.preprocessing == done.recipe.steps().describe()
    assert (bundle.manifest.embedding.size, bundle.manifest.embedding.unit_norm) == (16, True)
    assert bundle.manifest.recipe == json.loads(json.dumps(done.recipe.describe()))
    assert bundle.background["people"] == [9.0]
    assert bundle.background["samples"] == [36.0]


def test_corpora_and_roles_are_counted(done: Done) -> None:
    uses = {(use.name, use.role): (use.people, use.samples) for use in done.bundle.manifest.corpora}
    assert uses == {
        ("crowd", "training"): (6, 24),
        ("crowd", "development"): (11, 44),
        ("town", "training"): (3, 12),
        ("town", "development"): (6, 24),
        ("visitors", "development"): (3, 3),
    }


def test_the_encoder_tells_people_apart(done: Done, face: Face, encoded: Encoded) -> None:
    """Even forty steps leave pictures of one person nearer to each other than to others'."""
    encoder = Encoder(done.bundle, threads=1)
    x = encoder.embed([ImageSample(encoded(face(person, shot))) for person in "abcdefgh" for shot in range(4)])
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, atol=1e-5)
    distances = np.linalg.norm(x[:, None] - x[None], axis=-1)
    same = np.kron(np.eye(8), np.ones((4, 4))).astype(bool) & ~np.eye(32, dtype=bool)
    assert distances[same].mean() < 0.95 * distances[~same].mean()


def test_a_face_and_its_mirror_image_are_one(done: Done, face: Face, encoded: Encoded) -> None:
    encoder = Encoder(done.bundle, threads=1)
    pixels = face("someone", 0)
    found = encoder.embed([ImageSample(encoded(image)) for image in (pixels, pixels[:, ::-1].copy())])
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)


def test_the_model_serves(done: Done, face: Face, encoded: Encoded) -> None:
    model = load_model(done.bundle.path, threads=1)
    assert model.policy is not None
    verifier = Verifier({Modality.FACE: model}, MemoryStore())
    x = model.encoder.embed_prepared(
        np.stack([model.encoder.prepare(ImageSample(encoded(face(name, shot)))) for name in "ab" for shot in range(4)])
    )
    scores = verifier.llr(Modality.FACE, verifier.fit(Modality.FACE, x[:3]), x[3:])
    assert np.isfinite(scores).all()
    decision = verifier.decide({Modality.FACE: [float(scores[0])]}, None)
    assert decision.threshold == model.policy.row_for(model.policy.default_target_far).threshold


def test_the_policy_belongs_to_the_model_and_names_its_people(done: Done) -> None:
    assert done.bundle.policy is not None
    policy = Policy.from_json(done.bundle.policy)
    policy.require_model(done.bundle.model_digest, Modality.FACE)
    assert policy.corpus.people == 6
    assert "crowd" in policy.corpus.name
    assert "visitors" in policy.corpus.name
    assert policy.impostor == "random"
    thresholds = [row.threshold for row in policy.table]
    assert thresholds == sorted(thresholds)
    assert all(row.achieved_far.value <= row.target_far for row in policy.table)


def test_the_card_is_written_from_the_run(done: Done) -> None:
    card = (done.bundle.path / CARD).read_text(encoding="utf-8")
    manifest = done.bundle.manifest
    assert card.startswith("# Model card: tiny\n")
    for part in ("## Corpora", "## Training", "## Identity model", "## Thresholds", "## Limits", "No liveness"):
        assert part in card
    assert "| crowd | training | 6 | 24 | research use |" in card
    assert "hadsell2006 (weight 1), supcon (weight 1), cosface (weight 1); 40 steps" in card
    assert f"llr = {manifest.identity.calibration.scale:.4f} · raw" in card
    assert f"input 32 x 24 grey, embedding of {manifest.embedding.size} values" in card
    assert manifest.identity.kind in card
    assert "not finished" not in card


def test_the_card_counts_the_networks_values(done: Done) -> None:
    pool = open_pool(done.specs, done.cohort)
    trained = fit_network(done.recipe, pool, done.work)
    card = (done.bundle.path / CARD).read_text(encoding="utf-8")
    assert f"{count_parameters(trained.network):,} trained parameters" in card
    assert f"of step {trained.best_step}, where the EER" in card


def test_nothing_in_the_bundle_names_a_person_or_a_place(done: Done) -> None:
    places = [str(done.bundle.path.parent), str(Path(__file__).parents[2])]
    for part in done.bundle.path.iterdir():
        content = part.read_bytes()
        assert not [text for text in (*places, *done.people) if text.encode() in content], part.name


def test_progress_runs_to_the_end_of_every_stage(done: Done) -> None:
    for stage in ("read", "train", "embed"):
        steps = [(number, total) for name, number, total in done.progress if name == stage]
        assert steps
        assert all(1 <= number <= total for number, total in steps)
        assert steps[-1][0] == steps[-1][1]


def test_a_second_run_is_the_same_model(done: Done, tmp_path: Path) -> None:
    """Recipe and pictures decide, bit by bit, and neither the day nor the folder."""
    again = train_bundle(done.recipe, done.specs, tmp_path / "bundle", tmp_path / "work", cohort=done.cohort)
    assert again.model_digest == done.bundle.model_digest


def test_people_are_divided_by_name(done: Done) -> None:
    pool = open_pool(done.specs, done.cohort)
    assert pool.merged.name == "crowd+town"
    assert {role: len(people) for role, people in pool.people.items()} == {
        Role.TRAINING: 9,
        Role.BACKGROUND: 9,
        Role.POLICY: 8,
        Role.HELD_OUT: 0,
    }
    parts = {role: set(pool.part(role).people) for role in Role if role is not Role.HELD_OUT}
    assert not parts[Role.TRAINING] & (parts[Role.BACKGROUND] | parts[Role.POLICY])
    policy = pool.policy_part()
    assert {person.partition("/")[0] for person in policy.people} == {"crowd", "visitors"}
    assert len(policy.people) == 6 + 3


def test_embeddings_keep_their_people_and_corpora(done: Done) -> None:
    part = open_pool(done.specs).part(Role.BACKGROUND)
    encoder = Encoder(done.bundle, threads=1)
    found = embed_prepared(encoder, prepare_corpus(encoder, part))
    assert found.x.shape == (36, 16)
    assert found.x.dtype == np.float64
    assert [part.people[label] for label in found.labels] == [row.person for row in part.rows]
    assert list(found.corpora) == [row.person.partition("/")[0] for row in part.rows]
    assert not found.forged.any()


def test_pictures_that_cannot_be_read_are_left_out(done: Done, write_faces: WriteFaces, tmp_path: Path) -> None:
    write_faces(tmp_path / "few", ["a", "b"], samples=2)
    (tmp_path / "few" / "a" / "1.png").write_bytes(b"text")
    encoder = Encoder(done.bundle, threads=1)
    found = embed_prepared(encoder, prepare_corpus(encoder, read_folder(tmp_path / "few", name="few")))
    assert (len(found.x), found.labels.tolist()) == (3, [0, 1, 1])
    (tmp_path / "few" / "a" / "2.png").write_bytes(b"")
    only_a: Corpus = read_folder(tmp_path / "few", name="few").only(["a"])
    with pytest.raises(TrainingError, match="no sample of few can be read"):
        prepare_corpus(encoder, only_a)


def test_no_corpus_and_too_few_people_are_refused(
    write_faces: WriteFaces, make_recipe: MakeRecipe, named: Named, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="no corpus given"):
        open_pool([])
    write_faces(tmp_path / "crowd", named("crowd", training=3))
    with pytest.raises(TrainingError, match="no person falls into the background part") as caught:
        train_bundle(make_recipe(), [f"folder:{tmp_path / 'crowd'}"], tmp_path / "bundle", tmp_path / "work")
    assert caught.value.field == "corpus"
    assert not (tmp_path / "bundle" / MANIFEST).exists()
    assert not (tmp_path / "bundle" / POLICY).exists()


def test_corpora_of_one_name_and_shared_people_are_refused(write_faces: WriteFaces, tmp_path: Path) -> None:
    for folder in ("one/faces", "two/faces", "visitors"):
        write_faces(tmp_path / folder, ["anna"], samples=1)
    with pytest.raises(CorpusInvalid, match="two corpora are called 'faces'"):
        open_pool([f"folder:{tmp_path / 'one/faces'}", f"folder:{tmp_path / 'two/faces'}"])
    with pytest.raises(CorpusOverlap, match="1 people are in both faces and visitors"):
        open_pool([f"folder:{tmp_path / 'one/faces'}"], [f"folder:{tmp_path / 'visitors'}"])


def test_only_peoples_own_faces_are_trained_on(write_faces: WriteFaces, tmp_path: Path) -> None:
    """A forgery's `person` is whom it imitates: as a sample of that person it would teach the opposite."""
    write_faces(tmp_path, ["anna"], samples=3)
    table = (
        "path,person,modality,kind\n"
        "anna/1.png,anna,face,genuine\nanna/2.png,anna,face,forgery\nanna/3.png,anna,signature,genuine\n"
    )
    (tmp_path / "people.csv").write_text(table)
    assert [row.id for row in open_pool([f"manifest:{tmp_path / 'people.csv'}"]).merged.rows] == ["people/anna/1.png"]
    (tmp_path / "forged.csv").write_text("path,person,modality,kind\nanna/2.png,anna,face,forgery\n")
    with pytest.raises(CorpusInvalid, match="forged holds no samples"):
        open_pool([f"manifest:{tmp_path / 'forged.csv'}"])


def test_a_recipe_that_serving_would_read_otherwise_is_refused(
    done: Done, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    steps: list[dict[str, Any]] = [dict(step) for step in done.recipe.preprocessing]
    boxed = make_recipe(preprocessing=[steps[0], steps[1] | {"filter": "box"}, steps[2]])
    with pytest.raises(TrainingError, match="bilinear"):
        train_bundle(boxed, done.specs, tmp_path / "bundle", tmp_path / "work")
