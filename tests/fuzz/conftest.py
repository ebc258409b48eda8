"""A service of the smallest bundles that ship, and the bare socket to it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from encode.sample import Modality
from enroll.stores.opening import StorePlace, open_sql_store
from fuzzing import http2
from fuzzing.service import MODELS
from fuzzing.sockets import a_call
from verify.model import Model, load_models
from verify.server_thread import serving
from verify.settings import ServiceSettings

Exchange = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def small_models() -> Mapping[Modality, Model]:
    return load_models(list(MODELS), threads=1)


@pytest.fixture
def address(small_models: Mapping[Modality, Model], tmp_path: Path) -> Iterator[str]:
    """``host:port`` of a service open to everybody, on a database of its own."""
    with (
        closing(open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))) as store,
        serving(small_models, store, ServiceSettings(port=0, threads=1)) as where,
    ):
        yield where


@pytest.fixture
def exchange(address: str) -> Exchange:
    """``exchange(headers, data)``: what ends a call of these headers and gRPC frames, and what is said of it."""
    port = int(address.rpartition(":")[2])

    def send(headers: list[tuple[bytes, bytes]], data: bytes) -> tuple[str, str]:
        return asyncio.run(http2.exchange(port, a_call(headers, data), None, seconds=30, patience=30))

    return send
