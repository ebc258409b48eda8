"""`countersign db` and `countersign keys`, as a shell calls them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from countersign import main
from countersign.exit_codes import ExitCode
from encode.sample import Modality
from enroll.keys.file import new_key, read_key_file
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sqlite import SqliteDatabase
from enroll.template import Template

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """``call("db", "current", code=0)``: a command in an empty folder, which must end with that code."""
    import os

    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path, code: ExitCode = ExitCode.OK) -> Result:
        result = CliRunner().invoke(main.app, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def place(tmp_path: Path) -> StorePlace:
    """The store of the default settings, with Ada and Bob."""
    found = StorePlace("countersign.sqlite")
    store = open_sql_store(found)
    for person in ("ada", "bob"):
        empty = Template.empty("staff", person, Modality.FACE, "a" * 64, size=2, now=datetime(2025, 3, 1, tzinfo=UTC))
        rows = np.ones((2, 2), np.float32)
        template = empty.with_references(rows, anchors_capacity=2, recent_capacity=2, now=empty.created_at)
        store.save([template], answer=b"", request=None)
    store.close()
    return found


def listed(place: StorePlace) -> list[str]:
    store = open_sql_store(place)
    found = [one.person for one in store.list_people("staff", limit=9) if store.get("staff", one.person)]
    store.close()
    return found


def erase(place: StorePlace, person: str) -> None:
    store = open_sql_store(place)
    store.erase(store.get("staff", person), answer=b"", request=None)
    store.close()


@pytest.mark.usefixtures("place")
def test_the_schema_is_told_and_brought_up_to_date(call: Call) -> None:
    assert re.fullmatch(r"database (\d{4}), release \1\n", call("db", "current").stdout)
    assert "as before" in call("db", "upgrade").stdout


def test_a_new_database_is_made_by_upgrade_alone(call: Call, postgres: Callable[[], str], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(new_key())
    flags = ["--database", postgres(), "--key-database", postgres(), "--key-file", "keys"]
    assert "none" in call("db", "current", *flags, code=ExitCode.STORE).stdout
    assert "countersign db upgrade" in call("keys", "status", *flags, code=ExitCode.STORE).stderr
    assert "none → " in call("db", "upgrade", *flags).stdout
    call("db", "current", *flags)
    assert "1 data keys, in force" in call("keys", "status", *flags).stdout
    assert "pg_dump" in call("db", "backup", "copy", *flags, code=ExitCode.CONFIG).stderr
    (tmp_path / "copy").write_text("")
    assert "pg_restore" in call("db", "restore", "copy", *flags, code=ExitCode.CONFIG).stderr


def test_a_backup_is_restored_without_whoever_was_erased_since(call: Call, place: StorePlace) -> None:
    call("db", "backup", "copy.sqlite")
    assert "File exists" in call("db", "backup", "copy.sqlite", code=ExitCode.STORE).stderr
    erase(place, "ada")
    result = call("db", "restore", "copy.sqlite")
    assert "1 as they were, 0 put back to an earlier state, 1 erased since" in result.stdout
    assert listed(place) == ["bob"]
    assert call("db", "reconcile").stdout.startswith("1 as they were")


def test_an_export_is_imported(call: Call, place: StorePlace) -> None:
    assert "2 people, 2 templates" in call("db", "export", "people.export").stdout
    result = call("db", "export", "moving.export", "--with-keys")
    assert "erasure does not reach it" in result.stderr
    assert call("db", "import", "people.export").stdout.startswith("0 added, 2 already there")
    key = "countersign.sqlite.key"
    call("db", "import", "moving.export", "--database", "other.sqlite", "--key-file", key, code=ExitCode.STORE)
    call("db", "upgrade", "--database", "other.sqlite", "--key-file", key)
    moved = call("db", "import", "moving.export", "--database", "other.sqlite", "--key-file", key)
    assert moved.stdout.startswith("2 added")
    Path("people.export").write_text("{}")
    call("db", "import", "people.export", code=ExitCode.INPUT)


def test_changed_rows_end_a_reconciliation_with_an_error(call: Call, place: StorePlace) -> None:
    data = SqliteDatabase(place.database)
    with data.writing() as connection:
        connection.exec_driver_sql("UPDATE people SET revision = 7 WHERE person = 'ada'")
    data.close()
    assert "rows of 1 people" in call("db", "reconcile", code=ExitCode.STORE).stderr


def test_keys_are_rotated_and_the_old_one_leaves_the_file_beside_the_database(call: Call, place: StorePlace) -> None:
    file = Path("countersign.sqlite.key")
    [before] = read_key_file(file)
    assert f"{before.key_id}  3 data keys, in force" in call("keys", "status").stdout
    assert "3 data keys wrapped anew" in call("keys", "rotate").stdout
    [after] = read_key_file(file)
    assert after.key_id != before.key_id
    assert listed(place) == ["ada", "bob"]


def test_keys_of_a_file_that_was_named_stay_unless_told_otherwise(call: Call, place: StorePlace) -> None:
    Path("countersign.sqlite.key").rename("shared.key")
    [before] = read_key_file(Path("shared.key"))
    result = call("keys", "rotate", "--key-file", "shared.key")
    assert f"no more needed by this store: {before.key_id}" in result.stdout
    assert len(read_key_file(Path("shared.key"))) == 2
    call("keys", "rotate", "--key-file", "shared.key", "--drop-old")
    assert len(read_key_file(Path("shared.key"))) == 1


def test_a_new_key_is_printed_or_put_first_in_a_file(call: Call) -> None:
    Path("keys").write_text(call("keys", "new").stdout)
    [printed] = read_key_file(Path("keys"))
    told = call("keys", "new", "--file", "keys").stdout
    first, second = read_key_file(Path("keys"))
    assert second.key_id == printed.key_id
    assert first.key_id in told


@pytest.mark.parametrize(
    "words", [["db", "current"], ["db", "backup", "x"], ["db", "export", "x"], ["keys", "rotate"], ["keys", "status"]]
)
def test_a_database_that_is_not_there_is_not_made(call: Call, words: list[str], tmp_path: Path) -> None:
    call(*words, code=ExitCode.STORE)
    assert list(tmp_path.iterdir()) == []
    assert "memory" in call(*words, "--database", "memory:", code=ExitCode.CONFIG).stderr


def test_the_key_that_is_missing_is_named(call: Call, place: StorePlace) -> None:
    [needed] = read_key_file(Path("countersign.sqlite.key"))
    Path("countersign.sqlite.key").write_text(new_key())
    for words in (["keys", "status"], ["db", "export", "x"], ["db", "upgrade"]):
        assert f"needs key {needed.key_id}" in call(*words, code=ExitCode.STORE).stderr
