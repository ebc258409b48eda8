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

from encode.errors import StoreUnavailable
from encode.sample import Modality
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from enroll.stores.store import Request
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)
REQUEST = Request("staff", "r1", "Enroll", b"0" * 32)


def template(person: str = "ada", seed: int = 7) -> Template:
    empty = Template.empty("staff", person, Modality.FACE, "a" * 64, size=64, now=NOW)
    values = np.random.default_rng(seed).normal(size=(3, 64)).astype(np.float32)
    return empty.with_references(values, anchors_capacity=2, recent_capacity=2, now=NOW)


def opened(path: Path) -> SqlStore:
    return open_sql_store(StorePlace(str(path)))


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
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.store import Request
from enroll.template import Template
now = datetime.now(UTC)
template = Template.empty("staff", "ada", Modality.FACE, "a" * 64, size=2, now=now)
template = template.with_references(np.ones((2, 2), np.float32), anchors_capacity=5, recent_capacity=5, now=now)
store = open_sql_store(StorePlace(sys.argv[1]))
store.save([template], answer=b"answer", request=Request("staff", "r1", "Enroll", b"0" * 32))
os._exit(9)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == 9
    store = opened(path)
    [found] = store.get("staff", "ada")
    np.testing.assert_array_equal(found.references, np.ones((2, 2), np.float32))
    assert store.recorded(REQUEST) == b"answer"
    store.close()


def test_two_stores_on_one_file_see_each_other(path: Path) -> None:
    one, other = opened(path), opened(path)
    saved = template()
    one.save([saved], answer=b"", request=None)
    assert [found.to_bytes() for found in other.get("staff", "ada")] == [saved.to_bytes()]
    other.erase([saved], answer=b"", request=None)
    assert one.get("staff", "ada") == ()
    one.close()
    other.close()


def test_only_the_owner_may_read_the_files(path: Path) -> None:
    before = os.umask(0)
    try:
        store = opened(path)
        store.save([template()], answer=b"", request=None)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {"people.sqlite-wal", "people.sqlite.key", "people.sqlite.keystore-wal"} <= modes.keys()


def test_commits_wait_for_the_disk(path: Path) -> None:
    store = opened(path)
    for database in (store.database, store.keys.database):
        with database.reading() as connection:
            pragmas = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
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
    opened(folder / "newer.sqlite").close()
    connection = sqlite3.connect(folder / "newer.sqlite")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    return folder / "newer.sqlite"


def _read_only(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root may write everything")
    path = folder / "locked.sqlite"
    opened(path).close()
    path.chmod(0o400)
    return path


@pytest.mark.parametrize(
    "prepare", [_folder_missing, _is_a_folder, _under_a_file, _not_a_database, _newer_schema, _read_only]
)
def test_a_database_that_cannot_be_used_is_a_typed_error(tmp_path: Path, prepare: object) -> None:
    assert callable(prepare)
    with pytest.raises(StoreUnavailable) as caught:
        opened(prepare(tmp_path))
    assert caught.value.fix


def test_a_database_that_fails_later_is_a_typed_error_without_content(path: Path) -> None:
    store = opened(path)
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
