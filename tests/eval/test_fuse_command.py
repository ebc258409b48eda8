"""`countersign eval fuse` from score files, and from corpora with bundles, to the table and the file it writes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from countersign.commands.fuse import fuse
from encode.bundle import Bundle
from eval.files.score_file import read_scores, write_scores
from eval.synthetic.faces import FaceGenerator, write_people
from eval.trials import ScoreTable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two runs: 12 people of the same names, scores of two independent traits, forgeries of one."""
    folders = {}
    for seed, (name, kinds) in enumerate({"faces": 2, "signers": 3}.items()):
        generator = np.random.default_rng(seed)
        claim, owner, number = (axis.ravel() for axis in np.meshgrid(range(12), range(12), range(8), indexing="ij"))
        kind = (claim != owner).astype(np.int8)
        probe = 8 * owner + number
        if kinds == 3:
            claim = np.concatenate([claim, np.repeat(np.arange(12), 8)])
            kind = np.concatenate([kind, np.full(96, 2, np.int8)])
            probe = np.concatenate([probe, 96 + np.arange(96)])
        table = ScoreTable(
            people=tuple(f"p{person}" for person in range(12)),
            samples=tuple(f"{name}{sample}" for sample in range(192)),
            kind=kind,
            scores=generator.normal(np.choose(kind, [4.0, -4.0, 0.0]), 2.5),
            claim=claim.astype(np.int32),
            draw=np.zeros(len(claim), dtype=np.int32),
            probe=probe.astype(np.int32),
            model_digest=str(seed) * 64,
        )
        folders[name] = tmp_path_factory.mktemp("runs") / name
        folders[name].mkdir()
        write_scores(table, folders[name] / "scores.parquet")
    return folders


def run(*words: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(fuse)
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def fused(scores: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What a run wrote, in a folder made for it, and printed."""
    folder = tmp_path_factory.mktemp("fused") / "new"
    code, out, _ = run(scores["faces"], scores["signers"], "--out", folder, "--pairings", 2, "--seed", 3)
    assert code == 0, out
    return folder, out


def test_it_measures_and_says_that_people_are_chimeric(fused: tuple[Path, str]) -> None:
    folder, out = fused
    assert "12 chimeric people: faces of faces with signatures of signers, 2 pairings" in " ".join(out.split())
    for title in ("Zero-effort impostors", "Forgers"):
        assert title in out
    assert str(folder / "fusion.json") in out.replace("\n", "")
    results = json.loads((folder / "fusion.json").read_text())
    assert [pairing["seed"] for pairing in results["pairings"]] == [3, 4]
    assert (results["face_model"], results["signature_model"]) == ("0" * 64, "1" * 64)
    assert results["random"]["fused"]["eer"]["value"] < results["random"]["face"]["eer"]["value"]


def test_the_command_in_the_results_repeats_them(fused: tuple[Path, str], tmp_path: Path) -> None:
    first, second = fused[0], tmp_path / "second"
    results = json.loads((first / "fusion.json").read_text())
    words = results["command"].split()
    assert words[:3] == ["countersign", "eval", "fuse"]
    assert run(*(str(second) if word == str(first) else word for word in words[3:]))[0] == 0
    again = json.loads((second / "fusion.json").read_text())
    assert again["pairings"] == results["pairings"]


def test_people_of_the_same_name_are_themselves(scores: dict[str, Path], tmp_path: Path) -> None:
    files = [scores[name] / "scores.parquet" for name in ("faces", "signers")]
    code, out, _ = run(*files, "--out", tmp_path, "--same-people")
    assert code == 0, out
    assert "chimeric" not in out
    assert "--same-people" in json.loads((tmp_path / "fusion.json").read_text())["command"]


def test_corpora_are_measured_with_their_bundles_first(
    seal_tiny: Callable[..., Bundle], scores: dict[str, Path], tmp_path: Path
) -> None:
    generator = FaceGenerator.load(ROOT / "models" / "synthetic-faces")
    list(write_people(generator, tmp_path / "people", 4, 5))
    bundle = seal_tiny(tmp_path / "tiny").path
    given = ["--face-bundle", bundle, "--references", 2, "--draws", 2, "--pairings", 1, "--out", tmp_path]
    code, out, _ = run(f"folder:{tmp_path / 'people'}", scores["signers"], *given)
    assert code == 0, out
    assert "4 chimeric people: faces of people with signatures of signers" in " ".join(out.split())


def test_a_bundle_of_the_other_modality_is_refused(
    seal_tiny: Callable[..., Bundle], scores: dict[str, Path], tmp_path: Path
) -> None:
    bundle = seal_tiny(tmp_path / "tiny").path
    code, _, errors = run(scores["faces"], f"folder:{tmp_path}", "--signature-bundle", bundle, "--out", tmp_path)
    assert code == 3
    assert "signature_bundle: the bundle reads face samples" in errors


def test_scores_that_are_not_there_are_named(scores: dict[str, Path], tmp_path: Path) -> None:
    code, _, errors = run(tmp_path / "no-such.parquet", scores["signers"], "--out", tmp_path / "out")
    assert code == 9
    assert "no-such.parquet" in errors
    assert not (tmp_path / "out").exists()


def test_people_of_other_names_cannot_be_paired_by_name(scores: dict[str, Path], tmp_path: Path) -> None:
    table = read_scores(scores["faces"] / "scores.parquet")
    write_scores(replace(table, people=tuple(f"q{number}" for number in range(12))), tmp_path / "other.parquet")
    code, _, errors = run(tmp_path / "other.parquet", scores["signers"], "--out", tmp_path, "--same-people")
    assert code == 9
    assert "0 people have trials of both modalities" in errors
