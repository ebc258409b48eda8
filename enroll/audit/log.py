"""Appending to the audit log, inside the transaction of whatever is being recorded.

    lock the head  →  check its seal  →  insert entries, each linked to the one before  →  move the head on, sealed anew

The seal is checked before it is renewed: otherwise whoever had changed entries and links would have them sealed by the
next honest append. For the same reason a process refuses a head that lies before one it has seen committed.

Locks: SQLite's come with BEGIN IMMEDIATE, which the caller must have begun; PostgreSQL locks the head's row until the
transaction ends (READ COMMITTED), so an append goes last in its transaction.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock

from sqlalchemy import Connection, bindparam, insert, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from encode.errors import AuditBroken
from enroll.audit import schema as audit_schema
from enroll.audit.chain import START, AuditKeys, Head, following
from enroll.audit.event import Action, AuditEvent
from enroll.audit.reading import read_head
from enroll.stores.prepared import Prepared

_ONLY_ROW = 1
_ADD = Prepared(insert(audit_schema.entries), ("sequence", "entry", "link"))
_MOVE_HEAD = Prepared(
    update(audit_schema.head).where(
        audit_schema.head.c.id == literal_column(str(_ONLY_ROW)), audit_schema.head.c.sequence == bindparam("before")
    ),
    ("sequence", "link", "seal"),
)
_FIX = "run `countersign audit verify`, keep the database as evidence and restore a backup"


class AuditLog:
    """The log of one database; safe to use from several threads, each with a connection of its own.

    Parameters
    ----------
    keys : of this log, for good (see :meth:`enroll.audit.chain.AuditKeys.derive`).
    clock : tells the time in UTC.
    """

    def __init__(self, keys: AuditKeys, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._keys = keys
        self._clock = clock
        self._lock = Lock()
        self._confirmed = START

    @property
    def confirmed(self) -> Head:
        """The furthest head this process knows to be committed; `START` before it knows of any."""
        return self._confirmed

    def confirm(self, head: Head) -> None:
        """Take note that the transaction which appended up to `head` has been committed."""
        with self._lock:
            if head.sequence > self._confirmed.sequence:
                self._confirmed = head

    def open(self, connection: Connection) -> Head:
        """The log's head; a database without a log gets one, with its first entry.

        Raises
        ------
        AuditBroken : as :meth:`append`; or entries without a head, which are never taken for a new log.
        """
        if read_head(connection, lock=True) is None:
            begun = connection.execute(select(audit_schema.entries.c.sequence).limit(1)).first() is not None
            if not begun:
                self._begin(connection)
            # Another replica may have begun the log since: whoever sees its entry sees its head from then on.
            elif read_head(connection) is None:
                raise AuditBroken("the audit log has entries and no head", fix=_FIX)
        return self._locked_head(connection)

    def append(self, connection: Connection, *events: AuditEvent) -> Head:
        """Add `events` in this transaction; returns the head to :meth:`confirm` once it is committed.

        Raises
        ------
        AuditBroken : the head is missing, carries no valid seal, or has stepped back; nothing is appended to it.
        """
        before = self._locked_head(connection)
        if not events:
            return before
        head = self._extend(connection, before, events)
        moved = _MOVE_HEAD.run(connection, {"before": before.sequence, **self._row(head)})
        if moved != 1:
            raise AssertionError("the head moved under its lock: the transaction took none")
        return head

    def _begin(self, connection: Connection) -> None:
        """Write the first entry and the head, unless another replica does at this moment: then its entry counts."""
        first = AuditEvent(Action.OPEN, subject=secrets.token_hex(16))
        with suppress(IntegrityError), connection.begin_nested():
            head = self._extend(connection, START, (first,))
            connection.execute(insert(audit_schema.head), {"id": _ONLY_ROW, **self._row(head)})

    def _locked_head(self, connection: Connection) -> Head:
        stored = read_head(connection, lock=True)
        if stored is None:
            raise AuditBroken("the audit log has no head", fix=_FIX)
        head = stored.head
        if not self._keys.sealed(head, stored.seal):
            raise AuditBroken("the head of the audit log was not sealed with this key", fix=_FIX)
        # Nobody commits while the head is locked, so it cannot lie before what was committed, unless it was put back.
        known = self._confirmed
        if head.sequence < known.sequence or (head.sequence == known.sequence and head != known):
            raise AuditBroken("the head of the audit log has stepped back", fix=_FIX)
        return head

    def _extend(self, connection: Connection, head: Head, events: tuple[AuditEvent, ...]) -> Head:
        at = self._clock()
        rows = []
        for event in events:
            entry = event.entry(self._keys, at)
            head = following(head, entry)
            rows.append({"sequence": head.sequence, "entry": entry, "link": head.link})
        _ADD.run(connection, *rows)
        return head

    def _row(self, head: Head) -> dict[str, object]:
        return {"sequence": head.sequence, "link": head.link, "seal": self._keys.seal(head)}
