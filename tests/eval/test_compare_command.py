"""`countersign eval compare`: from the files of runs to two tables and comparison.json."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from countersign.commands.evaluate import app
from eval.files.score_file import SCORES, write_scores
from eval.trials import ScoreTable

PEOPLE = 20


@pytest.fixture
def runs(make_table: Callable[..., ScoreTable], measured: dict[str, Any], tmp_path: Path) -> list[Path]:
    """Folders `old`, `new` and `third` of runs on the same corpus."""
    folders = []
    for seed, name in enumerate(("old", "new", "third")):
        generator = np.random.default_rng(seed)
        table = make_table(
            genuine=2 + 2 * (name == "new") + generator.normal(0, 1, (PEOPLE, 5)),
            random=generator.normal(0, 1, (PEOPLE, 40)),
        )
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        write_scores(replace(table, model_digest=str(seed) * 64), folder / SCORES)
        (folder / "results.json").write_text(json.dumps(measured))
        folders.append(folder)
    return folders


def compare(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["compare", *map(str, words)], env={"COLUMNS": "160"})
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


def test_two_runs_are_put_side_by_side(runs: list[Path], tmp_path: Path) -> None:
    code, out, err = compare(runs[0], runs[1] / SCORES, "--out", tmp_path / "out", "--far", 0.1, "--far", 0.01)
    assert code == 0, err
    told = out.replace("\u202f", " ")
    for words in ("FRR at FAR 10 %", "FRR at FAR 1 %", "EER", "AUC", "old", "new", "Against old", "Zero-effort"):
        assert words in told
    assert "Holm" not in told
    results = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [one["name"] for one in results["models"]] == ["old", "new"]
    assert [row["far"] for row in results["random"]["frr_at_far"]] == [0.1, 0.01]
    assert "notes" not in results or results["notes"] == []
    for name in ("comparison.json", "comparison.html"):
        assert str(tmp_path / "out" / name) in out
    assert "new" in (tmp_path / "out" / "comparison.html").read_text()
    again = results["command"].split()
    assert again[:3] == ["countersign", "eval", "compare"]
    moved = [str(tmp_path / "again") if word == str(tmp_path / "out") else word for word in again[3:]]
    assert compare(*moved)[0] == 0
    repeated = json.loads((tmp_path / "again" / "comparison.json").read_text())
    assert repeated["random"] == results["random"]


def test_without_a_folder_nothing_is_written(runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = compare(*runs, "--names", "a, b,c")
    assert code == 0
    assert "Against a" in out
    assert "p (Holm)" in out
    assert sorted(tmp_path.rglob("*")) == before


def test_what_the_results_say_of_their_corpora_is_passed_on(runs: list[Path], measured: dict[str, Any]) -> None:
    measured["corpus"] |= {"digest": "2" * 64, "used_in_making_the_model": "training"}
    (runs[1] / "results.json").write_text(json.dumps(measured))
    (runs[2] / "results.json").unlink()
    code, out, _ = compare(*runs)
    assert code == 0
    told = " ".join(out.split())
    assert "new was measured on another corpus than old" in told
    assert "The corpus was used in new's training" in told


@pytest.mark.parametrize(
    ("words", "code", "match"),
    [
        (("{old}",), 3, "two models or more are compared"),
        (("{old}", "{new}", "--names", "a"), 3, "names: 1 names are given for 2 models"),
        (("{old}", "{old}"), 3, "cannot be told apart: old, old"),
        (("{old}", "{new}", "--names", "a,"), 3, "cannot be told apart"),
        (("{old}", "{new}", "--far", 2), 3, "far: a FAR lies between 0 and 1"),
        (("{old}", "absent.parquet"), 9, "absent.parquet"),
        (("{old}", "{new}", "--out", "{old}/results.json"), 8, "cannot be written"),
        ((), 2, "scores"),
    ],
)
def test_what_cannot_be_done_ends_with_its_exit_code(
    runs: list[Path], words: tuple[object, ...], code: int, match: str
) -> None:
    given = [str(word).replace("{old}", str(runs[0])).replace("{new}", str(runs[1])) for word in words]
    found, _, err = compare(*given)
    assert (found, match in err.lower() or match in err) == (code, True), err
