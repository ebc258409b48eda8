"""`countersign eval scores` and `eval export`: from files of scores to results, and to other tools and back."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from countersign.commands.export import export
from countersign.commands.scores import scores
from eval.files.score_file import read_scores, write_scores
from eval.results.results import results_schema
from eval.trials import ScoreTable

DIGEST = "cd" * 32

pytestmark = pytest.mark.usefixtures("undrawn")


def table_of(people: int, first: int, seed: int, *, skilled: bool = True) -> ScoreTable:
    """Everybody against everybody with 6 samples each, one of which failed, and 3 forgeries against each."""
    generator = np.random.default_rng(seed)
    claim, owner, number = (axis.ravel() for axis in np.meshgrid(range(people), range(people), range(6), indexing="ij"))
    kind = (claim != owner).astype(np.int8)
    probe, source = 6 * owner + number, owner
    if skilled:
        claim = np.concatenate([claim, np.repeat(np.arange(people), 3)])
        kind = np.concatenate([kind, np.full(3 * people, 2, np.int8)])
        probe = np.concatenate([probe, 6 * people + np.arange(3 * people)])
        source = np.concatenate([source, np.full(3 * people, -1)])
    score = generator.normal(np.choose(kind, [4.0, -1.0, 1.0]), 1.5)
    score[probe == 7] = -np.inf
    return ScoreTable(
        people=tuple(f"p{first + person}" for person in range(people)),
        samples=tuple(f"s{first}-{sample}" for sample in range(9 * people)),
        kind=kind,
        scores=score,
        claim=claim.astype(np.int32),
        draw=np.zeros(len(claim), dtype=np.int32),
        probe=probe.astype(np.int32),
        model_digest=DIGEST,
        source=source.astype(np.int32),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("run")
    found = {"test": folder / "scores.parquet", "development": folder / "development.parquet"}
    write_scores(table_of(12, 0, 0), found["test"])
    write_scores(table_of(12, 100, 1), found["development"])
    return found


def run(*words: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command("scores")(scores)
    app.command("export")(export)
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exit_code not in (0, 3, 8, 9) and result.exception:
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def results_in(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    jsonschema.validate(found, results_schema())
    return found


@pytest.fixture(scope="module")
def parquet(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What a run on the Parquet file wrote and printed, its figures drawn."""
    folder = tmp_path_factory.mktemp("parquet")
    code, out, err = run("scores", files["test"], "--out", folder)
    assert code == 0, err
    return folder, out


def test_parquet_gives_the_same_files_as_a_run(files: dict[str, Path], parquet: tuple[Path, str]) -> None:
    folder, out = parquet
    assert "12 people, 72 genuine and 792 impostor trials" in " ".join(out.split())
    for name in ("results.json", "scores.parquet", "report.html"):
        assert str(folder / name) in out.replace("\n", "")
        assert (folder / name).is_file()
    assert {path.name for path in folder.iterdir()} == {"results.json", "scores.parquet", "report.html"}
    assert "DET curve" in (folder / "report.html").read_text()
    results = results_in(folder)
    assert results["scores"] == {
        "files": ["scores.parquet"],
        "digest": hashlib.sha256(files["test"].read_bytes()).hexdigest(),
    }
    assert results["bundle"] == {"name": files["test"].parent.name, "model_digest": DIGEST}
    assert results["protocol"]["rule"] == "scores"
    assert results["random"]["trials"]["genuine_failures"] == 1
    assert results["skilled"]["trials"]["impostor"] == 36
    assert "corpus" not in results
    assert (read_scores(folder / "scores.parquet").scores == read_scores(files["test"]).scores).all()


def test_the_command_in_the_results_repeats_them(files: dict[str, Path], tmp_path: Path) -> None:
    words = ("scores", files["test"], "--development", files["development"], "--seed", 3, "--out", tmp_path / "one")
    assert run(*words)[0] == 0
    first = results_in(tmp_path / "one")
    said = first["command"].split()
    assert said[:3] == ["countersign", "eval", "scores"]
    assert run(*(word.replace("/one", "/two") for word in said[2:]))[0] == 0
    again = results_in(tmp_path / "two")
    assert again["random"] == first["random"]


def test_development_people_set_thresholds(files: dict[str, Path], tmp_path: Path) -> None:
    assert run("scores", files["test"].parent, "--development", files["development"], "--out", tmp_path)[0] == 0
    results = results_in(tmp_path)
    assert results["scores"]["files"] == ["scores.parquet", "development.parquet"]
    split = results["protocol"]["split"]
    assert (split["development_people"], split["test_people"]) == (12, 12)
    for kind in ("random", "skilled"):
        assert results[kind]["at_development"][0]["threshold_chosen"] == "on development people"
    code, _, err = run("scores", files["test"], "--development", files["test"], "--out", tmp_path)
    assert code == 9
    assert "12 people are in both" in err


def test_text_and_parquet_give_the_same_rates(
    files: dict[str, Path], parquet: tuple[Path, str], tmp_path: Path
) -> None:
    for layout in ("idiap4", "idiap5"):
        text = tmp_path / f"{layout}.txt"
        assert run("export", files["test"], "--format", layout, "--kind", "random", "--out", text)[0] == 0
        code, _, err = run("scores", text, "--nan-fails", "--out", tmp_path / layout)
        assert code == 0, err
        results = results_in(tmp_path / layout)
        assert results["bundle"] == {"name": layout}
        assert results["random"] == results_in(parquet[0])["random"]


def test_plain_files_give_the_same_values_with_intervals_by_trial(
    files: dict[str, Path], parquet: tuple[Path, str], tmp_path: Path
) -> None:
    words = ("export", files["test"].parent, "--format", "plain", "--kind", "skilled", "--out", tmp_path / "plain")
    code, out, _ = run(*words)
    assert code == 0
    genuine, impostor = out.split()
    words = ("--genuine", genuine, "--impostor", impostor, "--impostor-kind", "skilled", "--nan-fails")
    code, out, err = run("scores", *words, "--out", tmp_path / "again")
    assert code == 0, err
    assert "72 genuine and 36 impostor trials" in " ".join(out.split())
    by_person, by_trial = (results_in(folder)["skilled"] for folder in (parquet[0], tmp_path / "again"))
    assert by_trial["eer"]["value"] == by_person["eer"]["value"]
    assert [row["threshold"] for row in by_trial["frr_at_far"]] == [row["threshold"] for row in by_person["frr_at_far"]]
    assert "people" not in by_trial["trials"]
    assert results_in(tmp_path / "again")["protocol"]["interval"] == "bootstrap by trial"
    assert (tmp_path / "again" / "report.html").stat().st_size > 10_000


def test_models_and_protocols_of_one_file_are_chosen(files: dict[str, Path], tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    both = []
    for name, protocol in (("test", "eval"), ("development", "dev")):
        table = replace(read_scores(files[name]), protocol=protocol, model_digest="theirs")
        write_scores(table, tmp_path / f"{protocol}.parquet")
        read = pq.read_table(tmp_path / f"{protocol}.parquet")
        both.append(
            pa.table(
                {
                    column: read[column].cast(pa.string())
                    if pa.types.is_dictionary(read[column].type)
                    else read[column]
                    for column in read.column_names
                }
            )
        )
    path = tmp_path / "both.parquet"
    pq.write_table(pa.concat_tables(both), path)
    code, _, err = run("scores", path, "--out", tmp_path / "out")
    assert code == 9
    assert "2 protocols, one is needed: 'dev', 'eval' (choose one with --protocol" in err
    words = ("--protocol", "eval", "--development", path, "--development-protocol", "dev", "--model", "theirs")
    code, _, err = run("scores", path, *words, "--out", tmp_path / "out")
    assert code == 0, err
    results = results_in(tmp_path / "out")
    assert results["bundle"] == {"name": "theirs"}
    assert results["protocol"]["note"] == "eval"
    assert results["random"]["at_development"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 3, "there are no scores to measure"),
        (("--genuine", "TEXT"), 3, "give FILE, or both --genuine and --impostor"),
        (("PARQUET", "--genuine", "TEXT"), 3, "either FILE, or --genuine and --impostor"),
        (("PARQUET", "--impostor-kind", "skilled"), 3, "tells the kind of every trial itself"),
        (("TEXT", "--model", "m"), 3, "text names no model"),
        (("--genuine", "TEXT", "--impostor", "TEXT", "--protocol", "m"), 3, "name no model and no protocol"),
        (("TEXT",), 9, "line 1: 1 columns where 4 or 5 are meant"),
        (("--genuine", "TEXT", "--impostor", "absent.txt"), 9, "absent.txt cannot be read"),
        (("CLAIMS",), 9, "there are no impostor trials"),
    ],
)
def test_unusable_input_is_one_line_and_a_code(
    files: dict[str, Path], tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "plain.txt").write_text("0.5\n1.5\n")
    (tmp_path / "claims.txt").write_text("a a x 1\nb b y 2\n")
    named = {"PARQUET": files["test"], "TEXT": tmp_path / "plain.txt", "CLAIMS": tmp_path / "claims.txt"}
    found, _, err = run("scores", *(named.get(word, word) for word in words), "--out", tmp_path / "out")
    assert (found, said in err) == (code, True), err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_figures_are_written_where_asked_for(tmp_path: Path) -> None:
    write_scores(table_of(12, 0, 0, skilled=False), tmp_path / "random.parquet")
    assert run("scores", tmp_path / "random.parquet", "--figures", "--out", tmp_path / "with")[0] == 0
    assert {path.suffix for path in (tmp_path / "with").glob("figures/*")} == {".svg", ".png"}
    assert results_in(tmp_path / "with")["command"].split()[-3:-1] == ["--figures", "--out"]


def test_what_cannot_be_exported_says_why(files: dict[str, Path], tmp_path: Path) -> None:
    code, _, err = run("export", files["test"], "--format", "plain", "--out", tmp_path)
    assert code == 9
    assert "choose one with --kind" in err
