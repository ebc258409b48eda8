"""Data of an earlier schema than its key store has met: an upgrade must not seal what somebody put there."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from encode.errors import StoreCorrupt
from enroll.access.grants import Grants
from enroll.access.tokens import TokenStore, secret_hash
from enroll.stores import schema_version
from enroll.stores.opening import StorePlace, upgradable
from enroll.stores.restore import restore_file
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]

REFUSED = "its key store has been used with"
TOKEN, SECRET = "0123456789abcdef", "ab" * 32
TO_0004 = """
DROP TABLE changes;
ALTER TABLE tokens DROP COLUMN seal;
ALTER TABLE shredding DROP COLUMN seal;
UPDATE alembic_version SET version_num = '0004';
"""
OPEN_TEMPLATES = """
CREATE TABLE templates (
    collection VARCHAR(128) NOT NULL, person VARCHAR(128) NOT NULL, modality VARCHAR(16) NOT NULL,
    template_id VARCHAR(32) NOT NULL, version BIGINT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (collection, person, modality)
);
CREATE TABLE store_info (id INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL);
INSERT INTO store_info VALUES (1, 1);
"""


@pytest.fixture
def used(sqlite_place: StorePlace, open_store: Open, make_template: Make) -> StorePlace:
    """A store with Ada enrolled, closed."""
    store = open_store(sqlite_place)
    store.save([make_template("ada")], answer=b"", request=None)
    store.close()
    return sqlite_place


def script(path: str | Path, statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)


def replace_with(place: StorePlace, statements: str) -> None:
    Path(place.database).unlink()
    script(place.database, statements)


def test_a_token_written_by_hand_is_not_sealed_by_an_upgrade(used: StorePlace, open_store: Open) -> None:
    script(used.database, TO_0004)
    grants = Grants.from_json('[["admin", "*"]]')
    with closing(sqlite3.connect(used.database)) as connection:
        row = (TOKEN, "made up", secret_hash(TOKEN, SECRET), grants.to_json(), "2025-01-01 00:00:00.000000")
        connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, NULL, NULL)", row)
        connection.commit()
    with pytest.raises(StoreCorrupt, match=REFUSED):
        open_store(used)
    with closing(sqlite3.connect(used.database)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0004",)


def test_a_template_in_the_clear_is_not_sealed_by_an_upgrade(
    used: StorePlace, open_store: Open, make_template: Make
) -> None:
    attacker = make_template("ada", seed=99)
    replace_with(used, OPEN_TEMPLATES)
    with closing(sqlite3.connect(used.database)) as connection:
        row = ("staff", "ada", attacker.modality.value, attacker.template_id, 1, attacker.to_bytes())
        connection.execute("INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.commit()
    with pytest.raises(StoreCorrupt, match=REFUSED):
        open_store(used)


def test_a_database_that_is_gone_is_not_replaced_by_an_empty_one(used: StorePlace, open_store: Open) -> None:
    Path(used.database).unlink()
    with pytest.raises(StoreCorrupt, match="no tables"):
        open_store(used)
    with upgradable(used, put_back=True) as (database, keys):
        schema_version.upgrade(database, keys)
    assert open_store(used).get("staff", "ada") == ()


def test_an_older_database_is_upgraded_and_noted_once(used: StorePlace, open_store: Open, tmp_path: Path) -> None:
    """As that of the release before: its key store has met nothing later."""
    script(used.database, TO_0004)
    script(used.key_store, "UPDATE data_keys SET revision = 0 WHERE key_ref = 'secret'")
    store = open_store(used)
    assert len(store.get("staff", "ada")) == 1
    assert store.keys.schema_met == len(schema_version.REVISIONS)
    store.close()
    script(used.database, TO_0004)
    with pytest.raises(StoreCorrupt, match=REFUSED):
        open_store(used)


def test_a_backup_of_an_earlier_schema_is_restored_by_an_operator(
    used: StorePlace, open_store: Open, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.sqlite"
    with closing(SqliteDatabase(used.database)) as database:
        database.copy_to(backup)
    script(backup, TO_0004)
    restore_file(used, backup)
    store = open_store(used)
    assert len(store.get("staff", "ada")) == 1
    assert store.keys.schema_met == len(schema_version.REVISIONS)


def test_an_upgrade_that_was_cut_short_is_made_up_for(
    used: StorePlace, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(used)
    tokens = TokenStore(store.database, store.keys)
    _, token = tokens.create("door", Grants.from_json('[["verify", "staff"]]'), lifetime=None)
    store.keys.destroy([f"token {token.token_id}"])  # the releases before sealed no token
    store.close()
    script(used.database, TO_0004)
    script(used.key_store, "UPDATE data_keys SET revision = 4 WHERE key_ref = 'secret'")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", killed)
        with pytest.raises(KeyboardInterrupt):
            open_store(used)
    store = open_store(used)
    [found] = TokenStore(store.database, store.keys).all()
    assert found.valid(datetime.now(UTC))
