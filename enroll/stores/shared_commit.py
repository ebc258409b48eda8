"""Group commit: what several threads write at once, made durable by one transaction.

    run(work)   nobody is committing?   work alone, committed
                somebody is             wait, and be part of the next: everything that came in meanwhile, one commit

For databases that take one writer at a time, where the disk is waited for at every commit. Who returns from `run` is
durable. If anything in a group fails, all of it is rolled back and each of them runs again by itself, so that nobody is
answered with another's error: `work` may be called twice, and on any thread.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

MOST = 64
"""Writes of one group."""

_Session = TypeVar("_Session")
_Result = TypeVar("_Result")


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Any], Any]
    result: Any = None
    error: BaseException | None = None
    done: bool = False


class SharedCommit(Generic[_Session]):
    """Runs writes in transactions that `transaction` begins; safe to use from several threads.

    `shared` False gives every write a transaction of its own, at the same time as others.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[_Session]], *, shared: bool) -> None:
        self._transaction = transaction
        self._shared = shared
        self._waiting: list[_Job] = []
        self._entry = Lock()
        self._turn = Lock()

    def run(self, work: Callable[[_Session], _Result]) -> _Result:
        """The result of ``work(session)``, committed. Raises what it or the transaction raises."""
        if not self._shared:
            with self._transaction() as session:
                return work(session)
        job = _Job(work)
        with self._entry:
            self._waiting.append(job)
        while not job.done:
            with self._turn:
                if not job.done:
                    self._commit(self._take())
        if job.error is not None:
            raise job.error
        result: _Result = job.result
        return result

    def _take(self) -> list[_Job]:
        with self._entry:
            taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        return taken

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            if len(jobs) > 1 and self._together(jobs):
                return
            for job in jobs:
                try:
                    with self._transaction() as session:
                        job.result = job.work(session)
                except Exception as error:  # noqa: BLE001 - raised by the thread whose work it is
                    job.error = error
                job.done = True
        except BaseException as error:
            # The thread is being ended: whoever waits for it must not wait for ever.
            for job in jobs:
                job.error, job.done = job.error if job.done else error, True
            raise

    def _together(self, jobs: list[_Job]) -> bool:
        """Whether all of them are committed; else none is."""
        try:
            with self._transaction() as session:
                for job in jobs:
                    job.result = job.work(session)
        except Exception:  # noqa: BLE001 - each of them runs again, and tells its own
            return False
        for job in jobs:
            job.done = True
        return True
