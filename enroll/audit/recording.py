"""A change and what the audit log tells of it, in one transaction.

    with recorder.writing() as change:
        change.connection.execute(…)
        change.tell(event)

Both are committed when the block ends, or neither. The entries are appended last, so that the log's head is locked for
as short a time as may be.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from enroll.audit.event import AuditEvent
from enroll.audit.log import AuditLog
from enroll.audit.writer import Transaction


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction that is under way, and the events that it will record."""

    connection: Connection
    events: list[AuditEvent] = field(default_factory=list)

    def tell(self, *events: AuditEvent | None) -> None:
        """Record these with the change; None stands for nothing to tell."""
        self.events.extend(event for event in events if event is not None)


class Recorder:
    """Transactions of one database, and its log; without a `log` events are dropped. Safe to use from several threads.

    `transaction` begins one that writes.
    """

    def __init__(self, transaction: Transaction, log: AuditLog | None = None) -> None:
        self._transaction = transaction
        self._log = log

    @contextmanager
    def writing(self) -> Iterator[Change]:
        """A transaction, committed with what it told when the block ends, and rolled back when it raises.

        Raises
        ------
        StoreUnavailable, VersionConflict : as the database. AuditBroken : as the log.
        """
        head = None
        with self._transaction() as connection:
            change = Change(connection)
            yield change
            if change.events and self._log is not None:
                head = self._log.append(connection, *change.events)
        if head is not None and self._log is not None:
            self._log.confirm(head)

    def tell(self, event: AuditEvent) -> None:
        """Record what is done elsewhere than in this database. Raises as :meth:`writing`."""
        with self.writing() as change:
            change.tell(event)
