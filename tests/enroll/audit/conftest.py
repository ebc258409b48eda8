"""An audit log in each kind of database, and what is done with it in every test."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enroll.audit.chain import SECRET_BYTES, AuditKeys, Head
from enroll.audit.check import Checked, check_stored
from enroll.audit.event import Action, AuditEvent, Origin, Outcome
from enroll.audit.log import AuditLog
from enroll.audit.reading import stored_log
from enroll.audit.schema import entries, head
from enroll.stores.database import Database
from enroll.stores.opening import open_database

Append = Callable[..., Head]
Check = Callable[..., Checked]


@pytest.fixture(scope="session")
def keys() -> AuditKeys:
    return AuditKeys.derive(b"k" * SECRET_BYTES)


@pytest.fixture(scope="session")
def at() -> datetime:
    return datetime(2025, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def enrolled() -> AuditEvent:
    return AuditEvent(
        Action.ENROLL,
        origin=Origin("front desk", "0123456789abcdef", "3f0e9c2e-6c1c-4a51-9f0e-1a2b3c4d5e6f"),
        collection="staff",
        person="ada lovelace",
        models={"face": "a" * 64},
        versions={"face": 2},
    )


@pytest.fixture(scope="session")
def decided() -> AuditEvent:
    return AuditEvent(
        Action.VERIFY,
        Outcome.REJECTED,
        origin=Origin("front desk", "0123456789abcdef", "3f0e9c2e-6c1c-4a51-9f0e-1a2b3c4d5e6f"),
        collection="staff",
        person="ada lovelace",
        models={"face": "a" * 64},
        left_out={"signature": "unusable"},
        policy_id="0123456789abcdef",
        target_far=0.001,
    )


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What a setting names the database by."""
    if request.param == "sqlite":
        return str(tmp_path / "people.sqlite")
    address: str = request.getfixturevalue("postgres")()
    return address


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    opened = open_database(place)
    with opened.writing() as connection:
        for table in (entries, head):
            table.create(connection)
    yield opened
    opened.close()


@pytest.fixture
def log(database: Database, keys: AuditKeys, at: datetime) -> AuditLog:
    made = AuditLog(keys, clock=lambda: at)
    with database.writing() as connection:
        made.confirm(made.open(connection))
    return made


@pytest.fixture
def append(database: Database, log: AuditLog) -> Append:
    """``append(event, ..., log=...)`` in a transaction of their own; returns the head."""

    def appended(*events: AuditEvent, log: AuditLog = log) -> Head:
        with database.writing() as connection:
            reached = log.append(connection, *events)
        log.confirm(reached)
        return reached

    return appended


@pytest.fixture
def check(database: Database, keys: AuditKeys) -> Check:
    """``check(*kept)``: the whole log, against heads kept elsewhere."""

    def checked(*kept: Head) -> Checked:
        with database.reading() as connection:
            stored, rows = stored_log(connection)
            return check_stored(rows, stored, keys, kept=kept)

    return checked


@pytest.fixture
def told(database: Database) -> Callable[[], list[dict[str, object]]]:
    """``told()``: every entry, as its JSON says."""

    def entries_told() -> list[dict[str, object]]:
        with database.reading() as connection:
            return [json.loads(row.entry) for row in stored_log(connection)[1]]

    return entries_told
