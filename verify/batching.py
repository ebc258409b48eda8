"""An encoder that puts the samples of concurrent calls through its network together.

    nobody runs the network        whoever comes does, on all threads
    fewer do than there are lanes  whoever comes does, on one thread, with all that waits
    every lane is taken            whoever comes waits; the first lane to be free goes to who has waited longest

Nobody waits for a timer, and no thread stands between a caller and the network: a call that is alone is as fast as
without. What is run at once is bounded in rows, and in time by what rows took before, so that nobody's latency grows
without bound by the others'. A call that is no longer waited for leaves the queue without being run, and rows that make
the network fail do so alone.
"""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from encode.sample import Modality, Sample
from enroll.acquisition import SampleEncoder
from verify.deadline import Deadline, current_deadline

Rows = NDArray[np.float32]

MAX_ROWS = 32
BUDGET_SECONDS = 0.05
"""Of one run."""

_SMOOTHING = 0.1


class _Waiting:
    """Rows of one call; `woken` is held until there is a result, or a lane is this call's to run."""

    __slots__ = ("deadline", "error", "result", "rows", "woken")

    def __init__(self, rows: Rows, deadline: Deadline | None) -> None:
        self.rows = rows
        self.deadline = deadline
        self.result: Rows | None = None
        self.error: Exception | None = None
        self.woken = Lock()
        self.woken.acquire()

    @property
    def settled(self) -> bool:
        return self.result is not None or self.error is not None


class BatchingEncoder:
    """As the encoder within, which it calls from `lanes` threads at a time; safe to use from several threads.

    Parameters
    ----------
    crowded : the same encoder, for runs that are not alone; by default the one for those that are.
    max_rows, budget_seconds : of one run of the network; a single call's rows are never divided.
    observe : called with the number of rows of every run.
    """

    def __init__(
        self,
        encoder: SampleEncoder,
        *,
        crowded: SampleEncoder | None = None,
        lanes: int = 1,
        max_rows: int = MAX_ROWS,
        budget_seconds: float = BUDGET_SECONDS,
        observe: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._encoder = encoder
        self._crowded = crowded or encoder
        self._lanes = lanes
        self._max_rows = max_rows
        self._budget = budget_seconds
        self._observe = observe
        self._lock = Lock()
        self._running = 0
        self._queue: deque[_Waiting] = deque()
        self._row_seconds = 0.0

    @property
    def modality(self) -> Modality:
        return self._encoder.modality

    @property
    def embedding_size(self) -> int:
        return self._encoder.embedding_size

    @property
    def model_digest(self) -> str:
        return self._encoder.model_digest

    def prepare(self, sample: Sample) -> Rows:
        """As :meth:`encode.encoder.Encoder.prepare`."""
        return self._encoder.prepare(sample)

    def embed_prepared(self, inputs: Rows) -> Rows:
        """As :meth:`encode.encoder.Encoder.embed_prepared`.

        Raises
        ------
        DeadlineExpired : the call (:data:`verify.deadline.current_deadline`) was not waited for any more.
        """
        if len(inputs) == 0:
            return self._encoder.embed_prepared(inputs)
        mine = _Waiting(inputs, current_deadline.get())
        with self._lock:
            alone, wait = self._running == 0, self._running == self._lanes
            if wait:
                self._queue.append(mine)
            else:
                self._running += 1
        if wait:
            mine.woken.acquire()
        if not mine.settled:
            # A free lane, or one handed over by whoever had it, who has taken this call out of the queue.
            self._run(self._batch(mine), self._encoder if alone else self._crowded)
        if mine.error is not None:
            raise mine.error
        if mine.result is None:
            raise AssertionError("a batch settles everybody in it")
        return mine.result

    def _batch(self, first: _Waiting) -> list[_Waiting]:
        """`first` and those who wait, oldest first, as far as the bounds allow."""
        batch, rows = [first], len(first.rows)
        with self._lock:
            allowed = self._max_rows
            if self._row_seconds:
                allowed = min(allowed, int(self._budget / self._row_seconds))
            while self._queue and rows + len(self._queue[0].rows) <= allowed:
                batch.append(self._queue.popleft())
                rows += len(batch[-1].rows)
        return batch

    def _run(self, batch: list[_Waiting], encoder: SampleEncoder) -> None:
        """Settle everybody in the batch, and hand the lane on."""
        try:
            live = [one for one in batch if not _late(one)]
            if live:
                self._settle(live, encoder)
        finally:
            for one in batch:
                if not one.settled:  # whatever came in between must not leave anybody with a lane that is not theirs
                    one.error = RuntimeError("the run that this call was part of came to no end")
            with self._lock:
                following = self._queue.popleft() if self._queue else None
                if following is None:
                    self._running -= 1
            if following is not None:
                following.woken.release()
            for one in batch[1:]:
                one.woken.release()

    def _settle(self, batch: list[_Waiting], encoder: SampleEncoder) -> None:
        began = time.perf_counter()
        try:
            inputs = batch[0].rows if len(batch) == 1 else np.concatenate([one.rows for one in batch])
            embeddings = encoder.embed_prepared(inputs)
        except Exception as error:  # noqa: BLE001 - raised by whoever it concerns
            if len(batch) == 1:
                batch[0].error = error
                return
            for one in batch:
                self._settle([one], encoder)
            return
        seconds = (time.perf_counter() - began) / len(inputs)
        self._row_seconds += (_SMOOTHING if self._row_seconds else 1.0) * (seconds - self._row_seconds)
        at = 0
        for one in batch:
            one.result = embeddings[at : at + len(one.rows)]
            at += len(one.rows)
        self._observe(len(inputs))


def _late(one: _Waiting) -> bool:
    """Whether nobody waits for it any more, in which case it is settled so."""
    if one.deadline is None:
        return False
    try:
        one.deadline.check()
    except Exception as error:  # noqa: BLE001 - raised on the thread of the call
        one.error = error
        return True
    return False
