"""Rows changed by somebody who can write the database and not the key store: found at the read, and named."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from encode.errors import StoreCorrupt
from encode.sample import Modality
from enroll.stores.opening import StorePlace
from enroll.stores.schema import people, remembered_requests, templates
from enroll.stores.sql import SqlStore
from enroll.stores.store import Request
from enroll.template import Template

REQUEST = Request("staff", "r1", "Enroll", b"1" * 32)


@pytest.fixture
def store(place: StorePlace, open_store: Callable[..., SqlStore], make_template: Callable[..., Template]) -> SqlStore:
    """Ada and Bob with both modalities, Ada at her second version, Eve with one."""
    store = open_store(place)
    first = make_template("ada")
    store.save([first, make_template("ada", Modality.SIGNATURE)], answer=b"told", request=REQUEST)
    store.save([make_template("ada", before=first)], answer=b"", request=None)
    store.save([make_template("bob"), make_template("bob", Modality.SIGNATURE)], answer=b"", request=None)
    store.save([make_template("eve")], answer=b"", request=None)
    return store


def of(table: Any, person: str) -> Any:
    return table.c.person == person


def flip_a_bit(data: bytes, byte: int) -> bytes:
    return data[:byte] + bytes([data[byte] ^ 1]) + data[byte + 1 :]


@pytest.mark.parametrize("byte", [0, 1, 20, -20, -1])
@pytest.mark.parametrize("column", [templates.c.payload, people.c.state], ids=str)
def test_a_flipped_bit_is_found(store: SqlStore, column: Any, byte: int) -> None:
    table = column.table
    with store.database.writing() as connection:
        for found in connection.execute(select(column).where(of(table, "ada"))).scalars().all():
            at = byte % len(found)
            connection.execute(update(table).where(column == found).values({column.name: flip_a_bit(found, at)}))
    with pytest.raises(StoreCorrupt, match="row was changed"):
        store.get("staff", "ada")
    assert len(store.get("staff", "bob")) == 2


def test_a_truncated_payload_is_found(store: SqlStore) -> None:
    with store.database.writing() as connection:
        connection.execute(update(templates).where(of(templates, "ada")).values(payload=b"\x01short"))
    with pytest.raises(StoreCorrupt):
        store.get("staff", "ada")


def swap_payloads(connection: Any) -> None:
    theirs = select(templates.c.modality, templates.c.payload).where(of(templates, "bob"))
    for modality, payload in connection.execute(theirs).all():
        mine = of(templates, "ada") & (templates.c.modality == modality)
        connection.execute(update(templates).where(mine).values(payload=payload))


def lend_all_rows(connection: Any) -> None:
    for table in (templates, people):
        connection.execute(delete(table).where(of(table, "ada")))
        connection.execute(update(table).where(of(table, "bob")).values(person="ada"))


def move_to_another_collection(connection: Any) -> None:
    for table in (templates, people):
        connection.execute(delete(table).where(of(table, "ada")))
        connection.execute(update(table).where(of(table, "bob")).values(person="ada", collection="staff"))


def lend_the_key(connection: Any) -> None:
    key = connection.execute(select(people.c.key_ref, people.c.state).where(of(people, "bob"))).one()
    for table in (templates, people):
        connection.execute(delete(table).where(of(table, "bob")))
    connection.execute(update(people).where(of(people, "ada")).values(key_ref=key.key_ref, state=key.state))


def name_no_key(connection: Any) -> None:
    connection.execute(update(people).where(of(people, "ada")).values(key_ref="0" * 32))


def claim_another_model(connection: Any) -> None:
    connection.execute(update(templates).where(of(templates, "ada")).values(model_digest="b" * 64))


def claim_another_version(connection: Any) -> None:
    face = of(templates, "ada") & (templates.c.modality == "face")
    connection.execute(update(templates).where(face).values(version=1))


def claim_another_revision(connection: Any) -> None:
    connection.execute(update(people).where(of(people, "ada")).values(revision=7))


def take_a_modality_away(connection: Any) -> None:
    connection.execute(delete(templates).where(of(templates, "ada") & (templates.c.modality == "signature")))


def take_every_template_away(connection: Any) -> None:
    connection.execute(delete(templates).where(of(templates, "ada")))


def give_a_modality(connection: Any) -> None:
    row = connection.execute(
        select(templates).where(of(templates, "bob") & (templates.c.modality == "signature"))
    ).one()
    connection.execute(delete(templates).where(templates.c.template_id == row.template_id))
    connection.execute(delete(templates).where(of(templates, "ada") & (templates.c.modality == "signature")))
    connection.execute(insert(templates).values(row._asdict() | {"person": "ada"}))


@pytest.mark.parametrize(
    "tamper",
    [
        swap_payloads,
        lend_all_rows,
        move_to_another_collection,
        lend_the_key,
        name_no_key,
        claim_another_model,
        claim_another_version,
        claim_another_revision,
        take_a_modality_away,
        take_every_template_away,
        give_a_modality,
    ],
)
def test_rows_that_are_not_what_was_stored_are_found(store: SqlStore, tamper: Callable[[Any], None]) -> None:
    with store.database.writing() as connection:
        tamper(connection)
    with pytest.raises(StoreCorrupt) as caught:
        store.get("staff", "ada")
    assert "ada" not in str(caught.value)
    assert len(store.get("staff", "eve")) == 1


@pytest.mark.parametrize("reopened", [False, True])
def test_rows_put_back_to_an_earlier_revision_are_found(
    store: SqlStore,
    place: StorePlace,
    open_store: Callable[..., SqlStore],
    make_template: Callable[..., Template],
    reopened: bool,
) -> None:
    with store.database.reading() as connection:
        kept = {
            table: [row._asdict() for row in connection.execute(select(table).where(of(table, "ada")))]
            for table in (people, templates)
        }
    face, _ = store.get("staff", "ada")
    store.save([make_template("ada", before=face)], answer=b"", request=None)
    assert store.get("staff", "ada")[0].version == 3
    with store.database.writing() as connection:
        for table, rows in kept.items():
            connection.execute(delete(table).where(of(table, "ada")))
            connection.execute(insert(table), rows)
    reader = open_store(place) if reopened else store
    with pytest.raises(StoreCorrupt, match="earlier revision"):
        reader.get("staff", "ada")


def test_a_changed_answer_is_found(store: SqlStore) -> None:
    assert store.recorded(REQUEST) == b"told"
    with store.database.writing() as connection:
        answer = connection.execute(select(remembered_requests.c.answer)).scalar_one()
        connection.execute(update(remembered_requests).values(answer=flip_a_bit(answer, 15)))
    with pytest.raises(StoreCorrupt, match="answer"):
        store.recorded(REQUEST)


def test_a_revision_that_a_crash_kept_from_the_key_store_is_noted_by_the_next_read(
    store: SqlStore, place: StorePlace, open_store: Callable[..., SqlStore]
) -> None:
    with store.database.reading() as connection:
        ref = connection.execute(select(people.c.key_ref).where(of(people, "ada"))).scalar_one()
    store.keys.put_back([(ref, 1)])
    reader = open_store(place)
    assert reader.get("staff", "ada")
    noted = reader.keys.fresh(ref)
    assert noted is not None
    assert noted.revision == 2
