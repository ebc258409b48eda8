"""One call with a path that is no text, or without a message, must not take the service from everybody else."""

import asyncio
from collections.abc import Callable, Mapping

import grpc
import pytest

from encode.errors import ServiceFailed
from encode.sample import Modality
from enroll.stores.memory import MemoryStore
from fuzzing.http2 import grpc_message
from fuzzing.sockets import call_headers
from verify.client.client import Client
from verify.model import Model
from verify.server import create_server
from verify.settings import ServiceSettings

Exchange = Callable[..., tuple[str, str]]
CHECK = b"/grpc.health.v1.Health/Check"
OURS = (b"/verify.v1.VerificationService/Verify", b"/verify.v1.ModelService/ListModels", CHECK)
UNIMPLEMENTED, INVALID = "grpc 12", "grpc 3"


@pytest.mark.parametrize("path", [b"/\xff", b"\xff", b"/verify.v1.\xc3/Verify", b"", b"/", b"*", b"/" + b"x" * 4_000])
def test_a_path_of_no_method_is_turned_away_and_the_service_goes_on(
    exchange: Exchange, address: str, path: bytes
) -> None:
    for _ in range(3):
        assert exchange(call_headers(path=path), grpc_message(b""))[0] == UNIMPLEMENTED
    with Client(address, timeout=20) as client:
        assert client.healthy()


@pytest.mark.parametrize("path", OURS)
def test_a_call_without_a_message_is_answered(exchange: Exchange, path: bytes) -> None:
    ended, said = exchange(call_headers(path=path), b"")
    assert (ended, "no message" in said) == (INVALID, True)


@pytest.mark.parametrize(
    "path",
    [*OURS, b"/grpc.health.v1.Health/Watch", b"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"],
)
def test_a_message_that_does_not_parse_is_invalid_and_not_unknown(exchange: Exchange, path: bytes) -> None:
    for body in (b"\xff\xff\xff", b"\x0b", b"\x0a"):
        assert exchange(call_headers(path=path), grpc_message(body))[0] == INVALID, body


def test_health_and_reflection_answer_as_before(address: str) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        assert (
            health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == health_pb2.HealthCheckResponse.SERVING
        )
        watched = health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        watched.cancel()
        with pytest.raises(grpc.RpcError) as caught:
            health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=20)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")] * 2
        listed = [
            {one.name for one in answer.list_services_response.service}
            for answer in reflection.ServerReflectionInfo(iter(asked), timeout=20)
        ]
        assert len(listed) == 2
        assert "verify.v1.VerificationService" in listed[0]


def test_a_transport_that_ends_of_itself_ends_the_wait(small_models: Mapping[Modality, Model]) -> None:
    async def run() -> None:
        server, _ = create_server(small_models, MemoryStore(), ServiceSettings(port=0))
        await server.start()
        waiting = asyncio.ensure_future(server.answer_until(asyncio.Event()))
        await asyncio.sleep(0)
        await server._transport.stop(None)
        with pytest.raises(ServiceFailed, match="of itself"):
            await waiting
        await server.stop(0.0)

    asyncio.run(run())
