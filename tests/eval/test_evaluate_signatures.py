"""`countersign eval run` on signatures: the protocols of the public corpora, unless another is asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from countersign.commands.evaluate import app
from encode.bundle import Bundle
from encode.manifest import EmbeddingSpec, IdentitySpec
from encode.sample import Modality, StrokesSample
from eval.files.score_file import read_scores
from eval.trials import ScoreTable, TrialKind

PEOPLE, GENUINE, FORGERIES, SIZE = 7, 14, 4, 12
Measure = Callable[..., tuple[dict[str, Any], ScoreTable, str]]

pytestmark = pytest.mark.usefixtures("undrawn")


def signature(person: int, kind: int, number: int) -> StrokesSample:
    """A second of a person's own waves, with some noise: more of it and of another kind in a forgery."""
    own, shot = np.random.default_rng(person), np.random.default_rng((person, kind, number))
    waves = own.normal(0, 40, (2, 5)) + shot.normal(0, 25 if kind else 8, (2, 5))
    u = np.linspace(0, 1, 60)
    x, y = waves @ np.sin(np.pi * np.outer(np.arange(1, 6), u))
    return StrokesSample(
        tuple(np.round(4000 + 1000 * u + 10 * x).tolist()),
        tuple(np.round(3000 + 10 * y).tolist()),
        tuple((500_000 + 10 * np.arange(60)).tolist()),
        pen_down=(False, *[True] * 59),
    )


@pytest.fixture(scope="module")
def svc2004(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SVC2004: S1 … S14 genuine, S21 … S24 forged; U3S2 is cut short."""
    root = tmp_path_factory.mktemp("svc2004")
    for person in range(1, PEOPLE + 1):
        for number in [*range(1, GENUINE + 1), *range(21, 21 + FORGERIES)]:
            strokes = signature(person, int(number > 20), number)
            columns = (strokes.x, strokes.y, strokes.t, strokes.pen_down)
            lines = [" ".join(str(int(value)) for value in point) for point in zip(*columns, strict=True)]
            (root / f"U{person}S{number}.TXT").write_text("\n".join([str(len(lines)), *lines, ""]))
    broken = root / "U3S2.TXT"
    broken.write_text(broken.read_text()[:300])
    return root


@pytest.fixture(scope="module")
def bundle(
    tmp_path_factory: pytest.TempPathFactory, seal_tiny: Callable[..., Bundle], tiny_network: Callable[..., bytes]
) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "waves"
    seal_tiny(
        folder,
        modality=Modality.SIGNATURE,
        preprocessing=[{"step": "bromley1993", "points": 24, "features": ["x", "y"]}],
        encoder=tiny_network(shape=(2, 24), size=SIZE),
        embedding=EmbeddingSpec(size=SIZE),
        identity=IdentitySpec(kind="pooled"),
        background={"mean": np.zeros(SIZE), "total": np.eye(SIZE) / SIZE, "within": 0.1 * np.eye(SIZE) / SIZE},
    )
    return folder


@pytest.fixture
def measure(svc2004: Path, bundle: Path, tmp_path: Path) -> Measure:
    """``measure(*options)`` → results, scores and what was printed, of `svc2004:`."""

    def run(*options: object) -> tuple[dict[str, Any], ScoreTable, str]:
        words = ["run", f"svc2004:{svc2004}", "--bundle", bundle, "--out", tmp_path, *options]
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.stderr
        return (
            json.loads((tmp_path / "results.json").read_text()),
            read_scores(tmp_path / "scores.parquet"),
            done.stdout,
        )

    return run


def test_the_custom_of_svc2004_is_the_default(measure: Measure) -> None:
    results, table, out = measure("--references", 5, "--draws", 6, "--seed", 0)
    protocol = results["protocol"]
    assert protocol["reference_rule"] == "the first 10 genuine samples"
    assert protocol["impostor_samples"] == 1
    assert "reference_pool" not in protocol
    genuine, skilled, random = (table.of(kind) for kind in (TrialKind.GENUINE, TrialKind.SKILLED, TrialKind.RANDOM))
    assert len(random) == PEOPLE * 6 * (PEOPLE - 1)
    assert len(skilled) == PEOPLE * 6 * FORGERIES
    order = {name: int(name.partition("S")[2].partition(".")[0]) for name in table.samples}
    for person, name in enumerate(table.people):
        for draw in range(6):
            probes = {
                order[table.samples[at]] for at in genuine.probe[(genuine.claim == person) & (genuine.draw == draw)]
            }
            presented = set(range(1, GENUINE + 1)) - probes
            assert presented <= set(range(1, 11))
            assert len(presented) - (name == "U3" and 2 in presented) == 5
    assert results["failures"]["by_reason"] == {"STROKES_FILE_INVALID": 1}
    for kind in ("random", "skilled"):
        assert 0 < results[kind]["eer_per_person"]["value"] <= 0.5
    assert results["random"]["eer"]["value"] < results["skilled"]["eer"]["value"] < 0.5
    assert results["corpus"]["modality"] == "signature"
    for title in ("Zero-effort impostors", "Skilled forgeries"):
        assert title in out
    assert out.count("EER per person") == 2


def test_the_command_it_records_repeats_it(measure: Measure, tmp_path: Path) -> None:
    first, _, _ = measure("--draws", 2)
    words = first["command"].split()
    assert words[words.index("--impostor-samples") + 1] == "1"
    assert "--reference-pool" not in words
    assert CliRunner().invoke(app, words[2:]).exit_code == 0
    again = json.loads((tmp_path / "results.json").read_text())
    for fact in ("protocol", "random", "skilled"):
        assert again[fact] == first[fact]


def test_any_other_protocol_can_be_asked_for(measure: Measure) -> None:
    results, table, _ = measure("--draws", 3, "--reference-pool", 7, "--impostor-samples", 0)
    assert results["protocol"]["reference_pool"] == 7
    assert not {"reference_rule", "impostor_samples"} & set(results["protocol"])
    assert len(table.of(TrialKind.RANDOM)) == PEOPLE * 3 * (PEOPLE - 1) * GENUINE
    genuine = table.of(TrialKind.GENUINE)
    probed = {table.samples[at] for at in genuine.probe}
    assert {f"U1S{number}.TXT" for number in range(8, GENUINE + 1)} < probed


def test_thresholds_can_be_set_against_the_forgeries(measure: Measure, tmp_path: Path) -> None:
    measure("--draws", 2, "--write-policy", "skilled")
    policy = json.loads((tmp_path / "policy.json").read_text())
    assert policy["impostor"] == "skilled"
    assert policy["trials"]["impostor"] == PEOPLE * FORGERIES
