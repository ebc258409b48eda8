"""Reading the audit log: its rows in order, its head, and the lines it is exported as.

An exported line is the entry as it was written, with `sequence` and `link` (hex) beside its own fields. The entry being
canonical JSON, its bytes follow from the line, so that an exported log can be checked without the database.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Select, TextClause, select, text

from encode.errors import AuditBroken
from enroll.audit import schema as audit_schema
from enroll.audit.chain import START, Head
from enroll.audit.check import Row, SealedHead
from enroll.audit.event import canonical
from enroll.stores.prepared import Prepared

# As text, so that values come as the driver hands them over: SQLite keeps a value of any type in any column, and one
# that was put there by hand must come out as a damaged row, not as an error of conversion.
_PAGE = text(
    "SELECT sequence, entry, link FROM audit WHERE sequence > :after AND sequence <= :until "
    "ORDER BY sequence LIMIT 1000"
)
_BEYOND = text("SELECT sequence, entry, link FROM audit WHERE sequence > :after ORDER BY sequence LIMIT 1000")
_WHOLE_HEAD: Select[tuple[Any, ...]] = select(text("sequence, link, seal")).select_from(audit_schema.head)
_HEAD, _HEAD_LOCKED = Prepared(_WHOLE_HEAD), Prepared(_WHOLE_HEAD.with_for_update())
_LOWEST = -(2**63)
_ADDED = ("sequence", "link")


def stored_log(connection: Connection, *, after: Head = START) -> tuple[SealedHead | None, Iterator[Row]]:
    """The stored head, and the rows behind `after` up to it in order, damaged ones as well as may be.

    For a connection outside of a transaction, while others append: a page at a time, so that neither locks nor old
    versions of pages are held however long the log is. Entries appended since the head was read are left for another
    time; entries beyond the head are told from those by looking at the head once more.
    """
    stored = read_head(connection)
    # Numbers start at 1; what somebody has put below is not to be passed over.
    first = after.sequence or _LOWEST

    def rows() -> Iterator[Row]:
        if stored is None:
            yield from _pages(connection, _BEYOND, first)
            return
        end = stored.head.sequence
        yield from _pages(connection, _PAGE, first, until=end)
        newest = connection.execute(text("SELECT max(sequence) FROM audit")).scalar()
        # Entries and head are committed together: whoever sees an entry and then the head sees the head that far.
        now = read_head(connection)
        if now is None or type(newest) is not int or newest > now.head.sequence:
            yield from _pages(connection, _BEYOND, end)

    return stored, rows()


def read_head(connection: Connection, *, lock: bool = False) -> SealedHead | None:
    """The stored head, or None where there is none; with `lock` nobody else moves it until the transaction ends.

    SQLite knows no locks of rows and leaves that out: there the transaction must have begun with BEGIN IMMEDIATE.
    """
    row = (_HEAD_LOCKED if lock else _HEAD).first(connection)
    return None if row is None else SealedHead(Head(_number(row[0]), _bytes(row[1])), _bytes(row[2]))


def to_line(row: Row) -> str:
    """A row as one line of JSON, without the line's end.

    Raises
    ------
    AuditBroken : the entry is not JSON of ours, so that it has been tampered with.
    """
    told = _object(row.entry, row.sequence)
    try:
        return canonical({**told, "sequence": row.sequence, "link": row.link.hex()}).decode()
    except ValueError as error:  # a number that JSON has no word for
        raise _not_ours(row.sequence) from error


def concerns(row: Row, collection: str, pseudonym: str | None) -> bool:
    """Whether an entry is about the collection, and about the person of that pseudonym if one is given.

    Raises
    ------
    AuditBroken : as :func:`to_line`.
    """
    told = _object(row.entry, row.sequence)
    return told.get("collection") == collection and pseudonym in (None, told.get("person"))


def told_by(row: Row) -> dict[str, Any]:
    """What an entry tells, by the names of :class:`~enroll.audit.event.AuditEvent`. Raises AuditBroken."""
    return _object(row.entry, row.sequence)


def from_lines(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of an exported log; empty lines are passed over.

    Raises
    ------
    AuditBroken : a line is not one of an exported log; it is named by its number.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        told = _object(line.encode(errors="surrogateescape"), number)
        try:
            sequence, link = told["sequence"], bytes.fromhex(told["link"])
            entry = canonical({name: value for name, value in told.items() if name not in _ADDED})
        except (KeyError, TypeError, ValueError) as error:
            raise _not_ours(number) from error
        if type(sequence) is not int:
            raise _not_ours(number)
        yield Row(sequence, entry, link)


def _object(data: bytes, number: int) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _not_ours(number) from error
    if not isinstance(told, dict):
        raise _not_ours(number)
    return told


def _not_ours(number: int) -> AuditBroken:
    return AuditBroken(
        f"entry {number} is not one of an audit log",
        fix="run `countersign audit verify` on the database that it came from",
    )


def _number(value: object) -> int:
    return value if type(value) is int else 0


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else bytes(value) if isinstance(value, memoryview) else b""


def _pages(connection: Connection, page: TextClause, after: object, **bounds: object) -> Iterator[Row]:
    while found := connection.execute(page, {"after": after, **bounds}).all():
        for sequence, entry, link in found:
            yield Row(_number(sequence), _bytes(entry), _bytes(link))
        # As it is stored, whatever that is: the next page begins behind it.
        after = found[-1][0]
