"""Appending to the audit log: in the mutation's transaction, once each, whoever else appends."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import pytest
from sqlalchemy import insert, select

from encode.errors import StoreUnavailable, VersionConflict
from enroll.audit.chain import START, AuditKeys, Head
from enroll.audit.check import Checked
from enroll.audit.event import Action, AuditEvent, Outcome
from enroll.audit.log import AuditLog
from enroll.audit.schema import entries
from enroll.stores.database import Database

Append = Callable[..., Head]
Check = Callable[..., Checked]
Told = Callable[[], list[dict[str, object]]]


def test_entries_tell_who_did_what_by_which_rules_and_nothing_else(
    append: Append, check: Check, told: Told, enrolled: AuditEvent, decided: AuditEvent, keys: AuditKeys
) -> None:
    append(enrolled)
    append(decided, AuditEvent(Action.VERIFY, Outcome.REFUSED, reason="PERSON_UNKNOWN"))
    opened, first, second, refused = told()
    pseudonym = keys.pseudonym_of("staff", "ada lovelace")
    common = {
        "at": "2025-03-01T12:30:00.000000+00:00",
        "caller": "front desk",
        "token_id": "0123456789abcdef",
        "call_id": "3f0e9c2e-6c1c-4a51-9f0e-1a2b3c4d5e6f",
    }
    about = {"collection": "staff", "person": pseudonym, "models": {"face": "a" * 64}}
    assert (opened["action"], len(str(opened["subject"]))) == ("open", 32)
    assert first == {"action": "enroll", "outcome": "done", "versions": {"face": 2}, **common, **about}
    rules = {"policy_id": "0123456789abcdef", "target_far": 0.001, "left_out": {"signature": "unusable"}}
    assert second == {"action": "verify", "outcome": "rejected", **rules, **common, **about}
    assert refused == {"action": "verify", "outcome": "refused", "reason": "PERSON_UNKNOWN", "at": common["at"]}
    assert check().intact


def test_a_person_without_a_collection_is_nobody() -> None:
    with pytest.raises(ValueError, match="of a collection"):
        AuditEvent(Action.VERIFY, person="ada")


def test_an_append_is_undone_with_its_transaction(
    database: Database, log: AuditLog, append: Append, check: Check, enrolled: AuditEvent, decided: AuditEvent
) -> None:
    before = append(enrolled)
    with suppress(ZeroDivisionError), database.writing() as connection:
        log.append(connection, decided)
        raise ZeroDivisionError
    assert check() == Checked(2, before, ())
    assert append(decided).sequence == 3
    assert check(before, log.confirmed).intact


def test_opening_again_continues_the_log(
    database: Database,
    append: Append,
    check: Check,
    told: Told,
    enrolled: AuditEvent,
    decided: AuditEvent,
    keys: AuditKeys,
) -> None:
    reached = append(enrolled)
    again = AuditLog(keys)
    assert again.confirmed == START
    with database.writing() as connection:
        assert again.open(connection) == reached
    append(decided, log=again)
    assert [entry["action"] for entry in told()] == ["open", "enroll", "verify"]
    assert check().intact


def test_an_append_of_nothing_changes_nothing(log: AuditLog, append: Append, check: Check) -> None:
    assert append() == log.confirmed == check().end


def test_two_processes_never_continue_the_same_entry(
    place: str, database: Database, log: AuditLog, append: Append, check: Check, told: Told
) -> None:
    program = """
import sys
from threading import Thread
from enroll.audit.log import AuditLog
from enroll.audit.chain import AuditKeys
from enroll.audit.event import Action, AuditEvent
from enroll.stores.opening import open_database

log, database = AuditLog(AuditKeys.derive(b"k" * 32)), open_database(sys.argv[1])

def append(caller):
    for number in range(25):
        with database.writing() as connection:
            reached = log.append(connection, AuditEvent(Action.VERIFY, subject=f"{caller} {number}"))
        log.confirm(reached)

threads = [Thread(target=append, args=(f"{sys.argv[2]} {index}",)) for index in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    processes = [subprocess.Popen([sys.executable, "-c", program, place, name]) for name in ("one", "other")]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    checked = check()
    assert (checked.entries, checked.findings) == (1 + 2 * 2 * 25, ())
    subjects = [str(entry["subject"]) for entry in told()[1:]]
    for name in ("one 0", "one 1", "other 0", "other 1"):
        assert [subject for subject in subjects if subject.startswith(name)] == [f"{name} {n}" for n in range(25)]


def test_one_of_several_who_open_an_empty_log_begins_it(
    database: Database, keys: AuditKeys, check: Check, told: Told
) -> None:
    together = Barrier(4)

    def open_and_append(_: int) -> None:
        log = AuditLog(keys)
        together.wait(60)
        with database.writing() as connection:
            log.open(connection)
        with database.writing() as connection:
            log.append(connection, AuditEvent(Action.START))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_and_append, range(4)))
    assert [entry["action"] for entry in told()] == ["open", *["start"] * 4]
    assert check().intact


def test_the_same_number_is_never_given_twice(database: Database, append: Append, enrolled: AuditEvent) -> None:
    """What two writers who had both read one head would do; the database itself refuses the second."""
    append(enrolled)
    with database.reading() as connection:
        first = connection.execute(select(entries).limit(1)).one()
    with pytest.raises((StoreUnavailable, VersionConflict)), database.writing() as connection:
        connection.execute(insert(entries).values(**first._mapping))
