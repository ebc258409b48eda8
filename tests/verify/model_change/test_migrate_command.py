"""`countersign migrate`: what it does, what it reports, what it refuses, and that it goes on after a kill."""

import csv
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from countersign.exit_codes import ExitCode
from countersign.main import app
from encode.sample import ImageSample, Modality
from enroll.stores.sql import SqlStore
from verify.client.client import Client
from verify.model import load_model
from verify.server_thread import serving

FACE = Modality.FACE

Digests = Callable[[], list[str]]
Face = Callable[..., ImageSample]
Migrate = Callable[..., Result]
OldPeople = Callable[..., None]


def test_everybody_is_migrated_and_the_samples_stay(
    old_people: OldPeople, bundles: Mapping[str, Path], store: SqlStore, migrate: Migrate, digests: Digests
) -> None:
    old_people(3)
    new = load_model(bundles["new"], threads=1)
    told = migrate("--limit", 2)
    assert f"2 migrated to {new.model_digest}, 0 already were" in told.output
    assert "stopped at --limit" in told.output
    assert "1 would be migrated" in migrate("--dry-run").output
    assert digests().count(new.model_digest) == 2
    assert "1 migrated" in migrate().output
    assert "0 migrated" in migrate().output
    assert set(digests()) == {new.model_digest}
    assert len(store.samples_of("staff", "p0", FACE)) == 2


def test_who_must_be_enrolled_again_is_in_a_report_for_its_owner_alone(
    old_people: OldPeople, store: SqlStore, face: Face, migrate: Migrate, tmp_path: Path
) -> None:
    old_people(1)
    old_people(2, collection="visitors")
    report = tmp_path / "report.csv"
    report.write_text("something longer than the report that was there before, and open to everybody\n" * 9)
    report.chmod(0o666)
    told = migrate("--report", report, code=ExitCode.REENROLL)
    assert "1 migrated" in told.output
    assert "2 no samples kept" in told.output
    assert str(report) in told.stderr
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    with report.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["collection", "person", "modality", "reason"],
            ["visitors", "p0", "face", "no samples kept"],
            ["visitors", "p1", "face", "no samples kept"],
        ]
    assert "p0" not in told.output
    assert migrate("--collection", "staff", "--report", report).exit_code == 0
    assert len(report.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--from", "abc"], ExitCode.INPUT, "a model's digest has 64 hex digits"),
        (["--to", "nowhere"], ExitCode.BUNDLE, "manifest.json"),
        (["--database", "nowhere.sqlite"], ExitCode.STORE, "there is no database"),
        (["--database", "memory:"], ExitCode.CONFIG, "a store in memory has no database"),
        (["--report", "nowhere/report.csv"], ExitCode.CONFIG, "cannot be written"),
    ],
)
def test_what_the_command_refuses(
    store: SqlStore, migrate: Migrate, words: list[str], code: ExitCode, told: str
) -> None:
    assert told in migrate(*words, code=code).stderr


def test_a_report_is_not_written_through_a_link(store: SqlStore, migrate: Migrate, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link.csv"
    target.write_text("kept")
    link.symlink_to(target)
    assert "cannot be written" in migrate("--report", link, code=ExitCode.CONFIG).stderr
    assert target.read_text() == "kept"


def test_from_names_the_only_model_that_is_left(
    old_people: OldPeople, store: SqlStore, migrate: Migrate, digests: Digests
) -> None:
    old_people(1)
    assert "1 another model" in migrate("--from", "f" * 64).output
    [digest] = digests()
    assert "1 migrated" in migrate("--from", digest).output


def test_killed_half_way_it_goes_on(
    old_people: OldPeople,
    bundles: Mapping[str, Path],
    store: SqlStore,
    database: Path,
    face: Face,
    migrate: Migrate,
    digests: Digests,
) -> None:
    people = 200
    old_people(people)
    new = load_model(bundles["new"], threads=1)
    for _ in range(2):
        done = digests().count(new.model_digest)
        process = subprocess.Popen(
            [sys.executable, "-m", "countersign", "migrate", "--to", bundles["new"], "--database", database],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while digests().count(new.model_digest) < done + 10 and process.poll() is None:
            pass
        process.send_signal(signal.SIGKILL)
        output = process.communicate()
        assert process.returncode == -signal.SIGKILL, output
        assert done < digests().count(new.model_digest) < people
    done = digests().count(new.model_digest)
    assert f"{people - done} migrated to {new.model_digest}, {done} already were" in migrate().output
    # Once each, and nothing of a template half there.
    with serving({FACE: new}, store) as address, Client(address, timeout=20) as client:
        for number in range(people):
            [template] = client.get_person("staff", f"p{number}").templates
            assert (template.model_digest, template.version, template.samples_kept) == (new.model_digest, 2, 2)
            if number % 20 == 0:
                assert client.verify("staff", f"p{number}", [face(number % 40, 5)]).accepted
    verified = CliRunner().invoke(app, ["audit", "verify", "--database", str(database)])
    assert verified.exit_code == 0, verified.output
