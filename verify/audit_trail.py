"""What a running service does with its audit log: records decisions before they are answered, and tells where it ends.

The head goes to the service's own log, at the start, whenever it has moved and some time has passed, and at the end.
Logs are shipped elsewhere: there the head is out of reach of whoever can put the database back to an earlier state, and
`countersign audit verify --head` checks against it.
"""

import asyncio
from concurrent.futures import Future
from typing import Literal, Protocol

from enroll.audit.chain import START, Head
from enroll.audit.event import Action, AuditEvent
from enroll.audit.writer import AuditWriter
from verify.logging import get_logger

AuditLevel = Literal["all", "mutations", "off"]
"""What is recorded: mutations and decisions, mutations alone, or nothing."""


class _Audited(Protocol):
    """What is asked of a store."""

    def audit_writer(self) -> AuditWriter | None: ...


class AuditTrail:
    """The audit log of one service, from its start to its end. Used from one event loop, but for `submit`.

    Parameters
    ----------
    level : ``all`` records decisions too; ``off`` nothing. Mutations are recorded by the store itself.
    head_seconds : between two heads in the service's log, at least.
    """

    def __init__(self, store: _Audited, level: AuditLevel, *, head_seconds: float) -> None:
        self._store = store
        self._level = level
        self._head_seconds = head_seconds
        self._writer: AuditWriter | None = None
        self._telling: asyncio.Task[None] | None = None
        self._told = START

    async def start(self) -> None:
        """Record that the service begins. Raises StoreError."""
        self._writer = None if self._level == "off" else self._store.audit_writer()
        if self._writer is None:
            return
        await asyncio.wrap_future(self._writer.submit(AuditEvent(Action.START, subject=self._level)))
        self._tell(self._writer.confirmed)
        self._telling = asyncio.create_task(self._tell_now_and_then(self._writer))

    def submit(self, event: AuditEvent) -> Future[None]:
        """A future that is done once a decision's `event` is durable, or at once if decisions are not recorded.

        From any thread. The decision must not be answered before, nor if the future holds a StoreError.

        Raises
        ------
        StoreUnavailable, ServiceOverloaded : it is not going to be recorded.
        """
        if self._writer is not None and self._level == "all":
            return self._writer.submit(event)
        return _done()

    def record(self, event: AuditEvent) -> Future[None]:
        """As :meth:`submit`, from a thread that may wait for the disk, never the event loop's: where nothing else is
        being recorded, the entry is durable on return."""
        if self._writer is not None and self._level == "all":
            return self._writer.record(event)
        return _done()

    async def close(self) -> None:
        """Record what was submitted; whatever would be recorded afterwards fails."""
        if self._telling is not None:
            self._telling.cancel()
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)
            self._tell(self._writer.confirmed)

    async def _tell_now_and_then(self, writer: AuditWriter) -> None:
        while True:
            await asyncio.sleep(self._head_seconds)
            self._tell(writer.confirmed)

    def _tell(self, head: Head) -> None:
        if head != self._told:
            get_logger().info("audit_head", head=str(head))
            self._told = head


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future
