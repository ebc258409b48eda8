"""Samples of concurrent calls, put through the network together."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import DeadlineExpired
from encode.sample import ImageSample, Modality, Sample
from verify.batching import BatchingEncoder
from verify.deadline import Deadline, current_deadline

Rows = NDArray[np.float32]
SECONDS = 10


@dataclass
class Network:
    """Doubles its rows, one run at a time; the first run waits for `gate`, and rows of a negative value fail."""

    gate: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    runs: list[int] = field(default_factory=list)
    modality: Modality = Modality.FACE
    embedding_size: int = 2
    model_digest: str = "0" * 64
    inside: int = 0

    def prepare(self, sample: Sample) -> Rows:
        return np.zeros(2, np.float32)

    def embed_prepared(self, inputs: Rows) -> Rows:
        self.inside += 1
        assert self.inside == 1
        try:
            self.runs.append(len(inputs))
            self.begun.set()
            assert self.gate.wait(SECONDS)
            if (inputs < 0).any():
                raise ArithmeticError("a row that the network cannot take")
            doubled: Rows = 2 * inputs
            return doubled
        finally:
            self.inside -= 1


def rows(value: float, count: int = 1) -> Rows:
    return np.full((count, 2), value, np.float32)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as executor:
        yield executor


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.gate.set()


class Crowd:
    """One call that runs, and others that wait for it, in the order in which they were sent."""

    def __init__(self, encoder: BatchingEncoder, network: Network, pool: ThreadPoolExecutor) -> None:
        self._encoder, self._network, self._pool = encoder, network, pool
        self.calls: list[Future[Rows]] = []

    def send(self, inputs: Rows, deadline: Deadline | None = None) -> Future[Rows]:
        def call() -> Rows:
            current_deadline.set(deadline)
            return self._encoder.embed_prepared(inputs)

        waiting = len(self._encoder._queue)
        future = self._pool.submit(copy_context().run, call)
        self.calls.append(future)
        if len(self.calls) == 1:
            assert self._network.begun.wait(SECONDS)
        else:
            until(lambda: len(self._encoder._queue) == waiting + 1)
        return future


def until(met: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(SECONDS * 1000):
        if met():
            return
        pause.wait(0.001)
    raise AssertionError("it did not happen")


def test_who_waits_is_run_together_and_gets_their_own_rows(network: Network, pool: ThreadPoolExecutor) -> None:
    seen: list[int] = []
    crowd = Crowd(BatchingEncoder(network, budget_seconds=SECONDS * 10, observe=seen.append), network, pool)
    calls = [crowd.send(rows(value, count)) for value, count in ((1, 1), (2, 1), (3, 3), (4, 1))]
    network.gate.set()
    for call, (value, count) in zip(calls, ((1, 1), (2, 1), (3, 3), (4, 1)), strict=True):
        np.testing.assert_array_equal(call.result(SECONDS), rows(2 * value, count))
    assert network.runs == seen == [1, 5]


def test_a_run_is_bounded_in_rows_and_a_call_is_never_divided(network: Network, pool: ThreadPoolExecutor) -> None:
    crowd = Crowd(BatchingEncoder(network, max_rows=4, budget_seconds=SECONDS * 10), network, pool)
    calls = [crowd.send(rows(1, count)) for count in (1, 2, 1, 2, 9)]
    network.gate.set()
    for call in calls:
        call.result(SECONDS)
    assert network.runs == [1, 3, 2, 9]


def test_a_run_is_bounded_in_time(network: Network, pool: ThreadPoolExecutor) -> None:
    crowd = Crowd(BatchingEncoder(network, budget_seconds=1e-9), network, pool)
    calls = [crowd.send(rows(1)) for _ in range(3)]
    network.gate.set()
    for call in calls:
        call.result(SECONDS)
    assert network.runs == [1, 1, 1]


def test_rows_that_fail_do_so_alone(network: Network, pool: ThreadPoolExecutor) -> None:
    crowd = Crowd(BatchingEncoder(network, budget_seconds=SECONDS * 10), network, pool)
    first, good, bad, other = (crowd.send(rows(value)) for value in (1, 2, -1, 3))
    network.gate.set()
    assert [call.result(SECONDS)[0, 0] for call in (first, good, other)] == [2, 4, 6]
    with pytest.raises(ArithmeticError):
        bad.result(SECONDS)
    assert network.runs == [1, 3, 1, 1, 1]


def test_the_network_is_free_again_after_a_failure(network: Network) -> None:
    network.gate.set()
    encoder = BatchingEncoder(network)
    with pytest.raises(ArithmeticError):
        encoder.embed_prepared(rows(-1))
    np.testing.assert_array_equal(encoder.embed_prepared(rows(5)), rows(10))


def test_who_is_not_waited_for_any_more_is_not_run(network: Network, pool: ThreadPoolExecutor) -> None:
    crowd = Crowd(BatchingEncoder(network, budget_seconds=SECONDS * 10), network, pool)
    gone = Deadline(None)
    first, left, last = crowd.send(rows(1)), crowd.send(rows(2), gone), crowd.send(rows(3))
    gone.abandon()
    network.gate.set()
    first.result(SECONDS)
    assert last.result(SECONDS)[0, 0] == 6
    with pytest.raises(DeadlineExpired):
        left.result(SECONDS)
    assert network.runs == [1, 1]


def test_many_calls_at_once_all_get_their_own(pool: ThreadPoolExecutor) -> None:
    network = Network()
    network.gate.set()
    encoder = BatchingEncoder(network, max_rows=7)
    values = range(1, 400)
    found = list(pool.map(lambda value: encoder.embed_prepared(rows(value, 1 + value % 3)), values))
    for value, embedded in zip(values, found, strict=True):
        np.testing.assert_array_equal(embedded, rows(2 * value, 1 + value % 3))
    assert sum(network.runs) == sum(1 + value % 3 for value in values)
    assert encoder._running == 0
    assert not encoder._queue


def test_it_stands_for_the_encoder_within() -> None:
    network = Network()
    network.gate.set()
    encoder = BatchingEncoder(network)
    assert (encoder.modality, encoder.embedding_size, encoder.model_digest) == (Modality.FACE, 2, "0" * 64)
    assert encoder.prepare(ImageSample(b"")).shape == (2,)
    assert encoder.embed_prepared(np.empty((0, 2), np.float32)).shape == (0, 2)
