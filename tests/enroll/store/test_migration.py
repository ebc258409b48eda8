"""Databases of earlier releases become today's, in place: templates sealed, and nothing left in the clear."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from encode.errors import RequestIdReused, StoreCorrupt, StoreUnavailable
from encode.sample import Modality
from enroll.access import schema as token_schema
from enroll.audit import schema as audit_schema
from enroll.keys.file import new_key
from enroll.keys.providers import KeySource
from enroll.stores import schema_version
from enroll.stores.opening import StorePlace, open_database, open_sql_store, upgradable
from enroll.stores.schema import metadata
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.stores.store import Request
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]

VERSION_1 = """
CREATE TABLE templates (
    collection VARCHAR(128) NOT NULL, person VARCHAR(128) NOT NULL, modality VARCHAR(16) NOT NULL,
    template_id VARCHAR(32) NOT NULL, version BIGINT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (collection, person, modality),
    CONSTRAINT templates_version_positive CHECK (version >= 1), UNIQUE (template_id)
);
CREATE TABLE requests (
    collection VARCHAR(128) NOT NULL, request_id VARCHAR(128) NOT NULL, method VARCHAR(32) NOT NULL,
    body_digest BLOB NOT NULL, answer BLOB NOT NULL, person VARCHAR(128), at DATETIME NOT NULL,
    PRIMARY KEY (collection, request_id)
);
CREATE INDEX requests_by_time ON requests (at);
CREATE INDEX requests_by_person ON requests (collection, person);
CREATE TABLE store_info (
    id INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (id), CONSTRAINT store_info_one_row CHECK (id = 1)
);
INSERT INTO store_info VALUES (1, 1);
"""
"""What the releases before migrations made, as SQLite tells it."""

ENROLL = Request("staff", "enroll ada", "Enroll", b"1" * 32)
ERASE = Request("staff", "erase eve", "DeletePerson", b"2" * 32)
OF_EVE = Request("staff", "enroll eve", "Enroll", b"3" * 32)


@pytest.fixture
def people(make_template: Make) -> list[Template]:
    return [
        make_template("ada", before=make_template("ada")),
        make_template("ada", Modality.SIGNATURE),
        make_template("bob", collection="visitors"),
    ]


@pytest.fixture
def version_1(sqlite_place: StorePlace, people: list[Template]) -> StorePlace:
    """A file of version 1 with Ada and Bob enrolled, and Eve erased."""
    with closing(sqlite3.connect(sqlite_place.database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL").close()
        connection.executescript(VERSION_1)
        rows = [(t.collection, t.person, t.modality.value, t.template_id, t.version, t.to_bytes()) for t in people]
        connection.executemany("INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?)", rows)
        at = "2025-03-01 00:00:00.000000"
        requests = [
            ("staff", ENROLL.request_id, "Enroll", ENROLL.body_digest, b"told of ada", "ada", at),
            ("staff", ERASE.request_id, "DeletePerson", ERASE.body_digest, b"receipt", None, at),
            ("staff", OF_EVE.request_id, "Enroll", b"", b"", None, at),
        ]
        connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?)", requests)
        connection.commit()
    return sqlite_place


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def test_a_file_of_version_1_is_sealed_in_place_when_it_is_opened(
    version_1: StorePlace, open_store: Open, people: list[Template], make_template: Make
) -> None:
    folder = Path(version_1.database).parent
    values = [template.references.astype("<f4").tobytes()[-64:] for template in people]
    clear = [*values, b"told of ada", b"receipt", b"enroll ada", ENROLL.body_digest, ERASE.body_digest]
    assert all(secret in everything_in(folder) for secret in clear)

    store = open_store(version_1)
    assert [one.to_bytes() for one in store.get("staff", "ada")] == [people[0].to_bytes(), people[1].to_bytes()]
    assert [one.to_bytes() for one in store.get("visitors", "bob")] == [people[2].to_bytes()]
    assert store.recorded(ENROLL) == b"told of ada"
    assert store.recorded(ERASE) == b"receipt"
    with pytest.raises(RequestIdReused, match="erased since"):
        store.recorded(OF_EVE)
    assert [secret for secret in clear if secret in everything_in(folder)] == []

    store.save([make_template("ada", before=people[0])], answer=b"", request=None)
    store.close()
    assert open_store(version_1).get("staff", "ada")[0].version == 3
    assert [secret for secret in clear if secret in everything_in(folder)] == []


def test_a_release_from_before_refuses_the_sealed_file(version_1: StorePlace, open_store: Open) -> None:
    open_store(version_1).close()
    with closing(sqlite3.connect(version_1.database)) as connection:
        assert connection.execute("SELECT version FROM store_info").fetchone() == (2,)


def test_a_file_with_a_damaged_template_is_left_as_it_was(version_1: StorePlace, open_store: Open) -> None:
    with closing(sqlite3.connect(version_1.database)) as connection:
        connection.execute("UPDATE templates SET payload = substr(payload, 1, 60) WHERE person = 'bob'")
        connection.commit()
    with pytest.raises(StoreCorrupt):
        open_store(version_1)
    with closing(sqlite3.connect(version_1.database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"templates", "requests", "store_info"}


def test_opening_twice_upgrades_once(version_1: StorePlace, open_store: Open) -> None:
    first = open_store(version_1).keys.in_use()
    assert open_store(version_1).keys.in_use() == first


def columns_of(database: Any) -> dict[str, Any]:
    with database.reading() as connection:
        looking = inspect(connection)
        return {
            table: (
                [(column["name"], str(column["type"]), column["nullable"]) for column in looking.get_columns(table)],
                sorted(looking.get_pk_constraint(table)["constrained_columns"]),
                sorted((index["name"], tuple(index["column_names"])) for index in looking.get_indexes(table)),
                sorted(tuple(unique["column_names"]) for unique in looking.get_unique_constraints(table)),
                sorted(check["name"] for check in looking.get_check_constraints(table)),
            )
            for table in looking.get_table_names()
            if table != "alembic_version"
        }


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_migrated_databases_have_the_tables_that_the_code_describes(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert {audit_schema.head.name, token_schema.tokens.name} <= metadata.tables.keys()
    place: StorePlace = request.getfixturevalue(f"{kind}_place")
    if kind == "sqlite":
        open_sql_store(place).close()
        bare: Any = SqliteDatabase(tmp_path / "bare.sqlite")
    else:
        bare = open_database(request.getfixturevalue("postgres")())
    migrated = open_database(place.database)
    metadata.create_all(bare.engine)
    assert columns_of(migrated) == columns_of(bare)
    migrated.close()
    bare.close()


def test_a_postgres_of_another_schema_is_refused_with_the_command_to_run(postgres: Callable[[], str]) -> None:
    place = StorePlace(postgres(), postgres(), KeySource(secret=new_key()))
    with pytest.raises(StoreUnavailable, match="no tables") as caught:
        open_sql_store(place)
    assert "countersign db upgrade" in (caught.value.fix or "")
    with upgradable(place) as (database, keys):
        assert schema_version.upgrade(database, keys) == (None, schema_version.HEAD)
        assert schema_version.upgrade(database, keys) == (schema_version.HEAD, schema_version.HEAD)
        with database.writing() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for opening in (lambda: open_sql_store(place), lambda: upgradable(place).__enter__()):
        with pytest.raises(StoreUnavailable, match="revision 9999"):
            opening()


def test_the_head_is_the_last_of_the_revisions_there_are() -> None:
    folder = Path(schema_version.__file__).parent / "migrations" / "versions"
    assert sorted(file.name[1:5] for file in folder.glob("v*.py")) == list(schema_version.REVISIONS)
