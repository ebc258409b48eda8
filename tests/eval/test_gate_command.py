"""`countersign eval gate`: exit codes, what is printed, and the files it reads."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from countersign.commands.evaluate import app
from eval.verdicts.gate import judge, read_measured
from eval.verdicts.requirement import parse_requirement

Document = dict[str, Any]


def gate(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["gate", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def folder(tmp_path: Path, measured: Document) -> Path:
    (tmp_path / "results.json").write_text(json.dumps(measured))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        (["--require", "random.eer <= 5%"], 0, ["PASS random.eer"], ""),
        (["--require", "random.eer <= 1%"], 10, ["FAIL random.eer"], ""),
        (
            ["--require", "random.eer <= 5%", "--require", "random.d_prime >= 9", "--require", "random.auc > 0.9"],
            10,
            ["PASS random.eer", "FAIL random.d_prime", "PASS random.auc"],
            "",
        ),
        (["--require", "random.frr_at_far[0.001] <= 50%"], 10, ["FAIL random.frr_at_far[0.001]"], ""),
        (["--require", "random.frr_at_far[0.001] <= 50%", "--accept-thin-evidence"], 0, ["PASS random.frr"], ""),
        (["--require", "random.eer <= 5%", "--require", "random.eer"], 3, [], "error: require: 'random.eer' is no"),
        (["--require", "random.eer <= 5%", "--require", "skilled.eer <= 1"], 3, [], "error: require: the file has no"),
        ([], 2, [], "--require"),
    ],
)
def test_the_exit_code_is_the_verdict(folder: Path, words: list[str], code: int, out: list[str], err: str) -> None:
    found, stdout, stderr = gate(folder, *words)
    assert found == code
    assert err in stderr
    lines = stdout.splitlines()
    assert len(lines) == len(out)
    assert all(line.startswith(start) for line, start in zip(lines, out, strict=True))
    assert gate(folder / "results.json", *words)[:2] == (found, stdout)


def test_verdicts_are_told_to_programs_too(folder: Path) -> None:
    words = ["--require", "random.eer <= 5%", "--require", "random.frr_at_far[0.001] <= 50%", "--json"]
    code, out, _ = gate(folder, *words)
    told = json.loads(out)
    assert (code, told["met"]) == (10, False)
    first, second = told["verdicts"]
    assert first == {
        "requirement": "random.eer <= 5%",
        "path": "random.eer",
        "comparison": "<=",
        "limit": 0.05,
        "value": 0.0185,
        "low": 0.0092,
        "high": 0.0358,
        "met": True,
        "reasons": [],
        "accepted": [],
        "sentence": first["sentence"],
    }
    assert (second["met"], len(second["reasons"])) == (False, 1)
    code, out, _ = gate(folder, "--require", "random.eer", "--json")
    assert (code, json.loads(out)["error"]["reason"]) == (3, "FIELD_INVALID")


def test_results_of_the_first_version_are_read(tmp_path: Path, measured: Document) -> None:
    """Their rates are {value, low, high} without counts, at the same paths."""
    document = copy.deepcopy(measured)
    document["version"] = 1
    plain = {end: document["random"]["frr_at_far"][0]["frr"][end] for end in ("value", "low", "high")}
    document["random"]["frr_at_far"][0]["frr"] = plain
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document))
    assert judge(read_measured(path), parse_requirement("random.frr_at_far[0.01] <= 2%")).met


def test_what_two_modalities_gain_can_be_required_too(tmp_path: Path) -> None:
    rate = {"value": 0.01, "low": 0.0, "high": 0.02}
    row = {"far": 0.001, "frr": rate, "beyond_evidence": True}
    path = tmp_path / "fusion.json"
    fused = {"fused": {"frr_at_far": [row], "eer": rate}}
    path.write_text(json.dumps({"version": 1, "pairings": [], "random": fused}))
    document = read_measured(path)
    assert judge(document, parse_requirement("random.fused.eer <= 2%")).met
    thin = judge(document, parse_requirement("random.fused.frr_at_far[0.1%] <= 2%"))
    assert thin.sentence.endswith("but it rests on too few comparisons: the rule of 30 needs 30,000")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"version": 2, "random": {"eer": NaN}}', "not valid JSON"),
        ("[]", "holds no results"),
        ("{}", "version None of results.json, this release reads version 1 or 2"),
        ('{"version": 3}', "version 3 of results.json"),
        ('{"version": 2, "pairings": []}', "version 2 of fusion.json, this release reads version 1"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    code, out, err = gate(tmp_path, "--require", "random.eer <= 1")
    assert (code, out) == (3, "")
    assert told in err
