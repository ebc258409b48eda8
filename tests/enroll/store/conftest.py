"""Stores in every database there is, people to put into them, and a clock that moves only when told to."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from encode.sample import Modality
from enroll.keys.providers import KeySource
from enroll.stores.memory import MemoryStore
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)

MakeTemplate = Callable[..., Template]
OpenStore = Callable[..., SqlStore]


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sqlite_place(tmp_path: Path) -> StorePlace:
    folder = tmp_path / "live"
    folder.mkdir()
    return StorePlace(str(folder / "people.sqlite"))


@pytest.fixture
def postgres_place(new_postgres_place: Callable[[], StorePlace]) -> StorePlace:
    """Two empty databases, one for the data and one for the keys, brought to this release's schema."""
    return new_postgres_place()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> StorePlace:
    """Where a store is, in each kind of database."""
    found: StorePlace = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
def open_store(clock: Clock) -> Iterator[OpenStore]:
    """``open_store(place)``: a store, closed after the test; `keys` replaces those of the place."""
    with ExitStack() as opened:

        def build(place: StorePlace, *, keys: KeySource | None = None) -> SqlStore:
            store = open_sql_store(place if keys is None else replace(place, keys=keys), clock=clock)
            opened.callback(store.close)
            return store

        yield build


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, clock: Clock) -> Iterator[TemplateStore]:
    """An empty store of each kind."""
    if request.param == "memory":
        opened: TemplateStore = MemoryStore(clock=clock)
    else:
        opened = open_sql_store(request.getfixturevalue(f"{request.param}_place"), clock=clock)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def make_template() -> MakeTemplate:
    """``make_template(person, before=…)``: a template of 64 values a reference, or the next version of `before`."""

    def make(
        person: str = "ada",
        modality: Modality = Modality.FACE,
        *,
        collection: str = "staff",
        before: Template | None = None,
        seed: int = 7,
    ) -> Template:
        empty = Template.empty(collection, person, modality, "a" * 64, size=64, now=NOW)
        values = np.random.default_rng(seed).normal(size=(3, 64)).astype(np.float32)
        return (before or empty).with_references(values, anchors_capacity=2, recent_capacity=2, now=NOW)

    return make
