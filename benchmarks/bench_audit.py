"""Audit entries of Verify decisions a second: group commit against a transaction for each, in the same run.

    python benchmarks/bench_audit.py

A writer submits a decision and waits until it is durable, then the next, as calls do. Both sides append to the same
kind of log in an SQLite file (write-ahead log, synchronous=FULL), each with its own file. What a transaction costs
depends on the disk: the time of a bare fsync is printed beside the result.
"""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import report
from enroll.audit.chain import AuditKeys
from enroll.audit.check import check_stored
from enroll.audit.event import Action, AuditEvent, Origin, Outcome
from enroll.audit.log import AuditLog
from enroll.audit.reading import stored_log
from enroll.audit.schema import entries, head
from enroll.audit.writer import AuditWriter
from enroll.stores.sqlite import SqliteDatabase

WRITERS = (1, 8, 32)
SECONDS = 1.0
ROUNDS = 3
KEYS = AuditKeys.derive(bytes(32))
EVENT = AuditEvent(
    Action.VERIFY,
    Outcome.REJECTED,
    origin=Origin("front desk", "0123456789abcdef", "3f0e9c2e-6c1c-4a51-9f0e-1a2b3c4d5e6f"),
    collection="staff",
    person="somebody",
    models={"face": "a" * 64, "signature": "b" * 64},
    policy_id="0123456789abcdef",
    target_far=0.001,
)


def fsync_ms(folder: Path) -> float:
    """A write of one page and an fsync, in milliseconds."""
    with (folder / "page").open("wb", buffering=0) as file:
        started = time.perf_counter()
        for _ in range(200):
            file.write(bytes(4096))
            os.fsync(file.fileno())
        return 1e3 * (time.perf_counter() - started) / 200


def opened(path: Path) -> tuple[SqliteDatabase, AuditLog]:
    database, log = SqliteDatabase(path), AuditLog(KEYS)
    with database.writing() as connection:
        for table in (entries, head):
            table.create(connection)
        log.open(connection)
    return database, log


def appends(writers: int, append: Callable[[], object]) -> tuple[int, float]:
    """How many appends so many threads make in a second or a little more, and how many that is a second."""

    def work(_: int) -> int:
        count = 0
        while time.perf_counter() - started < SECONDS:
            append()
            count += 1
        return count

    with ThreadPoolExecutor(writers) as pool:
        started = time.perf_counter()
        count = sum(pool.map(work, range(writers)))
        return count, count / (time.perf_counter() - started)


def check(database: SqliteDatabase, appended: int) -> None:
    with database.reading() as connection:
        stored, rows = stored_log(connection)
        checked = check_stored(rows, stored, KEYS)
    assert checked.intact
    assert checked.entries == 1 + appended
    database.close()


def commit_each(path: Path, writers: int) -> float:
    """Appends a second, each in a transaction of its own."""
    database, log = opened(path)
    # SQLite lets waiting writers poll for its lock, and some of them starve: here they queue.
    turn = Lock()

    def append() -> None:
        with turn:
            with database.writing() as connection:
                reached = log.append(connection, EVENT)
            log.confirm(reached)

    count, rate = appends(writers, append)
    check(database, count)
    return rate


def group_commit(path: Path, writers: int) -> float:
    """Appends a second by one writer's thread, for all who wait."""
    database, log = opened(path)
    writer = AuditWriter(log, database.writing)
    count, rate = appends(writers, lambda: writer.submit(EVENT).result())
    writer.close()
    check(database, count)
    return rate


def main() -> None:
    options = report.parser(__doc__, quick="one round in place of three").parse_args()
    rows, rounds = report.Rows(options), 1 if options.quick else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        print(f"write and fsync of a page: {fsync_ms(Path(name)):.2f} ms")
    for writers in WRITERS:
        rates = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                rates.append((commit_each(folder / "each", writers), group_commit(folder / "together", writers)))
        each, together = sorted(rates, key=lambda pair: pair[1] / pair[0])[rounds // 2]
        print(
            f"{writers:2} writers: {together:7,.0f} appends a second with group commit, {each:7,.0f} with a commit "
            f"each: {together / each:.1f}x"
        )
        rows.add(
            f"audit entries, {writers} writers",
            ours=together,
            baseline=each,
            against="a transaction for each entry",
            unit="appends a second",
            n=rounds,
        )


if __name__ == "__main__":
    main()
