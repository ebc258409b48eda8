"""A server under time and load: deadlines, overload, and a drain that drops no answer."""

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2
from numpy.typing import NDArray

from encode.errors import (
    CountersignError,
    DeadlineExpired,
    PersonUnknown,
    ServiceOverloaded,
)
from encode.sample import ImageSample, Modality, Sample
from enroll.stores.glance import Stored
from enroll.stores.memory import MemoryStore
from verify.client.client import Client
from verify.model import Model
from verify.server import create_server
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.v1 import enrollment_pb2, enrollment_pb2_grpc, verification_pb2, verification_pb2_grpc

Face = Callable[..., ImageSample]
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVING = health_pb2.HealthCheckResponse.SERVING


@dataclass
class GatedEncoder:
    """An encoder that lets nothing through until `gate` is opened, and counts what it is given."""

    inner: Any
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    decoded: int = 0

    @property
    def modality(self) -> Modality:
        return Modality.FACE

    @property
    def embedding_size(self) -> int:
        return int(self.inner.embedding_size)

    @property
    def model_digest(self) -> str:
        return str(self.inner.model_digest)

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        self.decoded += 1
        self.entered.release()
        assert self.gate.wait(30)
        prepared: NDArray[np.float32] = self.inner.prepare(sample)
        return prepared

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        embedded: NDArray[np.float32] = self.inner.embed_prepared(inputs)
        return embedded


@pytest.fixture
def gated(models: Mapping[Modality, Model]) -> Iterator[tuple[Mapping[Modality, Model], GatedEncoder]]:
    model = models[Modality.FACE]
    encoder = GatedEncoder(model.encoder)
    yield {Modality.FACE: replace(model, encoder=encoder)}, encoder
    encoder.gate.set()


class AskedStore(MemoryStore):
    """Remembers whom it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def read(self, collection: str, person: str, known: Stored | None = None) -> Stored:
        self.asked.append(person)
        return super().read(collection, person, known)


def enrolled(models: Mapping[Modality, Model], face: Face) -> AskedStore:
    store = AskedStore()
    with serving(models, store) as address, Client(address) as client:
        client.enroll("staff", "ada", [face(1)])
    # The server leaves the store to whoever made it.
    assert store.get("staff", "ada")
    return store


def test_a_call_whose_deadline_passed_in_the_queue_is_dropped_before_decoding(
    models: Mapping[Modality, Model],
    gated: tuple[Mapping[Modality, Model], GatedEncoder],
    face: Face,
    log: io.StringIO,
) -> None:
    store = enrolled(models, face)
    slow, encoder = gated
    with serving(slow, store, ServiceSettings(port=0, concurrency=1)) as address:
        with Client(address) as patient, Client(address, timeout=0.2) as hasty, ThreadPoolExecutor(1) as caller:
            first = caller.submit(patient.verify, "staff", "ada", [face(1, 5)])
            assert encoder.entered.acquire(timeout=10)
            with pytest.raises(DeadlineExpired):
                hasty.verify("staff", "ada", [face(1, 6)])
            with pytest.raises(DeadlineExpired):
                hasty.get_person("staff", "late")
            encoder.gate.set()
            assert first.result(timeout=10).accepted
            # A third call runs after the dropped one would have.
            assert patient.verify("staff", "ada", [face(1, 7)]).accepted
        assert encoder.decoded == 2
        assert "late" not in store.asked
    codes = [json.loads(line)["code"] for line in log.getvalue().splitlines() if "/Verify" in line]
    # Whose timer fires first is chance; the caller's reaches the server as a cancellation.
    assert codes.count("OK") == 2
    assert {*codes} - {"OK"} <= {"DEADLINE_EXCEEDED", "CANCELLED"}
    assert len(codes) == 3


def test_an_enrolment_whose_caller_has_gone_stores_nothing(
    gated: tuple[Mapping[Modality, Model], GatedEncoder], face: Face
) -> None:
    models, encoder = gated
    store = MemoryStore()
    with serving(models, store, ServiceSettings(port=0, concurrency=1)) as address:
        with Client(address, timeout=0.3) as hasty, pytest.raises(DeadlineExpired):
            hasty.enroll("staff", "ada", [face(1)])
        encoder.gate.set()
    assert encoder.decoded == 1
    assert store.get("staff", "ada") == ()


def test_an_enrolment_cancelled_while_it_decodes_stores_nothing(
    gated: tuple[Mapping[Modality, Model], GatedEncoder], face: Face
) -> None:
    models, encoder = gated
    store = MemoryStore()
    with serving(models, store, ServiceSettings(port=0, concurrency=1)) as address, Client(address) as client:
        request = enrollment_pb2.EnrollRequest(collection="staff", person="ada")
        request.samples.add().image.data = face(1).data
        call = enrollment_pb2_grpc.EnrollmentServiceStub(client.channel).Enroll.future(request)
        assert encoder.entered.acquire(timeout=10)
        call.cancel()
        # The next call waits for the only worker; meanwhile the server hears of the cancellation.
        with pytest.raises(DeadlineExpired), Client(address, timeout=0.3) as hasty:
            hasty.get_person("staff", "ada")
        encoder.gate.set()
        with pytest.raises(PersonUnknown):
            client.get_person("staff", "ada")


def test_more_calls_than_the_queue_holds_are_refused_and_health_still_answers(
    models: Mapping[Modality, Model],
    gated: tuple[Mapping[Modality, Model], GatedEncoder],
    face: Face,
) -> None:
    store = enrolled(models, face)
    slow, encoder = gated
    settings = ServiceSettings(port=0, concurrency=1, max_waiting=1)
    with serving(slow, store, settings) as address, Client(address) as client, ThreadPoolExecutor(8) as callers:
        calls = [callers.submit(client.verify, "staff", "ada", [face(1, shot)]) for shot in range(8)]
        assert encoder.entered.acquire(timeout=10)
        assert client.healthy()
        # One call is at work and one waits: the six others are turned away while the gate is shut.
        refused = list(islice(as_completed(calls, timeout=10), 6))
        assert all(isinstance(call.exception(), ServiceOverloaded) for call in refused)
        encoder.gate.set()
        assert all(call.result(timeout=10).accepted for call in calls if call not in refused)


def test_a_call_without_room_is_refused_before_its_message_is_read(
    models: Mapping[Modality, Model],
    gated: tuple[Mapping[Modality, Model], GatedEncoder],
    face: Face,
) -> None:
    store = enrolled(models, face)
    slow, encoder = gated
    settings = ServiceSettings(port=0, concurrency=1, max_waiting=0)
    silent = threading.Event()

    def no_message() -> Iterator[bytes]:
        silent.wait(20)
        yield from ()

    with serving(slow, store, settings) as address, Client(address) as client, ThreadPoolExecutor(1) as callers:
        first = callers.submit(client.verify, "staff", "ada", [face(1)])
        assert encoder.entered.acquire(timeout=10)
        call = client.channel.stream_unary("/verify.v1.VerificationService/Verify")
        try:
            with pytest.raises(grpc.RpcError) as caught:
                call(no_message(), timeout=10)
        finally:
            silent.set()
            encoder.gate.set()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert client.list_models()
        assert first.result(timeout=10).accepted


def test_the_drain_answers_what_is_under_way_and_says_so_in_health(
    models: Mapping[Modality, Model],
    gated: tuple[Mapping[Modality, Model], GatedEncoder],
    face: Face,
) -> None:
    """Health goes down first, watchers are told and do not hold up the end, the call under way is answered."""
    store = enrolled(models, face)
    slow, encoder = gated

    async def scenario() -> tuple[bool, list[int], grpc.StatusCode | None]:
        server, port = create_server(slow, store, ServiceSettings(port=0))
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            watch = channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )(health_pb2.HealthCheckRequest())
            seen = [(await watch.read()).status]
            stub = verification_pb2_grpc.VerificationServiceStub(channel)
            request = verification_pb2.VerifyRequest(collection="staff", person="ada")
            request.samples.add().image.data = face(1, 5).data
            call = asyncio.ensure_future(_unary(stub.Verify(request, timeout=30)))
            assert await asyncio.to_thread(encoder.entered.acquire, timeout=10)
            stopping = asyncio.ensure_future(server.stop(grace=600))
            seen.append((await watch.read()).status)
            await asyncio.sleep(0.3)
            assert not stopping.done()
            encoder.gate.set()
            answer = await call
            await stopping
            refused: grpc.StatusCode | None = None
            try:
                await stub.Verify(request, timeout=5)
            except grpc.aio.AioRpcError as error:
                refused = error.code()
        return answer.accepted, seen, refused

    accepted, seen, refused = asyncio.run(scenario())
    assert accepted
    assert seen == [SERVING, NOT_SERVING]
    assert refused is grpc.StatusCode.UNAVAILABLE


async def _unary(call: Any) -> Any:
    return await call


def test_the_grace_ends_calls_that_take_longer(
    models: Mapping[Modality, Model],
    gated: tuple[Mapping[Modality, Model], GatedEncoder],
    face: Face,
) -> None:
    store = enrolled(models, face)
    slow, encoder = gated
    caller = ThreadPoolExecutor(1)
    with serving(slow, store, ServiceSettings(port=0, grace_seconds=0.2)) as address:
        client = Client(address)
        call = caller.submit(client.verify, "staff", "ada", [face(1)])
        assert encoder.entered.acquire(timeout=10)
        # The worker thread itself is let go only after the call was given up.
        call.add_done_callback(lambda _: encoder.gate.set())
    assert isinstance(call.exception(timeout=10), CountersignError)
    client.close()
    caller.shutdown()
