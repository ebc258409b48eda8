"""An audit log in a database that is broken by hand: always found, never sealed by the next append."""

import sqlite3
from collections.abc import Callable

import pytest
from sqlalchemy import delete, select, update

from encode.errors import AuditBroken
from enroll.audit.chain import SECRET_BYTES, AuditKeys, Head
from enroll.audit.check import Checked, Damage, check_stored
from enroll.audit.event import AuditEvent
from enroll.audit.log import AuditLog
from enroll.audit.reading import stored_log
from enroll.audit.schema import entries, head
from enroll.stores.database import Database

Append = Callable[..., Head]
Check = Callable[..., Checked]
Told = Callable[[], list[dict[str, object]]]


def test_the_wrong_key_is_refused_at_once_and_found_by_the_check(
    database: Database, append: Append, check: Check, enrolled: AuditEvent, decided: AuditEvent
) -> None:
    reached = append(enrolled)
    other = AuditLog(AuditKeys.derive(b"o" * SECRET_BYTES))
    for use in (other.open, lambda connection: other.append(connection, decided)):
        with pytest.raises(AuditBroken, match="not sealed with this key"), database.writing() as connection:
            use(connection)
    assert check() == Checked(2, reached, ())


def test_what_was_changed_is_never_sealed_by_the_next_append(
    database: Database, append: Append, check: Check, enrolled: AuditEvent, decided: AuditEvent, keys: AuditKeys
) -> None:
    """A forger without the key changes an entry, computes every link anew and moves the head, seal and all."""
    for _ in range(3):
        append(decided)
    forger = AuditLog(AuditKeys.derive(b"f" * SECRET_BYTES))
    with database.writing() as connection:
        connection.execute(delete(entries))
        connection.execute(delete(head))
        forger.append(connection, *[enrolled] * forger.open(connection).sequence, enrolled, enrolled)
    with pytest.raises(AuditBroken, match="not sealed"):
        append(decided)
    with pytest.raises(AuditBroken, match="not sealed"), database.writing() as connection:
        AuditLog(keys).open(connection)
    assert Damage.HEAD_NOT_SEALED in {finding.damage for finding in check().findings}


def test_a_running_service_refuses_a_log_that_was_put_back(
    database: Database, log: AuditLog, append: Append, check: Check, enrolled: AuditEvent, decided: AuditEvent
) -> None:
    append(enrolled)
    with database.reading() as connection:
        earlier = connection.execute(select(head)).one()
    append(decided)
    with database.writing() as connection:
        connection.execute(delete(entries).where(entries.c.sequence > earlier.sequence))
        connection.execute(update(head).values(**earlier._mapping))
    assert check().intact
    assert not check(log.confirmed).intact
    with pytest.raises(AuditBroken, match="stepped back"):
        append(decided)


def test_a_log_without_its_head_is_not_begun_anew(
    database: Database, log: AuditLog, append: Append, check: Check, decided: AuditEvent
) -> None:
    with database.writing() as connection:
        connection.execute(delete(head))
    for use in (log.open, lambda connection: log.append(connection, decided)):
        with pytest.raises(AuditBroken, match="head"), database.writing() as connection:
            use(connection)
    [finding] = check().findings
    assert finding.damage is Damage.HEAD_MISSING


TAMPERING = [
    "UPDATE audit SET entry = CAST(replace(CAST(entry AS TEXT), 'rejected', 'accepted') AS BLOB) WHERE sequence = 3",
    "UPDATE audit SET entry = CAST(entry AS TEXT) WHERE sequence = 3",
    "UPDATE audit SET entry = x'ff' WHERE sequence = 5",
    "UPDATE audit SET link = zeroblob(32) WHERE sequence = 1",
    "UPDATE audit SET link = 7 WHERE sequence = 2",
    "UPDATE audit SET sequence = 99 WHERE sequence = 5",
    "UPDATE audit SET sequence = 'last' WHERE sequence = 5",
    "UPDATE audit SET sequence = 'last' WHERE sequence = 2",
    "DELETE FROM audit WHERE sequence = 1",
    "DELETE FROM audit WHERE sequence = 3",
    "DELETE FROM audit WHERE sequence > 3",
    "DELETE FROM audit",
    "INSERT INTO audit SELECT 6, entry, link FROM audit WHERE sequence = 5",
    "INSERT INTO audit SELECT 'x', entry, link FROM audit WHERE sequence = 5",
    "INSERT INTO audit SELECT 0, entry, link FROM audit WHERE sequence = 1",
    "INSERT INTO audit SELECT -4, entry, link FROM audit WHERE sequence = 1",
    "UPDATE audit_head SET sequence = 4",
    "UPDATE audit_head SET sequence = -4",
    "UPDATE audit_head SET sequence = 'x'",
    "UPDATE audit_head SET seal = zeroblob(32)",
    "UPDATE audit_head SET link = zeroblob(32)",
    "DELETE FROM audit_head",
]


@pytest.mark.parametrize("statement", TAMPERING)
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)  # which takes any value in any column
def test_tampering_by_hand_is_found(
    place: str, statement: str, append: Append, check: Check, enrolled: AuditEvent, decided: AuditEvent
) -> None:
    for event in (enrolled, decided, decided, decided):
        append(event)
    assert check().intact
    connection = sqlite3.connect(place)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()
    assert not check().intact
    if "audit_head" in statement:
        with pytest.raises(AuditBroken):
            append(decided)


def test_pages_and_later_entries_do_not_disturb_the_check(
    database: Database, log: AuditLog, append: Append, decided: AuditEvent, keys: AuditKeys
) -> None:
    reached = append(*[decided] * 2_345)
    with database.reading() as connection:
        stored, rows = stored_log(connection)
        first = next(rows)
        append(*[decided] * 5)
        checked = check_stored([first, *rows], stored, keys)
    assert checked == Checked(2_346, reached, ())
    with database.reading() as connection:
        stored, rows = stored_log(connection, after=reached)
        assert check_stored(rows, stored, keys, after=reached) == Checked(5, log.confirmed, ())
