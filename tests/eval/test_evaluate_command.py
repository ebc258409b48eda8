"""`countersign eval run` from image files and a sealed bundle to the files it writes."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from typer.testing import CliRunner

from countersign.commands.evaluate import app
from encode.bundle import open_bundle, seal_bundle
from encode.manifest import CorpusUse, EmbeddingSpec, IdentitySpec, Manifest
from encode.sample import Modality
from eval.corpora.spec import open_corpus
from verify.policy import Policy

HEIGHT, WIDTH = 6, 5
SIZE = HEIGHT * WIDTH
PEOPLE, SAMPLES = 8, 7


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per person of small noisy pictures of a pattern of each person's own; one of them is cut short."""
    root, generator = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    for person in range(PEOPLE):
        pattern = generator.uniform(60, 200, (HEIGHT, WIDTH))
        folder = root / f"p{person}"
        folder.mkdir()
        for index in range(SAMPLES):
            small = np.clip(pattern + generator.normal(0, 25, pattern.shape), 0, 255).astype(np.uint8)
            Image.fromarray(np.kron(small, np.ones((8, 8), np.uint8))).save(folder / f"{index}.png")
    broken = root / "p1" / "0.png"
    broken.write_bytes(broken.read_bytes()[:60])
    return root


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed bundle whose network hands the pixels through."""
    return seal(tmp_path_factory.mktemp("bundles") / "pixels")


def seal(folder: Path, corpora: tuple[CorpusUse, ...] = (), policy: bytes | None = None) -> Path:
    shape = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Flatten", ["input"], ["embedding"], axis=1)],
        "pixels",
        [shape("input", onnx.TensorProto.FLOAT, ["batch", 1, HEIGHT, WIDTH])],
        [shape("embedding", onnx.TensorProto.FLOAT, ["batch", SIZE])],
    )
    model = onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)])
    manifest = Manifest(
        format_version=1,
        name="pixels",
        modality=Modality.FACE,
        created="2026-01-01T00:00:00Z",
        model_digest="0" * 64,
        preprocessing=[
            {"step": "colour", "mode": "L"},
            {"step": "resize", "height": HEIGHT, "width": WIDTH, "filter": "box"},
            {"step": "scale"},
        ],
        embedding=EmbeddingSpec(size=SIZE, unit_norm=False),
        identity=IdentitySpec(kind="pooled"),
        corpora=list(corpora),
        recipe={},
        parts={},
    )
    background = {"mean": np.full(SIZE, 0.5), "within": 0.01 * np.eye(SIZE), "total": 0.035 * np.eye(SIZE)}
    seal_bundle(
        folder,
        manifest=manifest,
        encoder=model.SerializeToString(),
        background=background,
        card="A test.",
        policy=policy,
    )
    return folder


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["run", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def test_it_measures_and_writes_three_files(people: Path, bundle: Path, tmp_path: Path) -> None:
    code, out, _ = run(f"folder:{people}", "--bundle", bundle, "--draws", 2, "--out", tmp_path)
    assert code == 0, out
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "scores.parquet", "report.html"}
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["bundle"]["model_digest"] == open_bundle(bundle).model_digest
    assert results["corpus"]["digest"] == open_corpus(f"folder:{people}").digest
    assert results["failures"]["samples"] == 1
    assert results["random"]["eer"]["value"] < 0.2
    assert "1 of 56 samples could not be acquired" in " ".join(out.split())
    assert "FRR" in out
    for name in ("results.json", "scores.parquet", "report.html"):
        assert str(tmp_path / name) in out


@pytest.mark.usefixtures("undrawn")
def test_without_a_folder_it_writes_below_the_one_it_runs_in(
    people: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(f"folder:{people}", "--bundle", bundle, "--draws", 1)[0] == 0
    assert (tmp_path / "runs" / "evaluation" / "results.json").is_file()


@pytest.mark.usefixtures("undrawn")
def test_the_command_in_the_results_repeats_them(people: Path, bundle: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    options = ("--references", 3, "--draws", 2, "--seed", 4, "--impostors-per-person", 9)
    assert run(f"folder:{people}", "--bundle", bundle, *options, "--out", first)[0] == 0
    results = json.loads((first / "results.json").read_text())
    words = results["command"].split()
    assert words[:3] == ["countersign", "eval", "run"]
    assert run(*(str(second) if word == str(first) else word for word in words[3:]))[0] == 0
    again = json.loads((second / "results.json").read_text())
    for fact in ("random", "protocol", "corpus", "failures"):
        assert again[fact] == results[fact]


@pytest.mark.usefixtures("undrawn")
def test_a_policy_it_wrote_serves_the_next_run(people: Path, bundle: Path, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    options = ("--write-policy", "random", "--seal-into", sealed)
    code, out, _ = run(f"folder:{people}", "--bundle", bundle, "--out", tmp_path, *options)
    assert code == 0, out
    assert str(tmp_path / "policy.json") in out
    text = (tmp_path / "policy.json").read_bytes()
    policy = Policy.from_json(text)
    assert policy.references == 5
    assert open_bundle(sealed).policy == text
    assert open_bundle(sealed).model_digest == open_bundle(bundle).model_digest
    card = (sealed / "MODEL_CARD.md").read_text()
    assert card.startswith((bundle / "MODEL_CARD.md").read_text())
    assert f"set on 8 people of {people.name} (random impostors)" in card
    assert run(f"folder:{people}", "--bundle", sealed, "--out", tmp_path / "after")[0] == 0
    results = json.loads((tmp_path / "after" / "results.json").read_text())
    rows = results["random"]["at_policy"]
    assert [(row["target_far"], row["threshold"]) for row in rows] == [
        (row.target_far, row.threshold) for row in policy.table
    ]
    assert all(row["achieved_far"]["value"] <= row["target_far"] for row in rows)


@pytest.mark.usefixtures("undrawn")
def test_a_bundle_is_not_sealed_over_itself(people: Path, tmp_path: Path) -> None:
    own = seal(tmp_path / "own")
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    options = ("--write-policy", "random", "--seal-into", own)
    code, _, err = run(f"folder:{people}", "--bundle", own, "--draws", 1, "--out", tmp_path / "out", *options)
    assert code == 3
    assert "seal_into: that is the bundle itself" in " ".join(err.split())
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before


def test_a_corpus_the_model_was_made_from_is_called_that(people: Path, tmp_path: Path) -> None:
    digest = open_corpus(f"folder:{people}").digest
    use = CorpusUse(name="people", digest=digest, people=PEOPLE, samples=PEOPLE * SAMPLES, role="training")
    sealed = seal(tmp_path / "sealed", corpora=(use, use.model_copy(update={"role": "development"})))
    code, out, _ = run(f"folder:{people}", "--bundle", sealed, "--draws", 1, "--out", tmp_path / "out")
    assert code == 0
    assert "used in the model's training" in " ".join(out.split())


@pytest.mark.parametrize(
    ("words", "code", "match"),
    [
        (("nothing:here",), 3, "not a corpus reader"),
        (("folder:absent",), 3, "absent"),
        (("folder:{people}", "--seal-into", "elsewhere"), 3, "write_policy: there is no policy to seal"),
        (("folder:{people}", "--references", 7), 9, "nobody has the 8 genuine samples"),
        (("folder:{people}", "--reference-pool", 2), 3, "reference_pool"),
        (("folder:{people}", "--bundle", "absent"), 6, "manifest.json"),
        (("folder:{people}", "--out", "{people}/p0/1.png"), 8, "cannot be written"),
        (("folder:{people}", "--write-policy", "skilled"), 3, "holds no forgeries to set thresholds against"),
        (("folder:{people}", "--draws", 0), 2, "draws"),
    ],
)
def test_what_cannot_be_done_ends_with_its_exit_code(
    people: Path, bundle: Path, tmp_path: Path, words: tuple[object, ...], code: int, match: str
) -> None:
    given = [str(word).replace("{people}", str(people)) for word in words]
    for option, value in (("--bundle", bundle), ("--out", tmp_path / "out")):
        if option not in given:
            given += [option, str(value)]
    found, _, err = run(*given)
    assert found == code
    assert match in " ".join(err.split())
