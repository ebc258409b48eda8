"""Group commit: decisions of many concurrent calls made durable by one commit, before any of them is answered.

    submit → queue → [ while a commit waits for the disk, further events gather ] → one transaction for all of them
    record → nobody is committing?  its own transaction, on its own thread          otherwise as submit

A writer who is alone is committed at once. Where one commit follows another, the next waits for a few milliseconds, so
that more take part in it: a commit takes about as long for sixteen as for one.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from threading import Condition, Thread

from sqlalchemy import Connection

from encode.errors import CountersignError, ServiceOverloaded, StoreUnavailable
from enroll.audit.chain import Head
from enroll.audit.event import AuditEvent
from enroll.audit.log import AuditLog

Transaction = Callable[[], AbstractContextManager[Connection]]
"""Begins a writing transaction of the store (BEGIN IMMEDIATE on SQLite) that commits when its block ends."""

_MAX_BATCH = 512
GATHER_SECONDS = 0.004
"""From the beginning of one commit to that of the next, at least, unless a whole batch waits."""
MAX_WAITING = 8_192
"""Events that may wait; more are refused, so that a disk that stalls does not fill the memory."""


class AuditWriter:
    """One thread that appends to a log what any number of others submit. Close it before the store."""

    def __init__(self, log: AuditLog, transaction: Transaction) -> None:
        self._log = log
        self._transaction = transaction
        self._waiting: deque[tuple[AuditEvent, Future[None]]] = deque()
        self._changed = Condition()
        self._closing = False
        self._committing = False
        self._began = float("-inf")
        self._asleep = False
        self._thread = Thread(target=self._run, name="countersign-audit", daemon=True)
        self._thread.start()

    @property
    def confirmed(self) -> Head:
        """The furthest head of the log known to be committed."""
        return self._log.confirmed

    def submit(self, event: AuditEvent) -> Future[None]:
        """A future that is done once `event` is durable, or holds the StoreError that kept it from being so.

        An event whose future is cancelled is recorded all the same: the decision has been taken.

        Raises
        ------
        ServiceOverloaded : more events are waiting than the disk keeps up with.
        StoreUnavailable : the writer is closed.
        """
        future: Future[None] = Future()
        with self._changed:
            if self._closing:
                raise StoreUnavailable("the audit log is closed", fix="the service is shutting down: ask another one")
            if len(self._waiting) >= MAX_WAITING:
                raise ServiceOverloaded("too many decisions wait to be recorded", fix="try again a little later")
            self._waiting.append((event, future))
            if self._asleep:
                self._changed.notify()
        return future

    def record(self, event: AuditEvent) -> Future[None]:
        """As :meth:`submit`, for a thread that may wait for the disk.

        Where nothing else is being recorded, the calling thread does so itself, and the future is done: a call that is
        alone is spared two changes of thread, which take longer than the commit.

        Raises
        ------
        ServiceOverloaded, StoreUnavailable : as :meth:`submit`.
        """
        with self._changed:
            alone = not (self._committing or self._waiting or self._closing)
            self._committing = self._committing or alone
        if not alone:
            return self.submit(event)
        future: Future[None] = Future()
        self._commit([(event, future)])
        return future

    def close(self) -> None:
        """Record what was submitted, then end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._commit(batch)

    def _next_batch(self) -> list[tuple[AuditEvent, "Future[None]"]]:
        """What is waiting, at least one, to be committed now; nothing once the writer is closed and all is recorded."""
        with self._changed:
            self._asleep = True
            while self._committing or not (self._waiting or self._closing):
                self._changed.wait()
            self._asleep = False
            gathering = self._began + GATHER_SECONDS - time.monotonic()
            if gathering > 0.0 and not self._closing and len(self._waiting) < _MAX_BATCH:
                # Others may come in, and `record` keeps away from what is being gathered.
                self._committing = True
                self._changed.wait(gathering)
            self._began = time.monotonic()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_BATCH))]
            self._committing = bool(batch)
            return batch

    def _commit(self, batch: list[tuple[AuditEvent, "Future[None]"]]) -> None:
        """Record `batch` and tell whoever waits for it; by the one thread that has set `_committing`."""
        wanted = [future for _, future in batch if future.set_running_or_notify_cancel()]
        try:
            with self._transaction() as connection:
                head = self._log.append(connection, *(event for event, _ in batch))
            self._log.confirm(head)
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer raises it
            for future in wanted:
                future.set_exception(_for_caller(error))
        else:
            for future in wanted:
                future.set_result(None)
        finally:
            with self._changed:
                self._committing = False
                self._changed.notify()


def _for_caller(error: Exception) -> Exception:
    """An error of its own for each of those who wait: one that is raised twice gathers the frames of both."""
    if isinstance(error, CountersignError):
        return type(error)(error.message, field=error.field, fix=error.fix)
    return error
