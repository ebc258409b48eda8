"""`countersign demo` from end to end, as a user runs it: another process, real gRPC, real SQLite, real report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from eval.synthetic import LABEL, FaceGenerator, write_people

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "models" / "face"

WITHOUT_TORCH = """
import sys
from countersign.main import run

try:
    run()
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


def demo(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs in the project's folder, where the generator of synthetic faces is; nothing is written there."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "demo", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        cwd=ROOT,
    )


def table(output: str) -> list[list[str]]:
    """Claim, who really, …, decision, verdict of every row."""
    return [line.split() for line in output.splitlines() if line.rstrip().endswith((" right", " WRONG"))]


def test_synthetic_people_are_enrolled_asked_and_measured(bundle: Path, tmp_path: Path) -> None:
    for earlier in ("synthetic-77", "mine"):  # of a run with more people, and somebody's own
        (tmp_path / "synthetic-people" / earlier).mkdir(parents=True)
    result = demo("--bundle", bundle, "--out", tmp_path, "--people", "6")
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-1] == "False", "the demonstration imported torch"

    rows = table(result.stdout)
    assert [row[0] for row in rows] == [f"synthetic-{person:02}" for person in range(1, 7) for _ in range(2)]
    decisions = [row[-2] for row in rows]
    assert set(decisions[0::2]) <= {"accept", "reject"}
    right = sum(row[-1] == "right" for row in rows)
    assert right >= 10, result.stdout
    for row in rows:
        genuine, accepted = row[1:3] == ["the", "same"], row[-2] == "accept"
        assert (row[-1] == "right") is (genuine is accepted)
    assert f"6 genuine claims: {decisions[0::2].count('accept')} accepted" in result.stdout
    assert f"6 impostor claims: {decisions[1::2].count('accept')} accepted" in result.stdout
    assert "synthetic people (nobody real)" in result.stdout
    assert "of real people they say nothing" in result.stdout
    assert "stopped by SIGTERM, exit code 0" in result.stdout

    results = json.loads((tmp_path / "results.json").read_text())
    assert results["corpus"]["name"] == "synthetic people"
    assert results["random"]["trials"]["people"] == 6
    assert results["random"]["eer"]["value"] <= 0.1
    assert results["command"].startswith("countersign demo --bundle ")
    for name in ("scores.parquet", "report.html"):
        assert (tmp_path / name).stat().st_size > 0
        assert str(tmp_path / name) in result.stdout
    log = (tmp_path / "service.log").read_text()
    assert json.loads(log.splitlines()[-1])["event"] == "stopped"
    assert "synthetic-0" not in log
    with Image.open(tmp_path / "synthetic-people" / "synthetic-01" / "01.png") as drawn:
        assert drawn.info["Comment"] == LABEL
    folders = {path.name for path in (tmp_path / "synthetic-people").iterdir()}
    assert folders == {"mine", *(f"synthetic-{person:02}" for person in range(1, 7))}
    assert list(tmp_path.rglob("*.sqlite*")) == []


def test_people_of_a_corpus_are_read_in_place_and_never_copied(
    bundle: Path, generator: FaceGenerator, tmp_path: Path
) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    list(write_people(generator, corpus, 3, 6, seed=5))
    # One sample of a person's five is broken: the others enroll that person.
    (corpus / "synthetic-02" / "03.png").write_bytes(b"no image")
    # One person's only probe is broken: no answer, which counts as a rejection.
    (corpus / "synthetic-03" / "06.png").write_bytes(b"")
    result = demo("--bundle", bundle, "--out", out, "--corpus", f"folder:{corpus}")
    assert result.returncode == 0, result.stderr
    rows = table(result.stdout)
    assert len(rows) == 6
    unanswered = [row for row in rows if "no answer" in " ".join(row)]
    assert [row[-2] for row in unanswered] == ["reject", "reject"]
    assert "No answer, counted as rejected: " in result.stdout
    assert "nobody real" not in result.stdout
    assert sorted(path.name for path in out.iterdir()) == [
        "report.html",
        "results.json",
        "scores.parquet",
        "service.log",
    ]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--bundle", "no-such-bundle"], 6, "error: manifest.json: "),
        (["--corpus", "folder:no-such-folder"], 3, "error: there is no folder no-such-folder"),
        (["--corpus", "folder:tests"], 3, "error: "),
    ],
    ids=["bundle", "corpus", "empty corpus"],
)
def test_what_is_missing_is_told_before_anything_starts(
    words: list[str], code: int, told: str, bundle: Path, tmp_path: Path
) -> None:
    given = words if "--bundle" in words else [*words, "--bundle", str(bundle)]
    result = demo(*given, "--out", tmp_path / "out")
    assert result.returncode == code
    assert result.stderr.startswith(told)
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_bundle_that_ships_tells_synthetic_people_apart(tmp_path: Path) -> None:
    result = demo("--out", tmp_path)
    assert result.returncode == 0, result.stderr
    rows = table(result.stdout)
    assert len(rows) == 40
    assert sum(row[-1] == "right" for row in rows) >= 35, result.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["random"]["eer"]["value"] <= 0.05
