"""`countersign demo` from end to end, as a user runs it: another process, real gRPC, real SQLite, real report."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from encode.bundle import open_bundle, with_policy
from eval.synthetic.faces import LABEL, FaceGenerator, write_people
from eval.synthetic.signers_corpus import write_signers

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_TORCH = """
import sys
from countersign.main import run

try:
    run()
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model for faces that ships and none for signatures."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "models").mkdir()
    for name in ("face", "synthetic-faces"):
        (folder / "models" / name).symlink_to(ROOT / "models" / name)
    return folder


def demo(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """By default in the project's folder, where the models are; nothing is written there."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "demo", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        cwd=cwd,
    )


def table(output: str) -> list[list[str]]:
    """Claim, who really, …, decision, verdict of every row."""
    return [line.split() for line in output.splitlines() if line.rstrip().endswith((" right", " WRONG"))]


def test_synthetic_people_are_enrolled_asked_and_measured(bundle: Path, home: Path, tmp_path: Path) -> None:
    for earlier in ("synthetic-77", "mine"):  # of a run with more people, and somebody's own
        (tmp_path / "synthetic-people" / earlier).mkdir(parents=True)
    result = demo("--bundle", bundle, "--out", tmp_path, "--people", "6", cwd=home)
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


def test_faces_and_signatures_are_asked_about_alone_and_together(
    bundle: Path, signature_bundle: Path, tmp_path: Path
) -> None:
    result = demo("--bundle", bundle, "--signature-model", signature_bundle, "--out", tmp_path, "--people", "8")
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-1] == "False", "the demonstration imported torch"

    printed = result.stdout
    assert "models linear and linear-strokes" in printed
    attempts = [line.split() for line in printed.splitlines() if line.count(" accept") + line.count(" reject") == 3]
    assert len(attempts) == 8 * 3
    kinds = ["forger" if "forger" in row else "same" if "same" in row else "stranger" for row in attempts]
    assert kinds == ["same", "stranger", "forger"] * 8
    decisions = {kind: Counter[str]() for kind in kinds}
    for kind, row in zip(kinds, attempts, strict=True):
        for way, decision in zip("fsb", (word for word in row if word in ("accept", "reject")), strict=True):
            decisions[kind][way] += decision == "accept"
    counted = {
        line.split()[0]: [int(cell) for cell in re.findall(r"(\d+) of 8", line)]
        for line in printed.splitlines()
        if line.count(" of 8") == 3
    }
    shown = {"same": "genuine", "stranger": "strangers", "forger": "forgers"}
    assert counted == {shown[kind]: [found[way] for way in "fsb"] for kind, found in decisions.items()}
    assert counted["genuine"][2] >= 7
    assert counted["strangers"][2] <= 1
    assert counted["forgers"][2] < counted["forgers"][1], "both together stop forgers whom a signature alone does not"

    shares = re.findall(r"^  (face|signature|together) +([+-][\d.]+)", printed, flags=re.MULTILINE)
    assert [name for name, _ in shares] == ["face", "signature", "together"] * 2
    for face, signature, together in zip(*[(float(value) for _, value in shares)] * 3, strict=True):
        assert face + signature == pytest.approx(together, abs=0.02)
    assert printed.count("  USED") == 4

    for modality, skilled in (("face", False), ("signature", True)):
        results = json.loads((tmp_path / modality / "results.json").read_text())
        assert results["corpus"]["modality"] == modality
        assert results["random"]["trials"]["people"] == 8
        assert ("skilled" in results) is skilled
        assert (tmp_path / modality / "report.html").stat().st_size > 0
    fusion = json.loads((tmp_path / "fusion.json").read_text())
    assert fusion["chimeric"] is False
    assert fusion["random"]["fused"]["eer"]["value"] <= fusion["random"]["face"]["eer"]["value"]
    assert fusion["skilled"]["fused"]["eer"]["value"] < fusion["skilled"]["signature"]["eer"]["value"]
    assert "nobody real" in printed
    assert "no such people" in (tmp_path / "synthetic-signatures" / "README.txt").read_text()
    assert "synthetic-0" not in (tmp_path / "service.log").read_text()
    assert list(tmp_path.rglob("*.sqlite*")) == []


def test_bundles_that_cannot_be_fused_are_asked_one_by_one(
    bundle: Path, signature_bundle: Path, tmp_path: Path
) -> None:
    opened = open_bundle(bundle)
    assert opened.policy is not None
    old = {name: value for name, value in json.loads(opened.policy).items() if name != "scores"}
    older = with_policy(opened, tmp_path / "older", json.dumps(old).encode(), "A note.").path
    result = demo("--bundle", older, "--signature-model", signature_bundle, "--out", tmp_path, "--people", "2")
    assert result.returncode == 0, result.stderr
    assert "Not asked by face and signature: " in result.stdout
    assert "both in one call" not in result.stdout
    assert "Two answers" not in result.stdout
    genuine = re.search(r"genuine +\d of 2 +\d of 2\s*\n", result.stdout)
    assert genuine, result.stdout


def test_people_of_two_corpora_are_chimeric_and_said_to_be(
    bundle: Path, signature_bundle: Path, generator: FaceGenerator, tmp_path: Path
) -> None:
    faces, signers, out = tmp_path / "shown", tmp_path / "signed", tmp_path / "out"
    list(write_people(generator, faces, 4, 7, seed=5))
    list(write_signers(signers, 3, 8, 0, seed=6))
    given = ["--corpus", f"folder:{faces}", "--signatures", f"manifest:{signers / 'manifest.csv'}"]
    result = demo("--bundle", bundle, "--signature-model", signature_bundle, "--out", out, *given)
    assert result.returncode == 0, result.stderr
    printed = " ".join(result.stdout.split())
    assert "chimeric people (faces: shown, signatures: manifest)" in printed
    assert "3 chimeric people: faces of shown with signatures of manifest" in printed
    assert len(re.findall(r"the same [+-]", printed)) == 3
    assert "synthetic-01+" in printed
    assert "forger" not in printed
    assert "nobody real" not in printed
    fusion = json.loads((out / "fusion.json").read_text())
    assert fusion["chimeric"] is True
    assert "skilled" not in fusion
    assert "--signatures" in fusion["command"]
    assert sorted(path.name for path in out.iterdir()) == ["face", "fusion.json", "service.log", "signature"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--bundle", "no-such-bundle"], 6, "error: manifest.json: "),
        (["--corpus", "folder:no-such-folder"], 3, "error: there is no folder no-such-folder"),
        (["--corpus", "folder:proto"], 3, "error: "),
        (["--signatures", "folder:no-such-folder", "--signature-model", "no-such-bundle"], 6, "error: manifest.json: "),
        (["--signature-model", "models/face"], 8, "error: models: two bundles read face samples"),
    ],
    ids=["bundle", "corpus", "empty corpus", "signature bundle", "two face bundles"],
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


def test_the_face_bundle_that_ships_tells_synthetic_people_apart(home: Path, tmp_path: Path) -> None:
    result = demo("--out", tmp_path, cwd=home)
    assert result.returncode == 0, result.stderr
    rows = table(result.stdout)
    assert len(rows) == 40
    assert sum(row[-1] == "right" for row in rows) >= 35, result.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["random"]["eer"]["value"] <= 0.05


@pytest.mark.skipif(not (ROOT / "models" / "signature").is_dir(), reason="no bundle for signatures is in models")
def test_the_bundles_that_ship_tell_more_together_than_alone(tmp_path: Path) -> None:
    result = demo("--out", tmp_path)
    assert result.returncode == 0, result.stderr
    fusion = json.loads((tmp_path / "fusion.json").read_text())
    assert fusion["random"]["fused"]["eer"]["value"] <= 0.01
    strict = {system: fusion["skilled"][system]["frr_at_far"][0]["frr"]["value"] for system in fusion["skilled"]}
    assert strict["fused"] < strict["signature"]
    assert re.search(r"genuine +\d+ of 20 +\d+ of 20 +(1[7-9]|20) of 20", result.stdout), result.stdout
