"""A tampered database, seen by callers of the service: an error that names it, or a rejection; never an acceptance."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from encode.errors import CountersignError, PersonUnknown, StoreCorrupt
from encode.sample import ImageSample, Modality
from enroll.keys.file import new_key
from enroll.keys.providers import KeySource
from enroll.stores import schema_version
from enroll.stores.opening import StorePlace, open_sql_store, upgradable
from enroll.stores.schema import people, templates
from enroll.stores.sql import SqlStore
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings

Face = Callable[..., ImageSample]
ADA, MALLORY = 1, 2


@dataclass
class Attacked:
    """A service with Ada and Mallory, both enrolled twice, and the store that the attacker writes."""

    client: Client
    store: SqlStore
    earlier: dict[Any, list[dict[str, Any]]]

    def claim(self, face: ImageSample, *, person: str = "lovelace") -> bool | type[Exception]:
        """Whether a claim is accepted, or the error that answers it."""
        try:
            return self.client.verify("staff", person, [face]).accepted
        except CountersignError as error:
            return type(error) if person not in str(error) else AssertionError


@pytest.fixture(params=["sqlite", "postgres"])
def attacked(
    request: pytest.FixtureRequest, models: Mapping[Modality, Model], face: Face, log: io.StringIO, tmp_path: Path
) -> Iterator[Attacked]:
    place = StorePlace(str(tmp_path / "people.sqlite"))
    if request.param == "postgres":
        new = request.getfixturevalue("postgres")
        place = StorePlace(new(), new(), KeySource(secret=new_key()))
        with upgradable(place) as (database, keys):
            schema_version.upgrade(database, keys)
    with (
        closing(open_sql_store(place)) as store,
        # Nobody is kept in memory, so that every claim meets the rows; see the last test for people who are.
        serving(models, store, ServiceSettings(port=0, cache_mib=0)) as address,
        Client(address, timeout=60) as client,
    ):
        yield enrolled(client, store, face)


def enrolled(client: Client, store: SqlStore, face: Face) -> Attacked:
    """Both enrolled, Ada twice, and each verified once."""
    for name, number in (("lovelace", ADA), ("mallory", MALLORY)):
        client.enroll("staff", name, [face(number, shot) for shot in range(3)])
    with store.database.reading() as connection:
        earlier = {table: rows_of(connection, table, "lovelace") for table in (people, templates)}
    client.enroll("staff", "lovelace", [face(ADA, 3)])
    attacked = Attacked(client, store, earlier)
    assert attacked.claim(face(ADA, 8)) is True
    assert attacked.claim(face(MALLORY, 8)) is False
    assert attacked.claim(face(MALLORY, 8), person="mallory") is True
    return attacked


def rows_of(connection: Any, table: Any, person: str) -> list[dict[str, Any]]:
    return [row._asdict() for row in connection.execute(select(table).where(table.c.person == person)).all()]


def flip(connection: Any, column: Any, byte: int) -> None:
    [data] = connection.execute(select(column).where(column.table.c.person == "lovelace")).scalars().all()
    at = byte % len(data)
    changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    connection.execute(update(column.table).where(column.table.c.person == "lovelace").values({column.name: changed}))


def give_ada_mallorys_template(connection: Any, _: Attacked) -> None:
    [theirs] = rows_of(connection, templates, "mallory")
    connection.execute(update(templates).where(templates.c.person == "lovelace").values(payload=theirs["payload"]))


def give_ada_all_of_mallorys_row(connection: Any, _: Attacked) -> None:
    [theirs] = rows_of(connection, templates, "mallory")
    connection.execute(delete(templates))
    connection.execute(insert(templates).values(theirs | {"person": "lovelace"}))


def call_mallory_ada(connection: Any, _: Attacked) -> None:
    for table in (templates, people):
        connection.execute(delete(table).where(table.c.person == "lovelace"))
        connection.execute(update(table).where(table.c.person == "mallory").values(person="lovelace"))


def give_ada_mallorys_key(connection: Any, _: Attacked) -> None:
    theirs = rows_of(connection, people, "mallory")[0]
    for table in (templates, people):
        connection.execute(delete(table).where(table.c.person == "mallory"))
    values = {name: theirs[name] for name in ("key_ref", "state", "revision")}
    connection.execute(update(people).where(people.c.person == "lovelace").values(values))


def bring_mallory_from_another_collection(connection: Any, _: Attacked) -> None:
    for table in (templates, people):
        connection.execute(delete(table).where(table.c.person == "lovelace"))
        moved = {"person": "lovelace", "collection": "visitors"}
        connection.execute(update(table).where(table.c.person == "mallory").values(moved))
        connection.execute(update(table).where(table.c.person == "lovelace").values(collection="staff"))


def put_ada_back(connection: Any, attacked: Attacked) -> None:
    for table in (templates, people):
        connection.execute(delete(table).where(table.c.person == "lovelace"))
    for table in (people, templates):
        connection.execute(insert(table), attacked.earlier[table])


def put_adas_template_back(connection: Any, attacked: Attacked) -> None:
    [before] = attacked.earlier[templates]
    connection.execute(update(templates).where(templates.c.person == "lovelace").values(before))


def take_adas_template_away(connection: Any, _: Attacked) -> None:
    connection.execute(delete(templates).where(templates.c.person == "lovelace"))


TAMPERINGS = (
    give_ada_mallorys_template,
    give_ada_all_of_mallorys_row,
    call_mallory_ada,
    give_ada_mallorys_key,
    bring_mallory_from_another_collection,
    put_ada_back,
    put_adas_template_back,
    take_adas_template_away,
)


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda one: one.__name__)
def test_nobody_is_accepted_by_rows_that_were_put_there(
    attacked: Attacked, face: Face, log: io.StringIO, tamper: Callable[[Any, Attacked], None]
) -> None:
    with attacked.store.database.writing() as connection:
        tamper(connection, attacked)
    for number in (MALLORY, ADA):
        assert attacked.claim(face(number, 8)) is StoreCorrupt, tamper
    assert '"reason": "STORE_CORRUPT"' in log.getvalue(), "the operator is told"
    assert "lovelace" not in log.getvalue()


@pytest.mark.parametrize("byte", [0, 5, 40, -1])
@pytest.mark.parametrize("column", [templates.c.payload, people.c.state], ids=str)
def test_nor_by_a_flipped_bit(attacked: Attacked, face: Face, column: Any, byte: int) -> None:
    with attacked.store.database.writing() as connection:
        flip(connection, column, byte)
    assert attacked.claim(face(ADA, 8)) is attacked.claim(face(MALLORY, 8)) is StoreCorrupt
    assert attacked.claim(face(MALLORY, 8), person="mallory") is True, "who was not touched is verified as before"


def test_who_was_deleted_by_hand_is_nobody(attacked: Attacked, face: Face) -> None:
    """The rows of a whole person taken away are a loss, which only the audit log shows: it tells of no erasure."""
    with attacked.store.database.writing() as connection:
        for table in (templates, people):
            connection.execute(delete(table).where(table.c.person == "lovelace"))
    assert attacked.claim(face(ADA, 8)) is attacked.claim(face(MALLORY, 8)) is PersonUnknown


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda one: one.__name__)
def test_nor_where_people_are_kept_in_memory(
    models: Mapping[Modality, Model], face: Face, tmp_path: Path, tamper: Callable[[Any, Attacked], None]
) -> None:
    """What is kept is what was stored: the true answer, or the error, and Mallory is never Ada."""
    with (
        closing(open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))) as store,
        serving(models, store, ServiceSettings(port=0)) as address,
        Client(address, timeout=60) as client,
    ):
        attacked = enrolled(client, store, face)
        with store.database.writing() as connection:
            tamper(connection, attacked)
        assert attacked.claim(face(ADA, 8)) in (True, StoreCorrupt)
        assert attacked.claim(face(MALLORY, 8)) in (False, StoreCorrupt)
