"""A load generator in a process of its own, so that it and what it loads do not share an interpreter.

    closed   each of n clients calls, waits for the answer, and calls again
    open     calls are due at the instants of a Poisson process, whether earlier ones were answered or not, and the
             latency counts from when a call was due: waiting that a slow service causes is not hidden by callers who
             would have waited before they called (coordinated omission)

Each client has a connection of its own, as clients on machines of their own have.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import grpc
import numpy as np

from load.child import child
from load.outcome import Outcome

_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))
VERIFY = "/verify.v1.VerificationService/Verify"


class Generator:
    """The generator as whoever directs it sees it; see :func:`generator`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def closed(
        self, address: str, bodies: Sequence[bytes], *, clients: int, seconds: float, method: str = VERIFY
    ) -> Outcome:
        """Load with `clients` callers for so long; client i begins at another of the `bodies` than the others."""
        return self._ask("closed", address, bodies, method, {"clients": clients, "seconds": seconds})

    def open(
        self,
        address: str,
        bodies: Sequence[bytes],
        *,
        rate: float,
        seconds: float,
        deadline: float = 10.0,
        clients: int = 32,
        seed: int = 0,
        method: str = VERIFY,
    ) -> Outcome:
        """Load with `rate` calls a second, over so many connections, each call waited for until its `deadline`."""
        given = {"rate": rate, "seconds": seconds, "deadline": deadline, "clients": clients, "seed": seed}
        return self._ask("open", address, bodies, method, given)

    def start_open(self, address: str, bodies: Sequence[bytes], *, method: str = VERIFY, **given: Any) -> None:
        """As :meth:`open`, without waiting: `finish` gives the outcome."""
        self._pipe.send(("open", address, bodies, method, {"deadline": 10.0, "clients": 32, "seed": 0, **given}))

    def finish(self) -> Outcome:
        outcome: Outcome | Exception = self._pipe.recv()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _ask(self, kind: str, address: str, bodies: Sequence[bytes], method: str, given: dict[str, Any]) -> Outcome:
        self._pipe.send((kind, address, bodies, method, given))
        return self.finish()


@contextmanager
def generator() -> Iterator[Generator]:
    """A generator, while the block runs."""
    with child(_generate) as (pipe, _):
        yield Generator(pipe)


def _generate(pipe: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        channels: dict[tuple[str, str, int], list[Any]] = {}
        while (order := await loop.run_in_executor(None, pipe.recv)) is not None:
            kind, address, bodies, method, given = order
            key = (address, method, given["clients"])
            if key not in channels:
                channels[key] = [
                    grpc.aio.insecure_channel(address, options=_OPTIONS).unary_unary(method)
                    for _ in range(given["clients"])
                ]
            try:
                pipe.send(await (_closed if kind == "closed" else _open)(channels[key], bodies, given))
            except Exception as error:  # noqa: BLE001 - told to whoever ordered it
                pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))

    asyncio.run(run())


async def _closed(calls: Sequence[Any], bodies: Sequence[bytes], given: dict[str, Any]) -> Outcome:
    codes: Counter[str] = Counter()
    latencies: list[float] = []
    began = time.perf_counter()
    until = began + given["seconds"]

    async def client(index: int) -> None:
        turn = 7 * index
        while (sent := time.perf_counter()) < until:
            code = await _code(calls[index], bodies[turn % len(bodies)], 60.0)
            codes[code] += 1
            if code == "OK":
                latencies.append(time.perf_counter() - sent)
            turn += 1

    await asyncio.gather(*(client(index) for index in range(len(calls))))
    return Outcome(time.perf_counter() - began, codes, np.array(latencies))


async def _open(calls: Sequence[Any], bodies: Sequence[bytes], given: dict[str, Any]) -> Outcome:
    generator = np.random.default_rng(given["seed"])
    gaps = generator.exponential(1.0 / given["rate"], int(given["rate"] * given["seconds"]))
    codes: Counter[str] = Counter()
    latencies: list[float] = []
    lags: list[float] = []
    began = time.perf_counter()

    async def call(number: int, due: float) -> None:
        lags.append(time.perf_counter() - due)
        code = await _code(calls[number % len(calls)], bodies[number % len(bodies)], given["deadline"])
        codes[code] += 1
        if code == "OK":
            latencies.append(time.perf_counter() - due)

    under_way: set[asyncio.Task[None]] = set()
    for number, due in enumerate(began + np.cumsum(gaps)):
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        task = asyncio.create_task(call(number, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    lag = float(np.quantile(lags, 0.99)) if lags else 0.0
    return Outcome(time.perf_counter() - began, codes, np.array(latencies), lag)


async def _code(call: Any, body: bytes, deadline: float) -> str:
    try:
        await call(body, timeout=deadline)
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    return "OK"
