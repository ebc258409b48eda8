"""Every column of every table changed, as whoever can write the data and not the key store would: found, and named.

Columns that decide nothing are listed with what they are for; whatever they say, no answer changes.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, DateTime, LargeBinary, Table, delete, func, insert, select, update

from encode.errors import CountersignError, RequestIdReused, StoreCorrupt, TemplateVersionUnknown
from encode.sample import Modality
from enroll.access.grants import Grant, Grants
from enroll.access.schema import tokens
from enroll.access.tokens import TokenStore
from enroll.audit.schema import entries
from enroll.audit.schema import head as audit_head
from enroll.stores.collection import CollectionSettings
from enroll.stores.kept_samples import KeptSample
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.schema import (
    changes,
    metadata,
    people,
    samples,
    shredding,
    store_info,
    template_versions,
    templates,
)
from enroll.stores.sql import SqlStore
from enroll.stores.store import Request
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)
REQUEST = Request("staff", "r1", "Enroll", b"1" * 32)
SETTINGS = CollectionSettings(keep_samples=True)
Made = tuple[SqlStore, str]

TELLS_ONLY = {
    "changes.seq": "whom a gallery reads anew; whoever is compared is read from their own rows",
    "changes.key_ref": "see changes.seq",
    "people.created_at": "when a person was enrolled; for exports",
    "remembered_requests.at": "when an answer is forgotten",
    "remembered_requests.request_mac": "found under another name, a request is none that was made before",
    "access_secrets.name": "see access_secrets.value",
    "access_secrets.value": "which scores are told of people who are not enrolled",
    "store_info.id": "always 1",
}
ELSEWHERE = {
    "audit": "tests/enroll/audit/test_tampering.py",
    "audit_head": "tests/enroll/audit/test_tampering.py",
    "store_info": "tests/enroll/store/test_keys.py",
}


@pytest.fixture
def made(place: StorePlace, open_store: Callable[..., SqlStore], make_template: Callable[..., Template]) -> Made:
    """Ada with two versions, samples, a remembered answer; Bob and Eve likewise; settings; and a token."""
    store = open_store(place)
    store.configure("staff", SETTINGS)
    for number, person in enumerate(("ada", "bob", "eve")):
        first = make_template(person, seed=number)
        kept = [KeptSample(Modality.FACE, f"picture {n} of {person}".encode() * 9, NOW) for n in range(2)]
        store.save(
            [first, make_template(person, Modality.SIGNATURE, seed=number)],
            answer=b"told",
            request=REQUEST if person == "ada" else None,
            samples=kept,
        )
        store.save([make_template(person, before=first, seed=number + 10)], answer=b"", request=None)
    tokens_made = TokenStore(store.database, store.keys)
    tokens_made.secret("decoys")
    _, token = tokens_made.create("gate", Grants.of([Grant.parse("verify:staff")]), lifetime=timedelta(days=9))
    return store, token.token_id


def read_all(store: SqlStore, token_id: str) -> dict[str, Any]:
    """Everything the store says of Ada, of the collection and of the token: a value, or the error."""

    def told(what: Callable[[], Any]) -> Any:
        try:
            return what()
        except CountersignError as error:
            return error

    def token() -> bool:
        found = {one.token_id: one for one in TokenStore(store.database, store.keys).all()}
        return token_id in found and found[token_id].valid(NOW) and found[token_id].intact

    return {
        "templates": told(lambda: [one.to_bytes() for one in store.get("staff", "ada")]),
        "versions": told(lambda: store.versions_of("staff", "ada", Modality.FACE)),
        "version 1": told(lambda: store.version("staff", "ada", Modality.FACE, 1).to_bytes()),
        "samples": told(lambda: [one.payload for one in store.samples_of("staff", "ada", Modality.FACE)]),
        "settings": told(lambda: store.settings_of("staff")),
        "answer": told(lambda: store.recorded(REQUEST)),
        "token": told(token),
    }


def another(column: Column[Any], value: Any) -> Any:
    """A value that differs in one bit, one letter or one second, of the column's own type."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else b"x"
    if isinstance(value, datetime):
        return value + timedelta(seconds=1)
    if isinstance(value, int):
        return value + 1
    if isinstance(column.type, DateTime):
        return NOW
    if isinstance(column.type, LargeBinary):
        return b"x"
    return "x" if not value else value[:-1] + ("x" if value[-1] != "x" else "y")


def the_row(table: Table, token_id: str) -> Any:
    """Which of the rows is changed."""
    if table is tokens:
        return table.c.token_id == token_id
    if table is changes:
        return table.c.seq == select(func.max(table.c.seq)).scalar_subquery()
    if "person" in table.c:
        owner = (table.c.person == "ada") & (table.c.collection == "staff")
        return owner & (table.c.modality == "face") if "modality" in table.c else owner
    return table.primary_key.columns.values()[0].is_not(None)


def columns() -> list[Column[Any]]:
    return [
        column
        for table in metadata.sorted_tables
        if table not in (entries, audit_head, shredding, store_info)
        for column in table.columns
    ]


@pytest.mark.parametrize("column", columns(), ids=str)
def test_a_change_in_any_column_is_found(
    made: Made, place: StorePlace, open_store: Callable[..., SqlStore], column: Column[Any]
) -> None:
    store, token_id = made
    before = read_all(store, token_id)
    assert not [one for one in before.values() if isinstance(one, Exception)]
    where, table = the_row(column.table, token_id), column.table
    with store.database.writing() as connection:
        rows = connection.execute(select(table).where(where)).all()
        assert rows, "there is nothing to change"
        only = where & (
            table.primary_key.columns.values()[-1] == rows[0]._mapping[table.primary_key.columns.values()[-1]]
        )
        changed = another(column, rows[0]._mapping[column.name])
        connection.execute(update(table).where(only).values({column.name: changed}))
    after = read_all(open_store(place), token_id)  # by somebody who remembers nothing
    differing = {name: after[name] for name in before if str(after[name]) != str(before[name])}
    if str(column) in TELLS_ONLY:
        assert set(differing) <= {"answer"}
        assert differing.get("answer") is None
        return
    assert differing, f"a change of {column} is not found"
    for name, found in differing.items():
        allowed = found is False if name == "token" else isinstance(found, StoreCorrupt | RequestIdReused)
        gone = (name, column.name) in {("settings", "collection")} and found == CollectionSettings()
        # Under another name there is nobody of this one.
        absent = column.table is people and column.name in ("collection", "person") and found in ([], None)
        unknown = isinstance(found, TemplateVersionUnknown) and (column.table is people or column.name == "version")
        assert allowed or gone or absent or unknown, (name, found)
        if isinstance(found, StoreCorrupt):
            assert "ada" not in str(found)
            assert found.message


def test_every_table_is_in_one_of_the_lists() -> None:
    covered = {column.table.name for column in columns()}
    assert covered | set(ELSEWHERE) | {"shredding"} == set(metadata.tables)
    known = {str(column) for table in metadata.tables.values() for column in table.columns}
    assert set(TELLS_ONLY) <= known


def copy_of(connection: Any, table: Table, person: str) -> list[dict[str, Any]]:
    return [row._asdict() for row in connection.execute(select(table).where(table.c.person == person)).all()]


OWNED = (people, templates, template_versions, samples)


@pytest.mark.parametrize("reopened", [False, True])
def test_a_whole_person_put_back_to_an_earlier_state_is_found(
    made: Made, place: StorePlace, make_template: Callable[..., Template], reopened: bool
) -> None:
    """All rows of all tables, seals and all, as they were one enrolment before."""
    store, token_id = made
    with store.database.reading() as connection:
        kept = {table: copy_of(connection, table, "ada") for table in OWNED}
    [face] = [one for one in store.get("staff", "ada") if one.modality is Modality.FACE]
    store.save([make_template("ada", before=face)], answer=b"", request=None)
    with store.database.writing() as connection:
        for table in OWNED:
            connection.execute(delete(table).where(table.c.person == "ada"))
        for table in OWNED:
            connection.execute(insert(table), kept[table])
    reader = open_sql_store(place) if reopened else store
    after = read_all(reader, token_id)
    for name in ("templates", "versions", "version 1", "samples"):
        assert isinstance(after[name], StoreCorrupt), name
        assert "earlier revision" in str(after[name])
    if reopened:
        reader.close()


@pytest.mark.parametrize("other", ["bob", "eve"])
@pytest.mark.parametrize("table", OWNED[1:], ids=str)
def test_rows_lent_by_another_person_are_found(made: Made, table: Table, other: str) -> None:
    store, token_id = made
    with store.database.writing() as connection:
        lent = copy_of(connection, table, other)
        connection.execute(delete(table).where(table.c.person.in_(["ada", other])))
        connection.execute(insert(table), [row | {"person": "ada"} for row in lent])
    after = read_all(store, token_id)
    assert [name for name, found in after.items() if isinstance(found, StoreCorrupt)], table


@pytest.mark.parametrize("table", OWNED[1:], ids=str)
def test_rows_moved_to_another_modality_or_collection_are_found(made: Made, table: Table) -> None:
    store, token_id = made
    with store.database.writing() as connection:
        face = the_row(table, token_id)
        signature = (table.c.person == "ada") & (table.c.modality == "signature")
        connection.execute(delete(table).where(signature))
        connection.execute(update(table).where(face).values(modality="signature"))
    after = read_all(store, token_id)
    assert [name for name, found in after.items() if isinstance(found, StoreCorrupt)], table
    with store.database.writing() as connection:
        for moved in OWNED:
            connection.execute(update(moved).where(moved.c.person == "bob").values(collection="visitors"))
    with pytest.raises(StoreCorrupt):
        store.get("visitors", "bob")


@pytest.mark.parametrize("table", OWNED[1:], ids=str)
def test_a_row_taken_away_or_doubled_is_found(made: Made, table: Table) -> None:
    store, token_id = made
    with store.database.writing() as connection:
        row = connection.execute(select(table).where(the_row(table, token_id))).first()
        assert row is not None
        last = table.primary_key.columns.values()[-1]
        only = the_row(table, token_id) & (last == row._mapping[last])
        connection.execute(delete(table).where(only))
    after = read_all(store, token_id)
    assert [name for name, found in after.items() if isinstance(found, StoreCorrupt)], "a missing row"
    double = row._asdict() | ({"modality": "voice"} if table is templates else {})
    if table is not templates:
        double |= {last.name: double[last.name] + 7 if isinstance(double[last.name], int) else "f" * 32}
    with store.database.writing() as connection:
        connection.execute(insert(table).values(row._asdict()))
        double |= {"template_id": "e" * 32} if table is templates else {}
        connection.execute(insert(table).values(double))
    after = read_all(store, token_id)
    assert [name for name, found in after.items() if isinstance(found, StoreCorrupt)], "a doubled row"
