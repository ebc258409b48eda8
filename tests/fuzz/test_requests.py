"""A few hundred requests of the campaign in benchmarks/fuzz_service.py: documented codes, and no hang."""

import asyncio
import random
from pathlib import Path
from subprocess import Popen
from typing import Any, cast

import pytest
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz_service import of_the_transport, wrong
from fuzzing.calls import Answer, Caller
from fuzzing.messages import METHODS, request
from fuzzing.service import Target
from fuzzing.sockets import Intruder
from verify.client.client import Client

CALLS, CONNECTIONS = 400, 60


def attack(sender: Any, count: int, seed: str) -> list[Answer]:
    async def run() -> list[Answer]:
        if isinstance(sender, Caller):
            async with sender:
                return [await sender.send(random.Random(f"{seed} {n}")) for n in range(count)]
        return [await sender.send(random.Random(f"{seed} {n}")) for n in range(count)]

    return asyncio.run(run())


@pytest.fixture
def target(address: str, tmp_path: Path) -> Target:
    port = int(address.rpartition(":")[2])
    return Target("here", cast("Popen[bytes]", None), port, None, (), tmp_path / "log")


@pytest.mark.parametrize(("sender", "count"), [(Caller, CALLS), (Intruder, CONNECTIONS)])
def test_every_answer_is_a_documented_one(target: Target, address: str, sender: Any, count: int) -> None:
    answers = attack(sender(target), count, "tests")
    assert [one for one in answers if one.hung or (wrong(one.ended) and not of_the_transport(one))] == []
    assert len({one.ended for one in answers}) > 3, "the requests are all alike"
    with Client(address, timeout=20) as client:
        assert client.healthy()


@given(st.integers(0, 2**32), st.sampled_from(sorted(METHODS)))
@settings(max_examples=200)
def test_requests_are_the_same_for_the_same_draw_and_reach_beyond_the_parser(seed: int, method: str) -> None:
    body = request(random.Random(seed), method)
    assert body == request(random.Random(seed), method)
    parsed = []
    for n in range(40):
        try:
            parsed.append(GetMessageClass(METHODS[method]).FromString(request(random.Random(f"{seed} {n}"), method)))
        except DecodeError:
            continue
    assert len(parsed) > 4


@pytest.mark.parametrize(
    ("ended", "is_wrong"),
    [
        ("OK", False),
        ("INVALID_ARGUMENT", False),
        ("INTERNAL", True),
        ("UNKNOWN", True),
        ("UNAVAILABLE", True),
        ("grpc 3", False),
        ("grpc 2", True),
        ("grpc 13", True),
        ("RST_STREAM 1", False),
        ("closed", False),
    ],
)
def test_what_must_not_be_answered_is_told(ended: str, is_wrong: bool) -> None:
    assert wrong(ended) is is_wrong
    assert not of_the_transport(Answer("m", ended, said="the service failed in a way it did not foresee"))
