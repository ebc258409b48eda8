"""Rate limits: what passes, what waits, for how long, and in how much memory."""

from collections.abc import Callable, Mapping

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from encode.errors import RateLimited
from encode.sample import Modality
from enroll.stores.memory import MemoryStore
from enroll.stores.sql import SqlStore
from verify.access.limits import RateLimits
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.v1 import model_pb2, model_pb2_grpc


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def passed(limits: RateLimits, caller: str, calls: int) -> int:
    """How many of that many calls are let through."""
    count = 0
    for _ in range(calls):
        try:
            limits.take(caller)
        except RateLimited:
            continue
        count += 1
    return count


def test_two_seconds_of_calls_at_once_then_the_rate(clock: Clock) -> None:
    limits = RateLimits(10.0, clock=clock)
    assert passed(limits, "a", 50) == 20
    for _ in range(5):
        clock.seconds += 1.0
        assert passed(limits, "a", 50) == 10
    clock.seconds += 3_600.0
    assert passed(limits, "a", 50) == 20


def test_callers_do_not_share(clock: Clock) -> None:
    limits = RateLimits(1.0, clock=clock)
    assert passed(limits, "a", 9) == passed(limits, "b", 9) == 2


def test_waiting_as_long_as_the_error_says_is_enough_and_less_is_not(clock: Clock) -> None:
    limits = RateLimits(0.3, clock=clock)
    limits.take("a")
    with pytest.raises(RateLimited) as caught:
        limits.take("a")
    clock.seconds += 0.999 * caught.value.retry_after
    with pytest.raises(RateLimited):
        limits.take("a")
    clock.seconds += 0.002 * caught.value.retry_after
    limits.take("a")


def test_memory_is_bounded(clock: Clock) -> None:
    limits = RateLimits(1.0, clock=clock, max_callers=100)
    for number in range(1_000):
        limits.take(str(number))
    assert len(limits) == 100


def test_a_caller_of_a_service_is_told_to_wait_in_a_detail_and_a_trailer(
    models: Mapping[Modality, Model], sql_store: SqlStore, make_token: Callable[..., str]
) -> None:
    mine, other = make_token("verify:staff"), make_token("verify:staff")
    settings = ServiceSettings(port=0, access="tokens", calls_per_second=0.01)
    with serving(models, sql_store, settings) as address, Client(address, token=mine) as client:
        client.list_models()
        with pytest.raises(RateLimited) as caught:
            client.list_models()
        assert 90.0 < caught.value.retry_after <= 100.0
        with pytest.raises(grpc.RpcError) as raw:
            model_pb2_grpc.ModelServiceStub(client.channel).ListModels(
                model_pb2.ListModelsRequest(), metadata=[("authorization", f"Bearer {mine}")]
            )
        trailers = dict(raw.value.trailing_metadata())
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        [retry] = [detail for detail in status.details if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR)]
        info = error_details_pb2.RetryInfo()
        retry.Unpack(info)
        assert 90 <= info.retry_delay.seconds <= int(trailers["retry-after"]) <= 100
        with Client(address, token=other) as another:
            assert another.list_models()
        assert client.healthy()


def test_callers_without_a_token_on_loopback_are_not_limited(models: Mapping[Modality, Model]) -> None:
    settings = ServiceSettings(port=0, calls_per_second=0.01)
    with serving(models, MemoryStore(), settings) as address, Client(address) as client:
        for _ in range(20):
            assert client.list_models()
