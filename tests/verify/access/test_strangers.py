"""Calls without a valid token: how many from one address, what they may make the service read, and for how long."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from threading import Event
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from encode.errors import CountersignError, RateLimited, TokenInvalid
from encode.sample import Modality
from enroll.stores.memory import MemoryStore
from enroll.stores.sql import SqlStore
from verify.access.peers import HEALTH_MULTIPLE, STREAMS_OF_A_CALLER, OpenStreams, Strangers, address_of
from verify.client.channel import ClientTls
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.tls.files import TlsFiles

Models = Mapping[Modality, Model]
Opened = Callable[[ServiceSettings], grpc.Channel]
VERIFY = "/verify.v1.VerificationService/Verify"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:40212", "10.0.0.7"),
        ("ipv6:%5B2001:db8:1:2::9%5D:40212", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2:ffff::1]:1", "2001:db8:1:2::/64"),
        ("ipv6:%5B2001:db8:1:3::9%5D:40212", "2001:db8:1:3::/64"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:5", "10.0.0.7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5", "fe80::/64"),
        ("ipv6:%5B::1%5D:5", "::/64"),
        ("unix:/run/x.sock", "local"),
        ("", "local"),
        ("ipv4:what?:1", "what?"),
    ],
)
def test_a_peer_is_told_by_its_address(peer: str, address: str) -> None:
    assert address_of(peer) == address


def test_addresses_are_counted_apart_and_health_apart_from_tokens() -> None:
    strangers = Strangers(2.0)
    for number in range(4):
        strangers.count_refusal(f"ipv4:10.0.0.1:{number}")
    with pytest.raises(RateLimited, match="without a valid token a second come from this address"):
        strangers.count_refusal("ipv4:10.0.0.1:99")
    strangers.count_refusal("ipv4:10.0.0.2:99")
    for _ in range(4 * HEALTH_MULTIPLE):
        strangers.count_health("ipv4:10.0.0.1:1")
    with pytest.raises(RateLimited, match="health"):
        strangers.count_health("ipv4:10.0.0.1:1")


def test_open_streams_are_counted_while_they_are_open() -> None:
    streams = OpenStreams(of_a_caller=2, of_all=3)
    with ExitStack() as stack:
        for caller in ("a", "a", "b"):
            stack.enter_context(streams.held(caller))
        for caller in ("a", "c"):
            with pytest.raises(RateLimited) as caught, streams.held(caller):
                pass
            assert caught.value.retry_after > 0
        assert len(streams) == 3
    assert len(streams) == 0
    with pytest.raises(ZeroDivisionError), streams.held("a"):
        raise ZeroDivisionError
    assert len(streams) == 0


@pytest.fixture
def opened(models: Models, sql_store: SqlStore) -> Iterator[Opened]:
    """``opened(settings)``: a channel to a service with these settings."""
    with ExitStack() as stack:

        def start(settings: ServiceSettings) -> grpc.Channel:
            address = stack.enter_context(serving(models, sql_store, settings))
            return stack.enter_context(grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]))

        yield start


def code_of(work: Callable[[], object]) -> grpc.StatusCode:
    try:
        work()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def refusal_of(client: Client) -> CountersignError:
    with pytest.raises(CountersignError) as caught:
        client.list_models()
    return caught.value


def test_wrong_tokens_from_one_address_are_told_to_wait_and_a_right_one_is_not(
    models: Models, sql_store: SqlStore, make_token: Callable[..., str]
) -> None:
    right = make_token("verify:staff")
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    settings = ServiceSettings(port=0, access="tokens", stranger_calls_per_second=0.5)
    with serving(models, sql_store, settings) as address, Client(address, token=wrong) as guessing:
        told = [refusal_of(guessing) for _ in range(10)]
        assert isinstance(told[0], TokenInvalid)
        assert isinstance(told[-1], RateLimited)
        assert 0 < told[-1].retry_after <= 2.0
        with Client(address) as nobody, pytest.raises(RateLimited):
            nobody.list_models()
        # Behind a proxy this is somebody else.
        with Client(address, token=right) as client:
            assert client.list_models()
            assert client.healthy()


def test_a_call_that_is_refused_is_answered_before_any_of_its_message_has_come(opened: Opened, everything: str) -> None:
    """The client sends headers and nothing more until it is answered: nobody can make the service hold a body."""
    channel = opened(ServiceSettings(port=0, access="tokens", stranger_calls_per_second=0.1))
    codes = []
    for _ in range(3):
        answered = Event()

        def nothing(until: Event = answered) -> Iterator[bytes]:
            until.wait(60)
            yield from ()

        call: Any = channel.stream_unary(VERIFY, None, None)
        codes.append(code_of(lambda: call(nothing(), timeout=20)))  # noqa: B023 - called in this very turn
        answered.set()
    assert codes == [grpc.StatusCode.UNAUTHENTICATED, *[grpc.StatusCode.RESOURCE_EXHAUSTED] * 2]


def test_a_message_that_does_not_come_is_not_waited_for_for_ever(
    opened: Opened, everything: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verify.service_parsing.MESSAGE_SECONDS", 0.2)
    channel = opened(ServiceSettings(port=0, access="tokens"))
    bearer = [("authorization", f"Bearer {everything}")]
    for name, metadata in ((VERIFY, bearer), ("/grpc.health.v1.Health/Check", None)):
        done = Event()

        def nothing(until: Event = done) -> Iterator[bytes]:
            until.wait(60)
            yield from ()

        call: Any = channel.stream_unary(name, None, None)
        assert code_of(lambda: call(nothing(), timeout=60, metadata=metadata)) is grpc.StatusCode.DEADLINE_EXCEEDED  # noqa: B023
        done.set()
    # The connection goes on.
    health = health_pb2_grpc.HealthStub(channel)
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == health_pb2.HealthCheckResponse.SERVING


def test_health_is_limited_too(opened: Opened, everything: str) -> None:
    channel = opened(ServiceSettings(port=0, access="tokens", stranger_calls_per_second=0.1))
    health = health_pb2_grpc.HealthStub(channel)
    codes = [code_of(lambda: health.Check(health_pb2.HealthCheckRequest(), timeout=20)) for _ in range(4)]
    assert codes == [grpc.StatusCode.OK] * 2 + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2


def test_watches_of_one_address_are_bounded_and_those_that_end_make_room(opened: Opened, everything: str) -> None:
    channel = opened(ServiceSettings(port=0, access="tokens", stranger_calls_per_second=0))
    health = health_pb2_grpc.HealthStub(channel)
    watches = [health.Watch(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(STREAMS_OF_A_CALLER)]
    assert {next(watch).status for watch in watches} == {health_pb2.HealthCheckResponse.SERVING}
    one_more = health.Watch(health_pb2.HealthCheckRequest(), timeout=60)
    assert code_of(lambda: next(one_more)) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(one_more.trailing_metadata())["retry-after"]
    watches[0].cancel()

    def again() -> object:
        return next(health.Watch(health_pb2.HealthCheckRequest(), timeout=60))

    while code_of(again) is grpc.StatusCode.RESOURCE_EXHAUSTED:
        time.sleep(0.01)
    for watch in watches:
        watch.cancel()


def test_messages_of_a_reflection_stream_count_as_calls_and_its_streams_are_bounded(
    opened: Opened, make_token: Callable[..., str]
) -> None:
    bearer = [("authorization", f"Bearer {make_token('verify:staff')}")]
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    slow = reflection_pb2_grpc.ServerReflectionStub(
        opened(ServiceSettings(port=0, access="tokens", calls_per_second=1))
    )
    # Two at once, of which opening the stream is one; another every second.
    answers = slow.ServerReflectionInfo(iter([asked] * 500), timeout=60, metadata=bearer)
    told: list[object] = []
    assert code_of(lambda: told.extend(answers)) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 1 <= len(told) < 250

    free = reflection_pb2_grpc.ServerReflectionStub(
        opened(ServiceSettings(port=0, access="tokens", calls_per_second=0))
    )
    done = Event()

    def asking() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        yield asked
        done.wait(60)

    streams = [free.ServerReflectionInfo(asking(), timeout=60, metadata=bearer) for _ in range(STREAMS_OF_A_CALLER)]
    for stream in streams:
        next(stream)
    with pytest.raises(grpc.RpcError) as caught:
        next(free.ServerReflectionInfo(asking(), timeout=60, metadata=bearer))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    done.set()


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("sent", [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n"])
def test_a_connection_that_says_nothing_is_closed(
    models: Models,
    monkeypatch: pytest.MonkeyPatch,
    make_pair: Callable[..., TlsFiles],
    sent: bytes,
    encrypted: bool,
) -> None:
    monkeypatch.setattr("verify.server_limits.HANDSHAKE_SECONDS", 0.5)
    pair = make_pair("service") if encrypted else None
    settings = ServiceSettings(
        port=0, tls_cert=pair and pair.certificate, tls_key=pair and pair.key, stranger_calls_per_second=0
    )
    tls = pair and ClientTls(pair.certificate)
    with serving(models, MemoryStore(), settings) as address:
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as raw:
            raw.sendall(sent)
            while raw.recv(4096):
                pass  # its settings, before it hangs up
        with Client(address, tls=tls) as client:
            assert client.healthy()


def test_a_connection_ends_with_age_and_a_client_notices_nothing(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verify.server_limits.AGE_SECONDS", 0.2)
    monkeypatch.setattr("verify.server_limits.AGE_GRACE_SECONDS", 0.2)
    with serving(models, MemoryStore()) as address, Client(address) as client:
        watching = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
        with pytest.raises(grpc.RpcError) as caught:
            list(watching)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert client.healthy()


def test_metadata_without_end_is_refused(opened: Opened, everything: str) -> None:
    channel = opened(ServiceSettings(port=0, access="tokens"))
    call: Any = channel.unary_unary(VERIFY, None, None)
    long = [("authorization", "Bearer " + "x" * 20_000)]
    assert code_of(lambda: call(b"", metadata=long, timeout=20)) is grpc.StatusCode.RESOURCE_EXHAUSTED
