"""Exported logs and heads: written, read and checked without the database."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import update

from encode.errors import AuditBroken, FieldInvalid
from enroll.audit.chain import Head
from enroll.audit.check import Checked, check_chain
from enroll.audit.event import Action, AuditEvent
from enroll.audit.reading import from_lines, stored_log, to_line
from enroll.audit.schema import entries
from enroll.stores.database import Database

Append = Callable[..., Head]
Check = Callable[..., Checked]
Told = Callable[[], list[dict[str, object]]]


def test_an_exported_log_can_be_checked_alone(
    database: Database, append: Append, enrolled: AuditEvent, decided: AuditEvent
) -> None:
    reached = append(enrolled, decided, AuditEvent(Action.VERIFY, collection="Łódź \u2028", person="x"))
    with database.reading() as connection:
        lines = [to_line(row) for row in stored_log(connection)[1]]
    assert all("\n" not in line for line in lines)
    assert json.loads(lines[1])["versions"] == {"face": 2}
    assert check_chain(from_lines([*lines, "\n"]), kept=[reached]) == Checked(4, reached, ())
    assert not check_chain(from_lines([lines[0], lines[1].replace('"face":2', '"face":3'), *lines[2:]])).intact
    assert not check_chain(from_lines([*lines[:2], *lines[3:]])).intact
    assert not check_chain(from_lines(lines[:3]), kept=[reached]).intact


@pytest.mark.parametrize(
    "line",
    [
        "text",
        "[]",
        "{}",
        '{"sequence":1}',
        '{"sequence":"1","link":"00"}',
        '{"sequence":1,"link":"0"}',
        '{"sequence":1,"link":5}',
        '{"sequence":true,"link":"00"}',
        '{"sequence":1,"link":"00","x":NaN}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:40],
)
def test_a_line_that_no_export_writes_is_named(line: str) -> None:
    with pytest.raises(AuditBroken, match="entry 2 "):
        list(from_lines(["", line]))


@pytest.mark.parametrize("spoil", [b"\xff", b"[]", b'{"x":NaN}', b""])
def test_an_entry_that_is_no_longer_json_cannot_be_exported(
    database: Database, spoil: bytes, append: Append, enrolled: AuditEvent
) -> None:
    append(enrolled)
    with database.writing() as connection:
        connection.execute(update(entries).where(entries.c.sequence == 2).values(entry=spoil))
    with database.reading() as connection, pytest.raises(AuditBroken, match="entry 2 "):
        [to_line(row) for row in stored_log(connection)[1]]


def test_a_head_is_written_and_read() -> None:
    written = Head(17, bytes(range(32)))
    assert Head.parse(f" {str(written).upper()}\n") == written


@pytest.mark.parametrize(
    "text", ["", "17", "17:", f"0:{'a' * 64}", f"17:{'a' * 63}", f"17:{'g' * 64}", f"-1:{'a' * 64}"]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid, match="head"):
        Head.parse(text)
