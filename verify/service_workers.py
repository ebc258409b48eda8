"""Worker threads for the calls: decoding, inference and storage stay off the event loop.

    call → admitted? → its caller's line → a thread, callers in turn → result, or result once something else is done

Not admitted is a call that would find too many waiting, or would wait longer than it may: what cannot be answered in
time is told so at once, with when to come again, rather than after everybody has waited for it. A full queue makes room
for a caller with less in it. A call whose deadline has passed, or whose caller has gone, is dropped when its turn
comes, before anything is decoded.
"""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, Generic, Protocol, TypeVar, overload

from encode.errors import DeadlineExpired, ServiceOverloaded, ServiceUnavailable
from verify.access.caller import Caller, current_caller
from verify.deadline import Deadline, current_deadline
from verify.fair_queue import FairQueue
from verify.loop_bridge import LoopBridge
from verify.metrics import Metrics

_SMOOTHING = 0.1
"""Weight of the newest of the gaps between two calls done, in their mean."""

_LEAST_RETRY_SECONDS = 0.05

_Result = TypeVar("_Result")


class _TimeRemaining(Protocol):
    """The one thing asked of a call's context."""

    def time_remaining(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Later(Generic[_Result]):
    """A result that is given once `until` is done; its thread is free before that."""

    value: _Result
    until: Future[None]


@dataclass(eq=False, slots=True)
class _Job:
    """One call that wants a thread."""

    owner: str
    work: Callable[[Callable[[], None]], Any]
    deadline: Deadline
    context: Context
    answer: "asyncio.Future[Any]"
    asked: float = field(default_factory=time.perf_counter)


class _Worker:
    """A thread and the job it is given; `woken` is held until there is one, or none any more."""

    __slots__ = ("job", "thread", "woken")

    def __init__(self) -> None:
        self.job: _Job | None = None
        self.thread: Thread | None = None
        self.woken = Lock()
        self.woken.acquire()


class Workers:
    """`threads` calls at work at once and `max_waiting` more in the queue. Used from one event loop.

    `patience` : seconds a call may be expected to wait for a thread; with more before it, it is not admitted.
    """

    def __init__(
        self, threads: int, max_waiting: int, metrics: Metrics | None = None, *, patience: float = math.inf
    ) -> None:
        self._threads = threads
        self._limit = threads + max_waiting
        self._patience = patience
        self._metrics = metrics or Metrics()
        self._lock = Lock()
        self._queue: FairQueue[_Job] = FairQueue()
        self._pool: list[_Worker] = []
        # The thread that was idle last is woken first: what it works with is still at hand.
        self._idle: list[_Worker] = []
        self._closing = False
        self._bridge: LoopBridge | None = None
        self._taken = 0
        self._gap = 0.0
        self._done_at: float | None = None

    @overload
    async def run(self, context: _TimeRemaining, work: Callable[[Callable[[], None]], Later[_Result]]) -> _Result: ...

    @overload
    async def run(self, context: _TimeRemaining, work: Callable[[Callable[[], None]], _Result]) -> _Result: ...

    async def run(self, context: _TimeRemaining, work: Callable[[Callable[[], None]], Any]) -> Any:
        """The result of ``work(checkpoint)`` on a worker thread; `checkpoint` raises once the call is not waited for.

        Raises
        ------
        ServiceOverloaded : too many calls wait, or the call would wait too long.
        DeadlineExpired : the call's deadline has passed.
        ServiceUnavailable : the workers are closed.
        """
        loop = asyncio.get_running_loop()
        if self._bridge is None:
            self._bridge = LoopBridge(loop)
            self._start()
        # With the call's own context, in which its caller is named.
        owner, deadline = _owner(current_caller()), Deadline(context.time_remaining())
        job = _Job(owner, work, deadline, copy_context(), loop.create_future())
        self._admit(job)
        try:
            return await job.answer
        except asyncio.CancelledError:
            deadline.abandon()
            with self._lock:
                # A call that has begun is counted until its thread is free: it may still be computing.
                if self._queue.withdraw(job.owner, job):
                    self._count(-1)
            raise

    def require_room(self, caller: Caller) -> None:
        """Raise ServiceOverloaded if a call of this caller would find no room now.

        Asked before the message of a call is read: under overload most calls end here, and what they cost is taken from
        those that are answered.
        """
        with self._lock:
            wait = self._expected_wait(_owner(caller), self._patience)
            if self._taken >= self._limit and not self._queue.gives_way(_owner(caller)):
                self._metrics.dropped("queue_full")
                raise _queue_full(wait)

    @property
    def alone(self) -> bool:
        """Whether the call that asks is the only one: its thread keeps nobody waiting. From any thread."""
        return self._taken <= 1

    def close(self) -> None:
        """Drop what waits, finish what runs."""
        with self._lock:
            while (job := self._queue.take()) is not None:
                self._count(-1)
                self._deliver(job, None, _closed())
            self._closing = True
            for worker in self._idle:
                worker.woken.release()
            self._idle.clear()
        for worker in self._pool:
            if worker.thread is not None:
                worker.thread.join()
        self._pool.clear()

    def _start(self) -> None:
        for number in range(self._threads):
            worker = _Worker()
            worker.thread = Thread(target=self._serve, args=(worker,), name=f"countersign-call-{number}", daemon=True)
            self._pool.append(worker)
        self._idle = list(self._pool)
        for worker in self._pool:
            if worker.thread is not None:
                worker.thread.start()

    def _admit(self, job: _Job) -> None:
        """Give a job to a thread, or put it into the queue. Raises ServiceOverloaded, ServiceUnavailable."""
        with self._lock:
            if self._closing:
                raise _closed()
            remaining = job.deadline.remaining
            allowed = self._patience if remaining is None else min(self._patience, remaining)
            wait = self._expected_wait(job.owner, allowed)
            if self._taken >= self._limit:
                pushed = self._queue.give_way(job.owner)
                self._metrics.dropped("queue_full")
                refusal = _queue_full(wait)
                if pushed is None:
                    raise refusal
                self._count(-1)
                self._deliver(pushed, None, refusal)
            self._count(1)
            if not self._idle:
                self._queue.put(job.owner, job)
                return
            worker = self._idle.pop()
            worker.job = job
            worker.woken.release()

    def _expected_wait(self, owner: str, allowed: float) -> float:
        """Seconds until a new call of the owner has a thread. Raises ServiceOverloaded where that is too many."""
        wait = self._gap * self._queue.ahead_of(owner)
        if wait and wait > allowed:
            self._metrics.dropped("would_wait")
            raise _overloaded("the call would wait too long for its turn", wait - allowed)
        return wait

    def _serve(self, worker: _Worker) -> None:
        while True:
            worker.woken.acquire()
            job, worker.job = worker.job, None
            if job is None:
                return
            while job is not None:
                self._do(job)
                with self._lock:
                    job = self._queue.take()
                    if job is None:
                        if self._closing:
                            return
                        self._idle.append(worker)

    def _do(self, job: _Job) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            self._metrics.waited(time.perf_counter() - job.asked)
            result = job.context.run(self._within, job)
        except StopIteration as raised:  # which no future takes
            error = RuntimeError("the work of a call ended an iteration")
            error.__cause__ = raised
        except BaseException as raised:  # noqa: BLE001 - whoever waits for the answer raises it
            error = raised
        with self._lock:
            self._count(-1)
            self._measure()
        if isinstance(result, Later):
            value = result.value
            result.until.add_done_callback(lambda done: self._deliver(job, value, done.exception()))
        else:
            self._deliver(job, result, error)

    def _within(self, job: _Job) -> Any:
        current_deadline.set(job.deadline)
        try:
            job.deadline.check()
        except DeadlineExpired:
            self._metrics.dropped("deadline")
            raise
        return job.work(job.deadline.check)

    def _deliver(self, job: _Job, value: Any, error: BaseException | None) -> None:
        """Give the call its answer, from any thread."""

        def answer() -> None:
            if job.answer.done():
                return
            if error is None:
                job.answer.set_result(value)
            else:
                job.answer.set_exception(error)

        if self._bridge is None:
            raise AssertionError("a job came through `run`, which makes the bridge")
        self._bridge.post(answer)

    def _measure(self) -> None:
        """Take note that a call is done: as long as others wait, the gaps between two tell how long one waits."""
        now = time.perf_counter()
        if self._done_at is not None:
            gap = now - self._done_at
            self._gap = gap if not self._gap else self._gap + _SMOOTHING * (gap - self._gap)
        self._done_at = now if len(self._queue) else None

    def _count(self, more: int) -> None:
        self._taken += more
        working = min(self._taken, self._threads)
        self._metrics.queue(waiting=self._taken - working, working=working)


def _closed() -> ServiceUnavailable:
    return ServiceUnavailable("the service is about to stop", fix="ask another one, or try again a little later")


def _owner(caller: Caller) -> str:
    """Whose line a call stands in."""
    return caller.token_id or caller.name


def _queue_full(wait: float) -> ServiceOverloaded:
    return _overloaded("too many calls are waiting", wait)


def _overloaded(message: str, wait: float) -> ServiceOverloaded:
    return ServiceOverloaded(
        message, fix="try again after the time that retry-after says", retry_after=max(_LEAST_RETRY_SECONDS, wait)
    )
