"""`countersign eval all-pairs`: from an embedding file and a bundle to results, histogram and report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from countersign.main import app
from encode.sample import Modality
from eval.allpairs.parts import PARTS
from eval.allpairs.sketch import ScoreSketch
from eval.files.embedding_file import write_embeddings
from eval.files.embedding_set import EmbeddingSet
from eval.results.results import Results


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    """40 people with four samples of six values; one sample could not be acquired, one is a forgery."""
    generator = np.random.default_rng(3)
    owner = np.arange(160) // 4
    values = generator.normal(size=(40, 6))[owner] + 0.3 * generator.normal(size=(160, 6))
    held = EmbeddingSet(
        samples=[f"s{index:03}" for index in range(160)],
        people=[f"p{index:02}" for index in owner],
        kinds=["forgery" if index == 9 else "genuine" for index in range(160)],
        modality=Modality.FACE,
        embeddings=values.astype(np.float32),
        reasons={17: "IMAGE_CORRUPT"},
    )
    return write_embeddings(held, tmp_path / "faces.parquet")[0]


def measured(*words: object) -> Any:
    return CliRunner().invoke(app, ["eval", "all-pairs", *map(str, words)])


def test_results_histogram_and_report_are_written(
    embeddings: Path, seal_tiny: Callable[..., Any], tmp_path: Path
) -> None:
    bundle, out = seal_tiny(tmp_path / "bundle").path, tmp_path / "out"
    found = measured(embeddings, "--bundle", bundle, "--out", out, "--workers", 2, "--figures")
    assert found.exit_code == 0, found.output
    results = Results.model_validate_json((out / "results.json").read_text())
    block, scale = results.random, results.scale
    assert block is not None
    assert scale is not None
    assert results.skilled is None
    assert results.protocol.rule == "all versus all"
    assert "by group of people in both roles" in results.protocol.interval
    # 158 templates of 159 genuine samples, of which one failed.
    assert (scale.templates, scale.samples, scale.groups) == (158, 158, 32)
    assert scale.comparisons == 158 * 157
    assert block.trials.genuine == 38 * 4 * 3 + 3 * 2 + 3 * 3
    assert block.trials.genuine_failures == 3
    assert block.trials.impostor_failures == 155
    assert block.trials.people == 40
    histogram = pq.read_table(out / "histogram.parquet").to_pydict()
    assert sum(histogram["impostor"]) == block.trials.impostor - block.trials.impostor_failures
    assert sum(histogram["genuine"]) == block.trials.genuine - block.trials.genuine_failures
    assert histogram["low"][1:] == histogram["high"][:-1]
    assert not (out / PARTS).exists()
    assert results.failures is not None
    assert results.failures.by_reason == {"IMAGE_CORRUPT": 1}
    assert {"numba", "dask"} <= set(results.software)
    page = (out / "report.html").read_text()
    for text in ("Every template against every sample", "158 templates, 158 samples", "32 groups", "numba", "DET."):
        assert text in page
    names = {f"random-{name}.{suffix}" for name in ("det", "roc", "scores") for suffix in ("svg", "png")}
    assert {path.name for path in (out / "figures").iterdir()} == names
    assert "158 templates" not in found.output
    assert f"{scale.comparisons:,} comparisons" in found.output


@pytest.mark.usefixtures("undrawn")
def test_rates_are_those_of_an_evaluation_of_the_same_trials(
    embeddings: Path, seal_tiny: Callable[..., Any], tmp_path: Path
) -> None:
    bundle, options = seal_tiny(tmp_path / "bundle").path, ("--references", "2", "--draws", "3", "--seed", "4")
    all_pairs, run = tmp_path / "all", tmp_path / "run"
    assert measured(embeddings, "--bundle", bundle, "--out", all_pairs, *options).exit_code == 0
    words = ["eval", "run", f"embeddings:{embeddings}", "--bundle", str(bundle), "--out", str(run), *options]
    ran = CliRunner().invoke(app, [*words, "--impostors-per-person", "0"])
    assert ran.exit_code == 0, ran.output
    mine, theirs = (json.loads((out / "results.json").read_text()) for out in (all_pairs, run))
    assert mine["random"]["trials"] == theirs["random"]["trials"]
    assert mine["failures"] == theirs["failures"] | {"by_reason": mine["failures"]["by_reason"]}
    assert mine["corpus"] == theirs["corpus"]
    for row, other in zip(mine["random"]["frr_at_far"], theirs["random"]["frr_at_far"], strict=False):
        assert row["threshold"] == pytest.approx(other["threshold"], abs=1e-4)
        for rate in ("frr", "achieved_far", "fmr", "fnmr"):
            assert row[rate]["value"] == pytest.approx(other[rate]["value"], abs=1e-9)
    error = mine["scale"]["score_error"]
    assert mine["random"]["eer_threshold"] == pytest.approx(theirs["random"]["eer_threshold"], abs=0.05)
    assert mine["random"]["auc"]["value"] == pytest.approx(theirs["random"]["auc"]["value"], abs=1e-4)
    assert mine["random"]["d_prime"] == pytest.approx(theirs["random"]["d_prime"], rel=1e-3)
    assert 0 < error < 0.05


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_run_says_how_to_go_on(
    embeddings: Path, seal_tiny: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eval.allpairs import run

    def broken_off(*args: object, **options: Any) -> ScoreSketch:
        raise KeyboardInterrupt

    bundle, out = seal_tiny(tmp_path / "bundle").path, tmp_path / "out"
    whole = run.count_all
    monkeypatch.setattr(run, "count_all", broken_off)
    found = measured(embeddings, "--bundle", bundle, "--out", out)
    assert found.exit_code == 130
    assert "the same command goes on" in found.output
    monkeypatch.setattr(run, "count_all", whole)
    assert measured(embeddings, "--bundle", bundle, "--out", out, "--seed", 1).exit_code == 9
    assert measured(embeddings, "--bundle", bundle, "--out", out).exit_code == 0


@pytest.mark.parametrize(
    ("fields", "words", "code", "told"),
    [
        ({"identity": {"kind": "spherical"}}, [], 5, "2 references or more"),
        ({}, ["--draws", "2"], 3, "every sample is a template already"),
        ({}, ["--references", "9"], 9, "0 people have templates"),
        (
            {
                "identity": {"kind": "map", "matching": {"weights": {"shape.log_mean": 1.0}}},
                "embedding": {"size": 6, "vector": 2},
            },
            [],
            3,
            "frame by frame",
        ),
        ({"embedding": {"size": 9, "vector": 6}}, [], 3, "rows of 6 numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    embeddings: Path,
    seal_tiny: Callable[..., Any],
    tmp_path: Path,
    fields: dict[str, Any],
    words: list[str],
    code: int,
    told: str,
) -> None:
    d = fields.get("embedding", {}).get("vector", 6)
    background = {"mean": np.zeros(d), "total": np.eye(d), "within": 0.1 * np.eye(d)}
    bundle = seal_tiny(tmp_path / "bundle", background=background, **fields).path
    found = measured(embeddings, "--bundle", bundle, "--out", tmp_path / "out", *words)
    assert found.exit_code == code, found.output
    assert told in found.output
