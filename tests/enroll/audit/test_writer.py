"""Group commit: what was acknowledged is in the log, whatever ends the process; nobody waits for ever."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Event, get_ident

import pytest
from sqlalchemy import Connection, update

from encode.errors import AuditBroken, ServiceOverloaded, StoreUnavailable
from enroll.audit.chain import AuditKeys
from enroll.audit.check import Checked
from enroll.audit.event import Action, AuditEvent
from enroll.audit.log import AuditLog
from enroll.audit.schema import head
from enroll.audit.writer import MAX_WAITING, AuditWriter
from enroll.stores.database import Database

Check = Callable[..., Checked]
Told = Callable[[], list[dict[str, object]]]


class Gate:
    """Transactions of a database that begin once they may; counts them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.entered, self.open = Event(), Event()
        self.begun = 0
        self.error: Exception | None = None

    def transaction(self) -> AbstractContextManager[Connection]:
        @contextmanager
        def held() -> Iterator[Connection]:
            self.begun += 1
            self.entered.set()
            assert self.open.wait(60)
            if self.error is not None:
                raise self.error
            with self._database.writing() as connection:
                yield connection

        return held()


@pytest.fixture
def gate(database: Database) -> Gate:
    return Gate(database)


@pytest.fixture
def writer(log: AuditLog, gate: Gate) -> Iterator[AuditWriter]:
    made = AuditWriter(log, gate.transaction)
    yield made
    gate.open.set()
    made.close()


def numbered(number: int) -> AuditEvent:
    return AuditEvent(Action.VERIFY, subject=f"{number}")


def test_concurrent_writers_all_find_their_entry_once_and_in_their_own_order(
    log: AuditLog, gate: Gate, writer: AuditWriter, check: Check, told: Told
) -> None:
    gate.open.set()

    def write(thread: int) -> None:
        for number in range(20):
            writer.submit(AuditEvent(Action.VERIFY, subject=f"{thread} {number}")).result(60)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert check(log.confirmed) == Checked(1 + 8 * 20, log.confirmed, ())
    subjects = [str(entry["subject"]) for entry in told()[1:]]
    for thread in range(8):
        assert [one for one in subjects if one.startswith(f"{thread} ")] == [f"{thread} {n}" for n in range(20)]


def test_what_gathers_during_a_commit_is_committed_together_and_answered_after(
    log: AuditLog, gate: Gate, writer: AuditWriter, check: Check
) -> None:
    first = writer.submit(numbered(0))
    assert gate.entered.wait(60)
    rest = [writer.submit(numbered(number)) for number in range(1, 100)]
    assert not any(future.done() for future in (first, *rest))
    gate.open.set()
    assert [future.result(60) for future in (first, *rest)] == [None] * 100
    assert gate.begun == 2
    assert check(log.confirmed).entries == 101


def test_a_failed_commit_is_told_to_each_and_the_next_one_works(
    gate: Gate, writer: AuditWriter, check: Check, told: Told
) -> None:
    gate.error = StoreUnavailable("the database cannot be used: disk full", fix="make room")
    lost = [writer.submit(numbered(0))]
    assert gate.entered.wait(60)
    lost += [writer.submit(numbered(number)) for number in (1, 2)]
    gate.open.set()
    errors = [future.exception(60) for future in lost]
    assert {str(error) for error in errors} == {str(gate.error)}
    assert len({id(error) for error in errors}) == 3
    gate.error = None
    writer.submit(numbered(3)).result(60)
    assert [entry.get("subject") for entry in told()[1:]] == ["3"]
    assert check().intact


def test_a_broken_log_fails_every_decision(database: Database, gate: Gate, writer: AuditWriter, check: Check) -> None:
    gate.open.set()
    writer.submit(numbered(0)).result(60)
    with database.writing() as connection:
        connection.execute(update(head).values(seal=bytes(32)))
    for _ in range(2):
        with pytest.raises(AuditBroken, match="not sealed"):
            writer.submit(numbered(1)).result(60)
    assert check().entries == 2


def test_what_nobody_waits_for_any_more_is_recorded_all_the_same(gate: Gate, writer: AuditWriter, told: Told) -> None:
    writer.submit(numbered(0))
    assert gate.entered.wait(60)
    given_up, last = writer.submit(numbered(1)), writer.submit(numbered(2))
    assert given_up.cancel()
    gate.open.set()
    last.result(60)
    assert [entry["subject"] for entry in told()[1:]] == ["0", "1", "2"]


def test_closing_records_what_was_submitted_and_takes_no_more(log: AuditLog, database: Database, check: Check) -> None:
    writer = AuditWriter(log, database.writing)
    futures = [writer.submit(numbered(number)) for number in range(30)]
    writer.close()
    assert all(future.done() and future.exception() is None for future in futures)
    assert check(log.confirmed).entries == 31
    with pytest.raises(StoreUnavailable, match="closed"):
        writer.submit(numbered(30))


def test_a_disk_that_does_not_keep_up_makes_calls_fail_and_memory_stay(gate: Gate, writer: AuditWriter) -> None:
    writer.submit(numbered(0))
    assert gate.entered.wait(60)
    for number in range(MAX_WAITING):
        writer.submit(numbered(number))
    with pytest.raises(ServiceOverloaded):
        writer.submit(numbered(0))


def test_no_acknowledged_decision_is_lost_when_the_process_is_killed(
    place: str, database: Database, log: AuditLog, check: Check, told: Told
) -> None:
    program = """
import os, sys
from threading import Thread
from enroll.audit.log import AuditLog
from enroll.audit.chain import AuditKeys
from enroll.audit.event import Action, AuditEvent
from enroll.audit.writer import AuditWriter
from enroll.stores.opening import open_database

writer = AuditWriter(AuditLog(AuditKeys.derive(b"k" * 32)), open_database(sys.argv[1]).writing)

def work(thread):
    number = 0
    while True:
        name = f"{sys.argv[2]}-{thread}-{number}"
        writer.submit(AuditEvent(Action.VERIFY, subject=name)).result()
        os.write(1, name.encode() + b"\\n")
        number += 1

for thread in range(8):
    Thread(target=work, args=(thread,), daemon=True).start()
Thread(target=work, args=(8,)).run()
"""
    acknowledged: list[str] = []
    for round_number, wait in enumerate((0.0, 0.05, 0.11, 0.23)):
        with subprocess.Popen(
            [sys.executable, "-c", program, place, str(round_number)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(wait)
            os.kill(process.pid, signal.SIGKILL)
            # A line may have been cut off by the kill, but then nobody has read the whole of it.
            acknowledged += (first + process.stdout.read()).decode().rpartition("\n")[0].split("\n")
        assert check().intact
    subjects = [str(entry["subject"]) for entry in told()[1:]]
    assert len(set(subjects)) == len(subjects)
    assert set(acknowledged) <= set(subjects)
    assert len(acknowledged) >= 4
    # Whoever comes after can go on.
    with database.writing() as connection:
        AuditLog(AuditKeys.derive(b"k" * 32)).append(connection, numbered(0))
    assert check().intact


def test_whoever_is_alone_records_on_its_own_thread_and_is_done(
    log: AuditLog, database: Database, check: Check
) -> None:
    threads: list[int] = []

    @contextmanager
    def noted() -> Iterator[Connection]:
        threads.append(get_ident())
        with database.writing() as connection:
            yield connection

    writer = AuditWriter(log, noted)
    recorded = writer.record(numbered(1))
    assert recorded.done()
    assert recorded.exception() is None
    assert threads == [get_ident()]
    writer.submit(numbered(2)).result(60)
    assert threads[1] != get_ident()
    writer.record(numbered(3)).result(60)
    writer.close()
    assert check(log.confirmed) == Checked(1 + 3, log.confirmed, ())
    with pytest.raises(StoreUnavailable):
        writer.record(numbered(4))


def test_whoever_records_while_another_does_joins_the_next_commit(
    log: AuditLog, gate: Gate, writer: AuditWriter, check: Check
) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(writer.record, numbered(0))
        assert gate.entered.wait(60)
        # The first one's thread is at the gate; nobody waits with it.
        others = [writer.record(numbered(number)) for number in range(1, 6)]
        assert not any(future.done() for future in others)
        gate.open.set()
        assert first.result(60).done()
        for future in others:
            future.result(60)
    assert gate.begun == 2
    assert check(log.confirmed) == Checked(1 + 6, log.confirmed, ())


def test_who_records_alone_is_told_what_went_wrong_and_the_writer_goes_on(
    log: AuditLog, gate: Gate, writer: AuditWriter, check: Check
) -> None:
    gate.open.set()
    gate.error = StoreUnavailable("the disk is full")
    failed = writer.record(numbered(1))
    with pytest.raises(StoreUnavailable, match="full"):
        failed.result(0)
    gate.error = None
    assert writer.record(numbered(2)).exception(0) is None
    writer.submit(numbered(3)).result(60)
    assert check(log.confirmed) == Checked(1 + 2, log.confirmed, ())


def test_closing_waits_for_whoever_records(log: AuditLog, gate: Gate, check: Check) -> None:
    writer = AuditWriter(log, gate.transaction)
    with ThreadPoolExecutor(2) as pool:
        recording = pool.submit(writer.record, numbered(1))
        assert gate.entered.wait(60)
        closing = pool.submit(writer.close)
        assert not closing.done()
        gate.open.set()
        assert recording.result(60).exception(0) is None
        closing.result(60)
    assert check(log.confirmed) == Checked(1 + 1, log.confirmed, ())
