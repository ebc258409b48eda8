"""A change and its entries are one transaction, and the log's head is known once that has ended."""

from collections.abc import Callable

import pytest
from sqlalchemy import insert, select

from encode.errors import AuditBroken
from enroll.audit import schema as audit_schema
from enroll.audit.event import Action, AuditEvent
from enroll.audit.recording import Recorder
from enroll.stores.opening import StorePlace
from enroll.stores.schema import shredding
from enroll.stores.sql import SqlStore

EVENT = AuditEvent(Action.CONFIGURE, collection="staff")


@pytest.fixture
def store(place: StorePlace, open_store: Callable[..., SqlStore]) -> SqlStore:
    return open_store(place)


def actions(store: SqlStore) -> list[str]:
    with store.database.reading() as connection:
        found = connection.execute(select(audit_schema.entries.c.entry).order_by(audit_schema.entries.c.sequence))
        return [entry.decode().split('"action":"')[1].split('"')[0] for entry in found.scalars()]


def refs(store: SqlStore) -> list[str]:
    with store.database.reading() as connection:
        return list(connection.execute(select(shredding.c.key_ref)).scalars())


def change_something(recorder: Recorder) -> None:
    with recorder.writing() as change:
        change.connection.execute(insert(shredding).values(key_ref="a"))
        change.tell(EVENT)


def test_change_and_entries_are_there_together_and_in_order(store: SqlStore) -> None:
    with store.recorder.writing() as change:
        change.tell(EVENT, None)
        change.connection.execute(insert(shredding).values(key_ref="a"))
        change.tell(AuditEvent(Action.DB_RECONCILE))
    assert actions(store) == ["open", "configure", "db_reconcile"]
    assert refs(store) == ["a"]


def test_a_change_that_fails_leaves_neither(store: SqlStore) -> None:
    def change_and_fail() -> None:
        with store.recorder.writing() as change:
            change.connection.execute(insert(shredding).values(key_ref="a"))
            change.tell(EVENT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    assert (actions(store), refs(store)) == (["open"], [])
    store.recorder.tell(EVENT)
    assert actions(store) == ["open", "configure"]


def test_a_change_that_cannot_be_recorded_is_not_made(store: SqlStore) -> None:
    with store.database.writing() as connection:
        connection.execute(audit_schema.head.update().values(seal=b"\0" * 32))
    with pytest.raises(AuditBroken):
        change_something(store.recorder)
    assert refs(store) == []


def test_without_a_log_changes_are_made_and_nothing_is_told(store: SqlStore) -> None:
    change_something(Recorder(store.database.writing))
    assert (actions(store), refs(store)) == (["open"], ["a"])


def test_a_head_that_stepped_back_after_a_change_is_noticed(store: SqlStore) -> None:
    with store.database.reading() as connection:
        before = connection.execute(select(audit_schema.head)).one()._asdict()
    store.recorder.tell(EVENT)
    with store.database.writing() as connection:
        connection.execute(audit_schema.head.update().values(before))
    with pytest.raises(AuditBroken, match="stepped back"):
        store.recorder.tell(EVENT)
