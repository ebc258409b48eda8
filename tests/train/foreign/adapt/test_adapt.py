"""`countersign train adapt`: encoder, corpus → sealed bundle and a report that says what the head is worth."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from countersign.main import app
from encode.bundle import open_bundle
from encode.errors import TrainingError
from encode.manifest import ENCODER
from encode.sample import Modality
from enroll.stores.memory import MemoryStore
from eval.corpora.folder import read_folder
from eval.trials import KINDS, ScoreTable, TrialKind
from train.adapt.fitting import HeadPlan
from train.adapt.head import Head
from train.adapt.merged import merge_head
from train.adapt.rows import embed_rows
from train.adapt.run import REPORT, adapt_bundle
from train.adapt.source import open_source
from train.adapt.systems import joined
from train.adapt.verdict import verdict
from verify.model import load_models
from verify.verifier import Verifier

Build = Callable[..., bytes]
SPEC = "[input]\nheight = 16\nwidth = 16\nmean = [127.5]\nstd = [127.5]\n[output]\nnormalise = true\n"


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """One head and a few steps: choosing among more takes the same path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.adapt.fitting.STEPS", 40)
        patch.setattr("train.adapt.fitting.PLANS", (HeadPlan(None, 0.1),))
        yield


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, foreign_network: Build) -> Path:
    root = tmp_path_factory.mktemp("adapt")
    (root / "net.onnx").write_bytes(foreign_network((3, 16, 16), size=8))
    (root / "spec.toml").write_text(SPEC)
    return root


@pytest.fixture(scope="module")
def command(work: Path, people_folder: Path, quick: None) -> str:
    """What the command says, run once on a bare file in two folds."""
    done = CliRunner().invoke(
        app,
        [
            *("train", "adapt", "--encoder", str(work / "net.onnx"), "--preprocessing", str(work / "spec.toml")),
            *("--corpus", f"folder:{people_folder}", "--out", str(work / "out"), "--folds", "2", "--name", "ours"),
        ],
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_it_says_what_it_is_worth(command: str, work: Path) -> None:
    assert "30 people, 95 % intervals" in command
    assert any(word in command for word in ("keep the encoder that you have", "is better on people it never saw"))
    report = json.loads((work / "out-report" / REPORT).read_text())
    assert [fold["tested"] for fold in report["people"]] == [15, 15]
    rates = report["against_before"]["rates"]
    assert {rate["rate"].replace("\u202f", " ") for rate in rates} >= {"EER"}
    assert all(rate["people"] == 30 and rate["low"] <= rate["value"] <= rate["high"] for rate in rates)
    assert report["against_refitted"] is None  # a bare file has no background of its own


def test_the_bundle_is_served(command: str, work: Path) -> None:
    bundle = open_bundle(work / "out")
    assert bundle.manifest.name == "ours"
    assert {use.role for use in bundle.manifest.corpora} == {"training", "development"}
    verifier = Verifier(load_models([work / "out"]), MemoryStore())
    assert verifier.models[Modality.FACE].policy is not None
    card = (work / "out" / "MODEL_CARD.md").read_text()
    assert "each left out of all that was fitted here" in card
    assert "trained the encoder" not in card


def test_a_bundle_is_adapted_too_and_held_against_itself(
    command: str, work: Path, people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.adapt.fitting.PLANS", ())
    adapted = adapt_bundle(work / "out", [f"folder:{people_folder}"], work / "again", folds=1, replicates=50)
    assert adapted.of_head is not None
    assert list(adapted.comparison.tables) == ["as it was", "refitted", "adapted"]
    # Without a head to choose, the encoder is the same file, and the head's own difference is none.
    assert (work / "again" / ENCODER).read_bytes() == (work / "out" / ENCODER).read_bytes()
    assert adapted.of_head.word == "no difference shown"
    # The head of the source was fitted on these people: what is measured on them is no test, and it says so.
    assert adapted.trained_on == ("people",)
    assert "People of people trained the encoder" in (work / "again" / "MODEL_CARD.md").read_text()
    assert all(rate.value == 0.0 for rate in adapted.of_head.rates)


def test_samples_that_cannot_be_read_are_left_out(work: Path, people_folder: Path, tmp_path: Path) -> None:
    """Of the parity of encoder and head too, which looks at some of the people."""
    for number in range(6):
        (tmp_path / "some" / f"p{number}").mkdir(parents=True)
        for shot in range(2):
            data = (people_folder / f"p{number:02}" / f"{shot}.png").read_bytes()
            (tmp_path / "some" / f"p{number}" / f"{shot}.png").write_bytes(data if shot else b"no picture")
    source = open_source(work / "net.onnx", work / "spec.toml")
    corpus = read_folder(tmp_path / "some", name="some")
    rows = embed_rows(corpus, source.encode, Modality.FACE, source.vector, quiet=True)
    head = Head((np.full((8, 8), 0.1, np.float32),), np.zeros(0, np.float32), True)
    assert merge_head(source, head, rows).difference < 1e-5


def test_require_gain_ends_with_ten(
    command: str, work: Path, people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.adapt.fitting.PLANS", ())
    done = CliRunner().invoke(
        app,
        [
            *("train", "adapt", "--encoder", str(work / "net.onnx"), "--preprocessing", str(work / "spec.toml")),
            *("--corpus", f"folder:{people_folder}", "--out", str(work / "none"), "--folds", "1", "--require-gain"),
        ],
    )
    assert done.exit_code == 10
    assert "keep the encoder that you have" in done.output


def test_preprocessing_goes_with_a_bare_file_only(work: Path, command: str) -> None:
    with pytest.raises(TrainingError, match="does not tell what it reads"):
        open_source(work / "net.onnx", None)
    with pytest.raises(TrainingError, match="brings its own"):
        open_source(work / "out", work / "spec.toml")


def _table(people: list[str], genuine: np.ndarray, impostor: np.ndarray) -> ScoreTable:
    """Eight genuine and eight impostor trials of everybody; scores (P, 8) each."""
    count = len(people)
    kind = np.repeat([KINDS.index(TrialKind.GENUINE), KINDS.index(TrialKind.RANDOM)], count * 8).astype(np.int8)
    claim = np.tile(np.repeat(np.arange(count), 8), 2).astype(np.int32)
    source = np.where(kind == 0, claim, (claim + 1) % count).astype(np.int32)
    probe = np.arange(len(kind), dtype=np.int32)
    samples = tuple(f"{people[0]}-{number:04}" for number in probe)
    scores = np.concatenate([genuine.ravel(), impostor.ravel()])
    return ScoreTable(tuple(people), samples, kind, scores, claim, np.zeros_like(claim), probe, "m", source=source)


def test_the_verdict_has_three_words() -> None:
    draw = np.random.default_rng(0)
    people = [f"p{number:02}" for number in range(20)]
    impostor = draw.normal(size=(20, 8))
    weak, strong = draw.normal(1.0, 1.0, (20, 8)), draw.normal(4.0, 1.0, (20, 8))
    tables = {"weak": _table(people, weak, impostor), "strong": _table(people, strong, impostor)}
    assert verdict(tables, "weak", "strong", seed=0, replicates=200).word == "better"
    assert verdict(tables, "strong", "weak", seed=0, replicates=200).word == "worse"
    same = {"one": tables["weak"], "other": tables["weak"]}
    assert verdict(same, "one", "other", seed=0, replicates=200).word == "no difference shown"


def test_tables_of_different_people_are_joined() -> None:
    scores = np.zeros((2, 8))
    first, second = _table(["b", "d"], scores + 1, scores), _table(["a", "c"], scores + 2, scores)
    both = joined([first, second], "both")
    assert both.people == ("a", "b", "c", "d")
    assert len(both) == len(first) + len(second)
    genuine = both.of(TrialKind.GENUINE)
    assert set(genuine.scores[genuine.claim == 1]) == {1.0}
    assert set(genuine.scores[genuine.claim == 2]) == {2.0}
    assert [both.samples[probe] for probe in both.probe[:2]] == list(first.samples[:2])
    assert (genuine.source == genuine.claim).all()
