"""`countersign eval run` by other protocols and splits, from embeddings, and with figures: each can be repeated."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from countersign.commands.evaluate import app
from encode.bundle import Bundle
from encode.sample import Modality
from eval.files.embedding_file import read_embeddings, write_embeddings
from eval.files.embedding_set import EmbeddingSet

PEOPLE, SAMPLES, SIZE = 10, 6, 6
COMPARED = ("random", "protocol", "failures", "identification", "embedding")

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def measured_bundle(tmp_path_factory: pytest.TempPathFactory, seal_tiny: Callable[..., Bundle]) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    seal_tiny(folder, background={"mean": np.zeros(SIZE), "total": np.eye(SIZE), "within": 0.05 * np.eye(SIZE)})
    return folder


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of embeddings: people of two groups, and one sample that failed."""
    generator = np.random.default_rng(0)
    means = generator.normal(size=(PEOPLE, 1, SIZE))
    vectors = (means + 0.2 * generator.normal(size=(PEOPLE, SAMPLES, SIZE))).reshape(-1, SIZE).astype(np.float32)
    held = EmbeddingSet(
        samples=[f"p{person}/{index}" for person in range(PEOPLE) for index in range(SAMPLES)],
        people=[f"p{person}" for person in range(PEOPLE) for _ in range(SAMPLES)],
        kinds=["genuine"] * len(vectors),
        modality=Modality.FACE,
        embeddings=vectors,
        reasons={3: "SAMPLE_UNREADABLE"},
        groups={"group_half": [f"half {person % 2}" for person in range(PEOPLE) for _ in range(SAMPLES)]},
    )
    path = tmp_path_factory.mktemp("embeddings") / "faces.parquet"
    write_embeddings(held, path)
    return path


def measure(*words: object) -> None:
    done = CliRunner().invoke(app, ["run", *map(str, words)])
    assert done.exit_code == 0, done.stderr


def results_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--references", 3, "--draws", 2), "references"),
        (("--leave-one-out",), "leave one out"),
        (("--references", 3, "--draws", 2, "--split", "development=0.5"), "references"),
        (("--references", 3, "--draws", 2, "--split", "folds=3"), "references"),
    ],
)
def test_the_command_it_records_repeats_it(
    embedded: Path, measured_bundle: Path, tmp_path: Path, options: tuple[object, ...], rule: str
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    measure(f"embeddings:{embedded}", "--bundle", measured_bundle, *options, "--out", first)
    results = results_of(first)
    assert results["protocol"]["rule"] == rule
    words = shlex.split(results["command"])
    assert words[:3] == ["countersign", "eval", "run"]
    measure(*(str(second) if word == str(first) else word for word in words[3:]))
    again = results_of(second)
    assert [again.get(block) for block in COMPARED] == [results.get(block) for block in COMPARED]


def test_a_split_keeps_people_apart_and_is_told_apart(embedded: Path, measured_bundle: Path, tmp_path: Path) -> None:
    words = (f"embeddings:{embedded}", "--bundle", measured_bundle, "--references", 3, "--draws", 2)
    done = CliRunner().invoke(app, ["run", *map(str, words), "--split", "development=0.5", "--out", str(tmp_path)])
    assert "Thresholds set on development people" in done.stdout
    assert "Thresholds chosen after the fact" in done.stdout
    results = results_of(tmp_path)
    split = results["protocol"]["split"]
    assert split["development_people"] + split["test_people"] == PEOPLE
    assert results["random"]["trials"]["people"] == split["test_people"]
    assert {row["threshold_chosen"] for row in results["random"]["at_development"]} == {"on development people"}


def test_groups_and_failures_come_along(embedded: Path, measured_bundle: Path, tmp_path: Path) -> None:
    measure(f"embeddings:{embedded}", "--bundle", measured_bundle, "--references", 3, "--out", tmp_path)
    results = results_of(tmp_path)
    [column] = results["random"]["groups"]
    assert (column["column"], [row["group"] for row in column["rows"]]) == ("group_half", ["half 0", "half 1"])
    assert results["failures"]["by_reason"] == {"SAMPLE_UNREADABLE": 1}


def test_a_list_of_pairs_is_measured_with_its_folds(embedded: Path, measured_bundle: Path, tmp_path: Path) -> None:
    lines = ["2\t5"]
    for fold in range(2):
        own = range(fold * 5, fold * 5 + 5)
        lines += [f"p{person}\t0\t{1 + person % 2}" for person in own]
        lines += [f"p{person}\t0\tp{own[(person + 1) % 5]}\t4" for person in own]
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    words = ("--trials", pairs, "--split", "list", "--bundle", measured_bundle, "--out", out)
    measure(f"embeddings:{embedded}", *words)
    results = results_of(out)
    assert results["protocol"]["rule"] == "trial list"
    assert len(results["random"]["fold_accuracy"]["folds"]) == 2
    assert results["random"]["trials"]["genuine"] == results["random"]["trials"]["impostor"] == 10


def test_embeddings_it_wrote_give_the_same_rates(embedded: Path, measured_bundle: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    words = ("--bundle", measured_bundle, "--references", 3, "--draws", 2)
    measure(f"embeddings:{embedded}", *words, "--write-embeddings", "--figures", "--out", first)
    measure(f"embeddings:{first / 'embeddings.parquet'}", *words, "--out", second)
    assert results_of(second)["random"] == results_of(first)["random"]
    figures = {path.suffix for path in (first / "figures").iterdir()}
    assert figures == {".svg", ".png"}


@pytest.mark.parametrize(
    ("options", "code", "match"),
    [
        (("--leave-one-out", "--trials", "pairs.txt"), 3, "leave_one_out"),
        (("--split", "halves"), 3, "split: 'halves' is no way to split people"),
        (("--split", "list"), 3, "split: there is no trial list"),
        (("--split", "column"), 3, "is in no part"),
        (("--trials", "absent.txt"), 3, "absent.txt"),
    ],
)
def test_options_that_cannot_be_met(
    embedded: Path, measured_bundle: Path, tmp_path: Path, options: tuple[str, ...], code: int, match: str
) -> None:
    words = ("run", f"embeddings:{embedded}", "--bundle", measured_bundle, "--out", tmp_path, *options)
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    assert match in " ".join(done.stderr.split())


def test_embeddings_of_another_model_are_refused(embedded: Path, measured_bundle: Path, tmp_path: Path) -> None:
    other = replace(read_embeddings(embedded), model_digest="cd" * 32)
    write_embeddings(other, tmp_path / "other.parquet")
    words = ("run", f"embeddings:{tmp_path / 'other.parquet'}", "--bundle", measured_bundle, "--out", tmp_path)
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 3
    assert "model_digest: the embeddings are not of tiny" in " ".join(done.stderr.split())
