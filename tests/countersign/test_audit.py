"""`countersign audit`: says whether a log is intact, exports it, and checks what was exported."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from countersign.commands.audit import app
from countersign.exit_codes import ExitCode
from enroll.audit.event import Action, AuditEvent, Outcome
from enroll.stores.opening import StorePlace, open_sql_store

Audit = Callable[..., Result]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database whose log has four entries: opened, and three decisions about two people."""
    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    path = tmp_path / "people.sqlite"
    store = open_sql_store(StorePlace(str(path)))
    writer = store.audit_writer()
    assert writer is not None
    for person in ("ada", "bob", "ada"):
        writer.submit(AuditEvent(Action.VERIFY, Outcome.REJECTED, collection="staff", person=person)).result(60)
    writer.close()
    store.close()
    return path


@pytest.fixture
def audit(database: Path) -> Audit:
    """``audit("verify", ...)`` on that database."""

    def run(command: str, *arguments: object) -> Result:
        words = [command, "--database", str(database), *map(str, arguments)]
        return CliRunner().invoke(app, words)

    return run


def tamper(database: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(database)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def head_of(result: Result) -> str:
    return result.stdout.split("head ")[1].strip()


def test_an_intact_log_is_said_to_be_so_with_its_head(audit: Audit) -> None:
    result = audit("verify")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "4 entries, intact")
    head = head_of(result)
    assert audit("verify", "--head", head).exit_code == 0
    part = audit("verify", "--after", head)
    assert part.stdout.splitlines() == ["0 entries, intact", f"head {head}"]
    told = json.loads(audit("verify", "--json").stdout)
    assert told == {"entries": 4, "intact": True, "head": head, "findings": []}


def test_every_damage_is_named(audit: Audit, database: Path) -> None:
    tamper(database, "UPDATE audit SET entry = CAST(replace(entry, 'rejected', 'accepted') AS BLOB) WHERE sequence = 3")
    result = audit("verify")
    assert result.exit_code == ExitCode.STORE
    assert result.stdout.startswith("changed: entry 3")
    assert result.stderr.startswith("error: the audit log is broken")
    told = json.loads(audit("verify", "--json").stdout)
    assert (told["intact"], [finding["sequence"] for finding in told["findings"]]) == (False, [3])


def test_a_log_that_was_put_back_is_found_by_a_head_kept_elsewhere(audit: Audit, database: Path) -> None:
    copy = sqlite3.connect(database)
    earlier = copy.execute("SELECT * FROM audit_head").fetchone()
    copy.close()
    store = open_sql_store(StorePlace(str(database)))
    writer = store.audit_writer()
    assert writer is not None
    writer.submit(AuditEvent(Action.VERIFY, Outcome.ACCEPTED)).result(60)
    writer.close()
    store.close()
    kept = head_of(audit("verify"))
    tamper(database, "DELETE FROM audit WHERE sequence = 5")
    tamper(database, "UPDATE audit_head SET sequence = ?, link = ?, seal = ?", *earlier[1:])
    assert audit("verify").exit_code == 0
    result = audit("verify", "--head", kept)
    assert result.exit_code == ExitCode.STORE
    assert result.stdout.startswith("truncated: the log ends at entry 4, the head kept is 5")


def test_an_export_can_be_checked_without_database_and_key(audit: Audit, tmp_path: Path, database: Path) -> None:
    out = tmp_path / "log.jsonl"
    assert audit("export", "--out", out).exit_code == 0
    assert out.read_text() == audit("export").stdout
    assert out.stat().st_mode & 0o777 == 0o600
    head = head_of(audit("verify"))
    database.unlink()
    result = audit("verify", "--file", out, "--head", head)
    assert result.stdout.splitlines() == ["4 entries, intact", f"head {head}"]
    lines = out.read_text().splitlines(keepends=True)
    for broken in (lines[:2] + lines[3:], [*lines[:3], lines[3].replace("rejected", "accepted")], lines[:3]):
        out.write_text("".join(broken))
        assert audit("verify", "--file", out, "--head", head).exit_code == ExitCode.STORE
    out.write_bytes(b"\xff\xfe no log\n")
    result = audit("verify", "--file", out)
    assert (result.exit_code, "entry 1 is not one" in result.stderr) == (ExitCode.STORE, True)


def test_entries_of_a_collection_a_person_or_a_part_are_exported(audit: Audit) -> None:
    def sequences(*arguments: object) -> list[int]:
        result = audit("export", *arguments)
        assert result.exit_code == 0, result.stderr
        return [json.loads(line)["sequence"] for line in result.stdout.splitlines()]

    assert sequences() == [1, 2, 3, 4]
    assert sequences("--collection", "staff") == [2, 3, 4]
    assert sequences("--collection", "staff", "--person", "ada") == [2, 4]
    assert sequences("--collection", "visitors", "--person", "ada") == []
    link = json.loads(audit("export").stdout.splitlines()[1])["link"]
    assert sequences("--after", f"2:{link}") == [3, 4]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["verify", "--head", "7"], ExitCode.INPUT),
        (["verify", "--after", "x:y"], ExitCode.INPUT),
        (["verify", "--file", "no-such-file"], ExitCode.USAGE),
        (["verify", "--database", "no-such.sqlite"], ExitCode.STORE),
        (["verify", "--database", "memory:"], ExitCode.CONFIG),
        (["verify", "--key-file", "no-such-file"], ExitCode.CONFIG),
        (["export", "--person", "ada"], ExitCode.USAGE),
        (["export", "--out", "/no-such-folder/log.jsonl"], ExitCode.INPUT),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told(audit: Audit, words: list[str], code: ExitCode) -> None:
    result = audit(*words)
    assert result.exit_code == code, result.output
    assert "rror" in result.stderr
