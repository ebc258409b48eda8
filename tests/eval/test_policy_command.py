"""`countersign eval policy`: from development people, or from their scores, to a policy that the service loads."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from countersign.commands.evaluate import app
from encode.bundle import Bundle, open_bundle
from encode.manifest import CorpusUse
from encode.sample import Modality
from eval.corpora.spec import open_corpus
from eval.policies.policy_sources import development_corpus
from verify.model import load_models
from verify.policy import Policy

Encoded = Callable[..., bytes]
SealTiny = Callable[..., Bundle]
PEOPLE, SAMPLES = 24, 6
DEVELOPMENT = [f"p{person:02}" for person in range(0, PEOPLE, 2)]

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, encoded: Encoded) -> Path:
    """Pictures of 24 people listed in a manifest, every other one of them for development, the others for the test."""
    root, rows = tmp_path_factory.mktemp("people"), []
    for person in range(PEOPLE):
        pattern = np.random.default_rng(person).uniform(30, 220, (5, 4))
        for shot in range(SAMPLES):
            noise = np.random.default_rng((person, shot)).normal(0, 25, (20, 16))
            name = f"p{person:02}-{shot}.png"
            pixels = np.clip(np.kron(pattern, np.ones((4, 4))) + noise, 0, 255).astype(np.uint8)
            (root / name).write_bytes(encoded(pixels))
            part = "test" if person % 2 else "development"
            rows.append([name, f"p{person:02}", "face", "genuine", part])
    path = root / "people.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "person", "modality", "kind", "split"], *rows])
    return path


@pytest.fixture(scope="module")
def bundle(seal_tiny: SealTiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seal_tiny(tmp_path_factory.mktemp("bundle") / "tiny").path


@pytest.fixture(scope="module")
def measured_run(manifest: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on the development people alone."""
    out = tmp_path_factory.mktemp("run")
    lines = manifest.read_text().splitlines()
    only = manifest.with_name("development.csv")
    only.write_text("\n".join(line for line in lines if not line.endswith("test")) + "\n")
    words = ["run", str(only), "--bundle", str(bundle), "--out", str(out), "--draws", "2", "--references", "3"]
    assert CliRunner().invoke(app, words).exit_code == 0
    return out


def policy(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["policy", *map(str, words)], env={"COLUMNS": "200"})
    return result.exit_code, " ".join(result.stdout.split()), " ".join(result.stderr.split())


def written(path: Path) -> Policy:
    return Policy.from_json(path.read_bytes())


def test_thresholds_are_set_on_the_development_part_and_the_service_loads_them(
    manifest: Path, bundle: Path, tmp_path: Path
) -> None:
    out, sealed = tmp_path / "new" / "policy.json", tmp_path / "sealed"
    code, told, err = policy(manifest, "--bundle", bundle, "--out", out, "--seal-into", sealed, "--draws", 2)
    assert code == 0, err
    found = written(out)
    part = open_corpus(str(manifest)).only(DEVELOPMENT)
    assert (found.corpus.name, found.corpus.people) == ("people (development)", len(DEVELOPMENT))
    assert found.corpus.digest == part.digest
    assert found.model_digest == open_bundle(bundle).model_digest
    assert (found.references, found.impostor) == (5, "random")
    assert found.trials.impostor == len(DEVELOPMENT) * (len(DEVELOPMENT) - 1) * SAMPLES
    assert found.interval.method.startswith("bootstrap by person")
    assert all(row.achieved_far.value <= row.target_far for row in found.table)
    for models in (load_models([sealed], threads=1), load_models([bundle], [out], threads=1)):
        assert models[Modality.FACE].policy == found
    assert "set on 12 people of people (development)" in (sealed / "MODEL_CARD.md").read_text()
    for path in (out, sealed):
        assert str(path) in told
    assert "10 %" in told.replace("\u202f", " ")


def test_rows_beyond_the_evidence_are_marked_and_those_without_any_left_out(
    manifest: Path, bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "policy.json"
    fars = ["--target-far", 0.01, "--target-far", 0.1, "--target-far", 0.0001, "--target-far", 0.01]
    code, told, _ = policy(manifest, "--bundle", bundle, "--out", out, "--draws", 1, *fars)
    assert code == 0
    found = written(out)
    assert found.target_fars == (0.1, 0.01)
    assert [found.beyond_evidence(row) for row in found.table] == [False, True]
    assert found.default_target_far == 0.01
    told = told.replace("\u202f", " ")
    assert "1 % †" in told
    assert "10 % †" not in told
    assert "to be expected: 0.01 %" in told


@pytest.mark.parametrize(("part", "people"), [("test", 12), ("all", 24), ("development", 12)])
def test_another_part_can_be_named(manifest: Path, bundle: Path, tmp_path: Path, part: str, people: int) -> None:
    out = tmp_path / "policy.json"
    assert policy(manifest, "--bundle", bundle, "--out", out, "--draws", 1, "--split", part)[0] == 0
    assert written(out).corpus.people == people


def test_scores_give_the_policy_of_the_corpus_they_are_of(bundle: Path, measured_run: Path, tmp_path: Path) -> None:
    """The same people, references, draws and seed: measured again or taken from the run's files, the same table."""
    results = json.loads((measured_run / "results.json").read_text())
    for number, given in enumerate((measured_run, measured_run / "scores.parquet")):
        out = tmp_path / f"{number}.json"
        code, _, err = policy("--scores", given, "--bundle", bundle, "--out", out)
        assert code == 0, err
        found = written(out)
        assert (found.corpus.name, found.corpus.digest) == ("development", results["corpus"]["digest"])
        assert (found.references, found.impostor) == (3, "random")
        again = tmp_path / "again.json"
        corpus = results["command"].split()[3]
        words = (corpus, "--bundle", bundle, "--out", again, "--references", 3, "--draws", 2)
        assert policy(*words)[0] == 0
        assert written(again).table == found.table


def test_what_eval_run_writes_is_the_same_policy(bundle: Path, measured_run: Path, tmp_path: Path) -> None:
    corpus = json.loads((measured_run / "results.json").read_text())["command"].split()[3]
    words = ["run", corpus, "--bundle", str(bundle), "--out", str(tmp_path), "--draws", "2", "--references", "3"]
    assert CliRunner().invoke(app, [*words, "--write-policy", "random"]).exit_code == 0
    out = tmp_path / "other.json"
    assert policy("--scores", measured_run, "--bundle", bundle, "--out", out)[0] == 0
    ours, theirs = written(out), written(tmp_path / "policy.json")
    assert ours.model_copy(update={"created": theirs.created}) == theirs


def test_scores_of_another_model_are_refused(
    measured_run: Path, seal_tiny: SealTiny, tiny_network: Callable[..., bytes], bundle: Path, tmp_path: Path
) -> None:
    other = seal_tiny(tmp_path / "other", encoder=tiny_network(seed=1))
    code, _, err = policy("--scores", measured_run, "--bundle", other.path, "--out", tmp_path / "policy.json")
    assert code == 5
    assert f"the model {open_bundle(bundle).model_digest[:12]}…, not of {other.model_digest[:12]}…" in err
    assert not (tmp_path / "policy.json").exists()


def test_scores_that_do_not_tell_their_corpus_are_refused(bundle: Path, measured_run: Path, tmp_path: Path) -> None:
    words = ("--scores", tmp_path, "--bundle", bundle, "--out", tmp_path / "policy.json")
    scores = tmp_path / "scores.parquet"
    scores.write_bytes((measured_run / "scores.parquet").read_bytes())
    code, _, err = policy(*words)
    assert (code, "there is no results.json beside them" in err) == (9, True)
    results = json.loads((measured_run / "results.json").read_text())
    for change, exit_code, match in (
        ({"corpus": None}, 9, "names no corpus"),
        ({"bundle": {"name": "x", "model_digest": "0" * 64}}, 9, "is of another model than the scores"),
        ({"corpus": results["corpus"] | {"modality": "signature"}}, 3, "the scores are of signature samples"),
        ({"protocol": {"rule": "leave one out"}}, 3, "references: nothing tells with how many"),
        ({"version": 7}, 3, "version 7 of results.json"),
    ):
        (tmp_path / "results.json").write_text(json.dumps(results | change))
        code, _, err = policy(*words)
        assert (code, match in err) == (exit_code, True), err
    (tmp_path / "results.json").write_text(json.dumps(results | {"protocol": {"rule": "leave one out"}}))
    assert policy(*words, "--references", 4)[0] == 0
    assert written(tmp_path / "policy.json").references == 4


def test_people_who_trained_the_model_set_no_thresholds(
    manifest: Path, seal_tiny: SealTiny, measured_run: Path, tmp_path: Path
) -> None:
    whole = open_corpus(str(manifest))
    digest = json.loads((measured_run / "results.json").read_text())["corpus"]["digest"]
    uses = [
        CorpusUse(name="people", digest=one, people=24, samples=144, role="training").model_dump()
        for one in (whole.digest, digest)
    ]
    trained = seal_tiny(tmp_path / "trained", corpora=uses)
    for words in ((manifest, "--split", "all"), ("--scores", measured_run)):
        code, _, err = policy(*words, "--bundle", trained.path, "--out", tmp_path / "policy.json")
        assert (code, "these people trained the model" in err) == (3, True)
    other_half = seal_tiny(tmp_path / "other", corpora=uses[:1])
    assert development_corpus(whole, other_half).name == "people (development)"


@pytest.mark.parametrize(
    ("words", "code", "match"),
    [
        ((), 3, "corpus: there is nobody to set thresholds on"),
        (("{manifest}", "--scores", "{run}"), 3, "scores: a corpus is given and scores too"),
        (("{manifest}", "--impostor", "skilled"), 3, "holds no forgeries to set thresholds against"),
        (("{manifest}", "--impostor", "genuine"), 2, "genuine"),
        (("{manifest}", "--split", "evaluation"), 3, "nobody in people is in the part 'evaluation'"),
        (("{manifest}", "--target-far", 1.5), 3, "target_far: a target FAR lies between 0 and 1"),
        (("{manifest}", "--target-far", 0.00001), 9, "support no target FAR"),
        (("{manifest}", "--references", 6), 9, "genuine samples"),
        (("{manifest}", "--bundle", "absent"), 6, "manifest.json"),
        (("{manifest}", "--out", "{manifest}/policy.json"), 8, "cannot be written"),
        (("--scores", "{run}", "--split", "development"), 9, "no person of the scores is in the part"),
        (("--scores", "absent.parquet"), 9, "absent.parquet"),
    ],
)
def test_what_cannot_be_done_ends_with_its_exit_code(
    manifest: Path,
    bundle: Path,
    measured_run: Path,
    tmp_path: Path,
    words: tuple[object, ...],
    code: int,
    match: str,
) -> None:
    places = {"{manifest}": str(manifest), "{run}": str(measured_run)}
    given = [str(word) for word in words]
    for mark, place in places.items():
        given = [word.replace(mark, place) for word in given]
    for option, value in (("--bundle", bundle), ("--out", tmp_path / "policy.json")):
        if option not in given:
            given += [option, str(value)]
    found, _, err = policy(*given, "--draws", 1)
    assert (found, match in err) == (code, True), err
