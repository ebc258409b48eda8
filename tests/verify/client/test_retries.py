"""What the client's channel makes again by itself, against a server that fails first."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from encode.errors import CountersignError, PersonUnknown, RateLimited, ServiceUnavailable
from encode.sample import ImageSample
from verify.access.scopes import RULES
from verify.client.async_client import AsyncClient
from verify.client.batch_items import EnrollItem
from verify.client.client import Client
from verify.client.retries import ATTEMPTS, RETRIED, service_config
from verify.messages import MAX_MESSAGE_BYTES
from verify.status import STATUS_KEY, code_of, to_failure, to_status
from verify.v1 import enrollment_pb2, verification_pb2

PHOTO = ImageSample(bytes(1024 * 1024))
"""Larger than what gRPC keeps for a repeat unless told to."""


@dataclass
class Script:
    """A server that fails as told, then answers; and what it was sent."""

    failures: list[CountersignError] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    stream_failures: list[CountersignError | None] = field(default_factory=list)
    """One a stream: None answers all of it, an error ends it after the first message was read."""
    later: dict[int, int] = field(default_factory=dict)
    """Index of a message → how often it is answered with "later"."""


class Handler(grpc.GenericRpcHandler):
    def __init__(self, script: Script) -> None:
        self.script = script

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        if details.method.endswith("Batch"):
            return grpc.stream_stream_rpc_method_handler(self.stream)
        return grpc.unary_unary_rpc_method_handler(self.call)

    def call(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.script.requests.append(request)
        if self.script.failures:
            refuse(context, self.script.failures.pop(0))
        return b""

    def stream(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        failing = self.script.stream_failures.pop(0) if self.script.stream_failures else None
        for data in messages:
            self.script.requests.append(data)
            message = enrollment_pb2.EnrollBatchRequest.FromString(data)
            if failing is not None:
                refuse(context, failing)
            answer = enrollment_pb2.EnrollBatchResponse(index=message.index)
            if self.script.later.get(message.index, 0):
                self.script.later[message.index] -= 1
                answer.failure.CopyFrom(to_failure(RateLimited("later", retry_after=0.01)))
            else:
                answer.enrolled.person.person = message.item.person
            yield answer.SerializeToString()


def refuse(context: grpc.ServicerContext, error: CountersignError) -> None:
    status: status_pb2.Status = to_status(error)
    context.set_trailing_metadata(((STATUS_KEY, status.SerializeToString()),))
    context.abort(code_of(type(error)), status.message)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)])
        server.add_generic_rpc_handlers((Handler(script),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


CALLS: dict[str, Callable[[Client], object]] = {
    "verify": lambda client: client.verify("staff", "ada", [PHOTO]),
    "enroll": lambda client: client.enroll("staff", "ada", [PHOTO]),
    "get_person": lambda client: client.get_person("staff", "ada"),
    "list_persons": lambda client: list(client.list_persons("staff")),
    "delete_person": lambda client: client.delete_person("staff", "ada"),
    "list_models": lambda client: client.list_models(),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_did_not_arrive_is_made_again_with_the_same_request(
    script: Script, address: str, name: str
) -> None:
    script.failures = [ServiceUnavailable("down"), ServiceUnavailable("still down")]
    with Client(address, timeout=20) as client:
        CALLS[name](client)
    assert len(script.requests) == 3
    assert len(set(script.requests)) == 1


def test_mutations_carry_a_request_id_so_that_they_may_be(script: Script, address: str) -> None:
    with Client(address, timeout=20) as client:
        client.enroll("staff", "ada", [PHOTO])
        client.enroll("staff", "ada", [PHOTO])
    first, second = (enrollment_pb2.EnrollRequest.FromString(one).request_id for one in script.requests)
    assert first
    assert second
    assert first != second


def test_repeats_are_bounded(script: Script, address: str) -> None:
    script.failures = [ServiceUnavailable("down") for _ in range(20)]
    with Client(address, timeout=20) as client, pytest.raises(ServiceUnavailable):
        client.get_person("staff", "ada")
    assert len(script.requests) == ATTEMPTS


@pytest.mark.parametrize("error", [RateLimited("later", retry_after=0.01), PersonUnknown("nobody")])
def test_other_errors_are_not_repeated(script: Script, address: str, error: CountersignError) -> None:
    script.failures = [error]
    with Client(address, timeout=20) as client, pytest.raises(type(error)):
        client.verify("staff", "ada", [PHOTO])
    assert len(script.requests) == 1


def test_health_is_asked_about_now(script: Script, address: str) -> None:
    script.failures = [ServiceUnavailable("down")]
    with Client(address, timeout=20) as client, pytest.raises(ServiceUnavailable):
        client.healthy()
    assert len(script.requests) == 1


def test_the_awaiting_client_repeats_alike(script: Script, address: str) -> None:
    script.failures = [ServiceUnavailable("down")]

    async def talk() -> None:
        async with AsyncClient(address, timeout=20) as client:
            await client.verify("staff", "ada", [PHOTO])

    asyncio.run(talk())
    assert len(script.requests) == 2


def test_every_call_with_one_answer_may_be_repeated_and_no_other() -> None:
    named = {f"/{service}/{method}" for service, methods in RETRIED.items() for method in methods}
    assert named == {name for name in RULES if name.startswith("/verify.v1.") and not name.endswith("Batch")}
    [config] = json.loads(service_config())["methodConfig"]
    assert config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]


def people(count: int) -> list[EnrollItem]:
    return [EnrollItem("staff", f"person {n}", [ImageSample(b"x")]) for n in range(count)]


def test_a_broken_stream_goes_on_with_what_was_not_answered(script: Script, address: str) -> None:
    script.stream_failures = [ServiceUnavailable("stopping"), ServiceUnavailable("stopping"), None]
    with Client(address, timeout=20) as client:
        results = list(client.enroll_batch(people(40)))
    assert sorted(one.index for one in results) == list(range(40))
    assert all(one.answer is not None and one.answer.person.person == one.item.person for one in results)
    sent: dict[int, set[str]] = {}
    for data in script.requests:
        message = enrollment_pb2.EnrollBatchRequest.FromString(data)
        sent.setdefault(message.index, set()).add(message.item.request_id)
    assert all(len(ids) == 1 and ids != {""} for ids in sent.values())


def test_a_stream_that_never_opens_ends_the_batch(script: Script, address: str) -> None:
    script.stream_failures = [ServiceUnavailable("down") for _ in range(20)]
    with Client(address, timeout=20) as client, pytest.raises(ServiceUnavailable):
        list(client.enroll_batch(people(3)))
    assert len(script.stream_failures) == 20 - ATTEMPTS


def test_an_item_to_be_sent_later_is_sent_later(script: Script, address: str) -> None:
    script.later = {2: 3, 5: 1}
    with Client(address, timeout=20) as client:
        results = list(client.enroll_batch(people(9)))
    assert sorted(one.index for one in results if one.error is None) == list(range(9))
    indices = [enrollment_pb2.EnrollBatchRequest.FromString(data).index for data in script.requests]
    assert indices.count(2) == 4
    assert indices.count(5) == 2


def test_an_item_that_is_told_later_again_and_again_is_a_failure(script: Script, address: str) -> None:
    script.later = {1: 1_000}
    with Client(address, timeout=60) as client:
        results = {one.index: one.error for one in client.enroll_batch(people(3))}
    assert results[0] is None
    assert results[2] is None
    assert isinstance(results[1], RateLimited)


def test_details_of_errors_arrive(script: Script, address: str) -> None:
    script.failures = [RateLimited("slow down", field="x", fix="wait", retry_after=2.5)]
    with Client(address, timeout=20) as client, pytest.raises(RateLimited) as caught:
        client.verify("staff", "ada", [PHOTO])
    told = caught.value
    assert (told.message, told.field, told.fix, told.retry_after) == ("slow down", "x", "wait", 2.5)
    assert error_details_pb2.RetryInfo.DESCRIPTOR.full_name == "google.rpc.RetryInfo"
    assert verification_pb2.VerifyRequest.FromString(script.requests[0]).person == "ada"
