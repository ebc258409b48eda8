"""`countersign enroll --from` and `countersign verify --from` against a running service."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from countersign.exit_codes import ExitCode
from eval.files.score_file import read_scores

Run = Callable[..., Result]
Photo = Callable[..., Path]


@pytest.fixture
def manifest(photo: Photo, tmp_path: Path) -> Callable[..., Path]:
    """``manifest(rows, columns)``: a table in the folder of the pictures."""

    def write(*rows: str, columns: str = "path,person,modality,kind") -> Path:
        file = tmp_path / "table.csv"
        file.write_text("\n".join([columns, *rows, ""]))
        return file

    return write


@pytest.fixture
def people(photo: Photo, manifest: Callable[..., Path]) -> Path:
    """Three people with three pictures each, a forgery, and two files that cannot be used."""
    rows = [f"{photo(n, shot).name},person {n},face,genuine" for n in range(3) for shot in range(3)]
    rows.append(f"{photo(8).name},person 1,face,forgery")
    (photo(0).parent / "notes.png").write_text("no image")
    rows += ["notes.png,person 2,face,genuine", "absent.png,person 9,face,genuine"]
    return manifest(*rows)


def test_a_manifest_is_enrolled_and_what_failed_is_reported(run: Run, people: Path, tmp_path: Path) -> None:
    report = tmp_path / "failures.csv"
    result = run("enroll", "--from", people, "--failures", report)
    assert result.exit_code == ExitCode.PARTIAL
    assert "9 of 11 samples are enrolled, of 3 of 4 people." in result.output
    assert "IMAGE_FORMAT_UNSUPPORTED" in result.output
    with report.open(newline="") as stream:
        told = {(one["person"], one["path"], one["reason"]) for one in csv.DictReader(stream)}
    assert told == {
        ("person 2", "notes.png", "IMAGE_FORMAT_UNSUPPORTED"),
        ("person 9", "absent.png", "FILE_UNREADABLE"),
    }


def test_again_it_enrolls_nothing_twice(run: Run, people: Path, photo: Photo) -> None:
    for _ in range(2):
        result = run("enroll", "--from", people)
        assert "9 of 11 samples are enrolled" in result.output
    more = run("enroll", "person 0", photo(0, 5), "--json")
    [template] = json.loads(more.stdout)["person"]["templates"]
    assert template["anchors"] + template["recent"] == 4


def test_more_samples_than_one_enrolment_takes(run: Run, photo: Photo, manifest: Callable[..., Path]) -> None:
    table = manifest(*(f"{photo(1, shot).name},ada,face,genuine" for shot in range(40)))
    result = run("enroll", "--from", table)
    # A template keeps so many and no more: the others fail one by one, or push older ones out.
    assert result.exit_code in (ExitCode.OK, ExitCode.PARTIAL)
    assert "of 40 samples" in result.output
    assert "of 1 of 1 people" in result.output


def test_a_report_in_json(run: Run, people: Path, tmp_path: Path) -> None:
    report = tmp_path / "failures.json"
    run("enroll", "--from", people, "--failures", report)
    assert {one["path"] for one in json.loads(report.read_text())} == {"notes.png", "absent.png"}


def test_claims_are_decided_and_written(
    run: Run, people: Path, photo: Photo, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    run("enroll", "--from", people)
    rows = [f"{photo(n, 7).name},person {n},face,genuine,person {n}" for n in range(3)]
    rows += [f"{photo(n, 7).name},person {(n + 1) % 3},face,random,person {n}" for n in range(3)]
    rows.append("notes.png,person 0,face,genuine,person 0")
    table = manifest(*rows, columns="path,person,modality,kind,source")
    out, scores = tmp_path / "decided.csv", tmp_path / "scores.parquet"
    result = run("verify", "--from", table, "--out", out)
    assert result.exit_code == ExitCode.PARTIAL
    assert "3 of 7 claims are accepted, 4 rejected." in result.output
    with out.open(newline="") as stream:
        decided = list(csv.DictReader(stream))
    assert [one["trial"] for one in decided] == [str(n) for n in range(1, 8)]
    assert [one["accepted"] for one in decided] == ["true"] * 3 + ["false"] * 4
    assert (decided[6]["failed"], decided[6]["score"]) == ("true", "")

    run("verify", "--from", table, "--out", scores)
    read = read_scores(scores)
    assert len(read) == 7
    assert pq.read_table(scores).column("failed").to_pylist() == [False] * 6 + [True]
    assert read.people


def test_rows_of_one_trial_are_one_claim(
    run: Run, people: Path, photo: Photo, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    run("enroll", "--from", people)
    rows = [f"{photo(1, shot).name},person 1,face,t{shot // 2}" for shot in range(4)]
    out = tmp_path / "decided.csv"
    result = run("verify", "--from", manifest(*rows, columns="path,person,modality,trial"), "--out", out)
    assert result.exit_code == ExitCode.OK
    assert "2 of 2 claims are accepted" in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["enroll"], "name a person"),
        (["enroll", "ada"], "name a person"),
        (["enroll", "ada", "FILE", "--from", "TABLE"], "leave out the person"),
        (["enroll", "--from", "TABLE", "--request-id", "x"], "leave out --request-id"),
        (["verify", "--from", "TABLE"], "needs --out"),
        (["verify", "ada"], "name a person"),
    ],
)
def test_what_does_not_go_together(run: Run, people: Path, photo: Photo, words: list[str], told: str) -> None:
    named = {"FILE": photo(1), "TABLE": people}
    result = run(*(named.get(word, word) for word in words))
    assert result.exit_code == ExitCode.USAGE
    assert told in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["enroll", "--from", "absent.csv"], ExitCode.INPUT),
        (["enroll", "--from", "TABLE", "--failures", "report.txt"], ExitCode.CONFIG),
        (["verify", "--from", "TABLE", "--out", "decided.txt"], ExitCode.CONFIG),
        (["verify", "--from", "TABLE", "--out", "no/such/folder.csv"], ExitCode.CONFIG),
    ],
)
def test_what_cannot_be_read_or_written_is_told_before_anything_is_sent(
    run: Run, people: Path, words: list[str], code: ExitCode
) -> None:
    result = run(*(people if word == "TABLE" else word for word in words))
    assert result.exit_code == code


def test_scores_need_the_kind_of_every_trial(
    run: Run, photo: Photo, manifest: Callable[..., Path], tmp_path: Path
) -> None:
    table = manifest(f"{photo(1).name},ada,face", columns="path,person,modality")
    result = run("verify", "--from", table, "--out", tmp_path / "scores.parquet")
    assert result.exit_code == ExitCode.INPUT
    assert "kind" in result.output
