"""What the SQLite store promises beyond the common contract: durability, erasure, plain words when it cannot work."""

import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from encode.errors import CountersignError, StoreCorrupt, StoreUnavailable
from encode.sample import Modality
from enroll.sqlite_store import SqliteStore
from enroll.store import Request
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)
REQUEST = Request("staff", "r1", "Enroll", b"0" * 32)


def template(person: str = "ada", seed: int = 7) -> Template:
    empty = Template.empty("staff", person, Modality.FACE, "a" * 64, size=64, now=NOW)
    values = np.random.default_rng(seed).normal(size=(3, 64)).astype(np.float32)
    return empty.with_references(values, anchors_capacity=2, recent_capacity=2, now=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


def test_people_and_requests_outlive_the_process_that_stored_them(path: Path) -> None:
    """The writer ends without closing anything, as a killed server does."""
    script = """
import os, sys
from datetime import UTC, datetime
import numpy as np
from encode.sample import Modality
from enroll.sqlite_store import SqliteStore
from enroll.store import Request
from enroll.template import Template
now = datetime.now(UTC)
template = Template.empty("staff", "ada", Modality.FACE, "a" * 64, size=2, now=now)
template = template.with_references(np.ones((2, 2), np.float32), anchors_capacity=5, recent_capacity=5, now=now)
SqliteStore(sys.argv[1]).save([template], answer=b"answer", request=Request("staff", "r1", "Enroll", b"0" * 32))
os._exit(9)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == 9
    store = SqliteStore(path)
    [found] = store.get("staff", "ada")
    np.testing.assert_array_equal(found.references, np.ones((2, 2), np.float32))
    assert store.recorded(REQUEST) == b"answer"
    store.close()


def test_two_stores_on_one_file_see_each_other(path: Path) -> None:
    one, other = SqliteStore(path), SqliteStore(path)
    saved = template()
    one.save([saved], answer=b"", request=None)
    assert [found.to_bytes() for found in other.get("staff", "ada")] == [saved.to_bytes()]
    other.erase([saved], answer=b"", request=None)
    assert one.get("staff", "ada") == ()
    one.close()
    other.close()


def test_erased_references_are_in_no_file_any_more(path: Path) -> None:
    store = SqliteStore(path)
    saved = template("ada lovelace")
    traces = [saved.references[2:].astype("<f4").tobytes(), b"ada lovelace", b"what the answer told"]

    def found() -> list[bool]:
        everything = b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))
        return [trace in everything for trace in traces]

    store.save([template("bob", seed=8)], answer=b"", request=None)
    store.save([saved], answer=b"what the answer told", request=REQUEST)
    assert found() == [True, True, True]
    store.erase([saved], answer=b"", request=None)
    assert found() == [False, False, False]
    store.close()


def test_only_the_owner_may_read_the_files(path: Path) -> None:
    before = os.umask(0)
    try:
        store = SqliteStore(path)
        store.save([template()], answer=b"", request=None)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert "people.sqlite-wal" in modes


def test_commits_wait_for_the_disk(path: Path) -> None:
    store = SqliteStore(path)
    with store._engine.connect() as connection:
        cursor = connection.connection.cursor()
        pragmas = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
    store.close()


def _folder_missing(folder: Path) -> Path:
    return folder / "missing" / "people.sqlite"


def _is_a_folder(folder: Path) -> Path:
    return folder


def _under_a_file(folder: Path) -> Path:
    (folder / "file").write_bytes(b"")
    return folder / "file" / "people.sqlite"


def _not_a_database(folder: Path) -> Path:
    (folder / "text.sqlite").write_bytes(b"just some text, long enough to look at\n" * 100)
    return folder / "text.sqlite"


def _newer_schema(folder: Path) -> Path:
    SqliteStore(folder / "newer.sqlite").close()
    connection = sqlite3.connect(folder / "newer.sqlite")
    connection.execute("UPDATE store_info SET version = 99")
    connection.commit()
    connection.close()
    return folder / "newer.sqlite"


def _read_only(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root may write everything")
    path = folder / "locked.sqlite"
    SqliteStore(path).close()
    path.chmod(0o400)
    return path


@pytest.mark.parametrize(
    "prepare", [_folder_missing, _is_a_folder, _under_a_file, _not_a_database, _newer_schema, _read_only]
)
def test_a_database_that_cannot_be_used_is_a_typed_error(tmp_path: Path, prepare: object) -> None:
    assert callable(prepare)
    with pytest.raises(StoreUnavailable) as caught:
        SqliteStore(prepare(tmp_path))
    assert caught.value.fix


def test_a_database_that_fails_later_is_a_typed_error_without_content(path: Path) -> None:
    store = SqliteStore(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE templates")
    connection.commit()
    connection.close()
    for call in (
        lambda: store.get("staff", "ada lovelace"),
        lambda: store.save([template("ada lovelace")], answer=b"", request=None),
        lambda: store.list_people("staff", limit=5),
    ):
        with pytest.raises(StoreUnavailable, match="no such table") as caught:
            call()
        chain: BaseException | None = caught.value
        while chain is not None:
            assert "ada" not in str(chain)
            chain = chain.__cause__
    store.close()


def test_a_row_moved_to_another_person_is_found(path: Path) -> None:
    store = SqliteStore(path)
    store.save([template("ada")], answer=b"", request=None)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE templates SET person = 'eve'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreCorrupt, match="another key"):
        store.get("staff", "eve")
    store.close()


def test_a_damaged_row_is_found(path: Path) -> None:
    store = SqliteStore(path)
    store.save([template("ada")], answer=b"", request=None)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE templates SET payload = substr(payload, 1, 60)")
    connection.commit()
    connection.close()
    with pytest.raises(CountersignError) as caught:
        store.get("staff", "ada")
    assert type(caught.value) is StoreCorrupt
    store.close()
