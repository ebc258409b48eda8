"""A model whose policy has a row to update by, collections that adapt, and services that share one database."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from encode.sample import ImageSample, Modality, Sample
from enroll.audit.event import NOBODY
from enroll.enroller import Enroller
from enroll.keys.file import new_key
from enroll.keys.providers import KeySource
from enroll.lineup import Lineup
from enroll.stores import schema_version
from enroll.stores.collection import CollectionSettings
from enroll.stores.memory import MemoryStore
from enroll.stores.opening import StorePlace, open_sql_store, upgradable
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore
from enroll.template import Template
from verify.adaptation import Adaptation
from verify.client.client import Client
from verify.decision import Decision
from verify.model import Model, load_models
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.v1.enrollment_pb2 import Template as TemplateMessage
from verify.verifier import Verifier

Face = Callable[..., ImageSample]
Models = Mapping[Modality, Model]

FARS = ((0.1, -2.0), (0.01, 0.0), (0.001, 2.0), (0.0001, 3.0))
STAFF = "staff"
ADAPTING = CollectionSettings(adapt=True, quarantine_hours=24.0, max_drift=50.0)


def policy_rows() -> list[dict[str, object]]:
    rate = {"value": 0.01, "low": 0.005, "high": 0.02}
    return [{"target_far": far, "threshold": threshold, "achieved_far": rate, "frr": rate} for far, threshold in FARS]


@pytest.fixture(scope="session")
def adaptable(seal: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A face model with 3 anchors and 2 later references that accepts at 0.1 % and can update at 0.01 %."""
    folder = tmp_path_factory.mktemp("adaptable")
    return load_models([seal(folder / "face", policy={"table": policy_rows()}, anchors=3, recent=2)], threads=1)


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = datetime(2025, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Gate:
    """Verification with adaptation behind it, in one process and with a clock of its own."""

    def __init__(self, models: Models, store: TemplateStore, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.verifier = Verifier(models, store)
        self.enroller = Enroller(models, store, clock=clock)
        self.adaptation = Adaptation(Lineup.of(models), store, clock=clock)

    def enroll(self, person: str, samples: Sequence[Sample]) -> None:
        self.enroller.enroll(STAFF, person, samples)

    def claim(self, person: str, samples: Sequence[Sample], **options: object) -> Decision:
        """Decide, then learn; returns when both are done."""
        decision = self.verifier.verify(STAFF, person, samples, **options)  # type: ignore[arg-type]
        self.adaptation.submit(self.adaptation.lesson(STAFF, person, decision), NOBODY)
        self.idle()
        return decision

    def idle(self) -> None:
        """Wait until everything submitted is done."""
        self.adaptation._pool.submit(lambda: None).result()

    def template(self, person: str) -> Template:
        (found,) = self.store.get(STAFF, person)
        return found


@pytest.fixture
def gate(adaptable: Models, clock: Clock, face: Face) -> Iterator[Gate]:
    """With one person, ada, enrolled in a collection that adapts."""
    made = Gate(adaptable, MemoryStore(clock=clock), clock)
    made.store.configure(STAFF, ADAPTING)
    made.enroll("ada", [face(1, shot) for shot in range(3)])
    yield made
    made.adaptation.close()


@pytest.fixture
def sql_place(request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """Of an SQLite file; of PostgreSQL where the test is parametrised so."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return StorePlace(str(tmp_path / "people.sqlite"))
    new_database: Callable[[], str] = request.getfixturevalue("postgres")
    place = StorePlace(new_database(), new_database(), KeySource(secret=new_key()))
    with upgradable(place) as (database, keys):
        schema_version.upgrade(database, keys)
    return place


@pytest.fixture
def replicas(adaptable: Models, sql_place: StorePlace, log: io.StringIO) -> Iterator[list[Client]]:
    """Clients of two services on one database."""
    with ExitStack() as opened:
        clients = []
        for _ in range(2):
            store = opened.enter_context(closing_store(sql_place))
            address = opened.enter_context(serving(adaptable, store, ServiceSettings(port=0)))
            clients.append(opened.enter_context(Client(address, timeout=20)))
        yield clients


class closing_store:  # noqa: N801 - a context, used as a function
    """A store on `place`, closed at the end."""

    def __init__(self, place: StorePlace) -> None:
        self._store = open_sql_store(place)

    def __enter__(self) -> SqlStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


@pytest.fixture
def sql_store(sql_place: StorePlace) -> Iterator[SqlStore]:
    """The same database, seen from beside the services."""
    with closing_store(sql_place) as store:
        yield store


Until = Callable[[Client, Callable[[TemplateMessage], bool]], TemplateMessage]


@pytest.fixture
def until() -> Until:
    """``until(client, condition)``: ada's template once it meets the condition."""

    def wait(client: Client, condition: Callable[[TemplateMessage], bool]) -> TemplateMessage:
        while True:
            (template,) = client.get_person(STAFF, "ada").templates
            if condition(template):
                return template

    return wait


@pytest.fixture
def adapting(replicas: list[Client], sql_store: SqlStore, face: Face) -> list[Client]:
    """Both replicas, with ada enrolled in a collection whose quarantine is a day."""
    sql_store.configure(STAFF, ADAPTING)
    replicas[0].enroll(STAFF, "ada", [face(1, shot) for shot in range(3)])
    return replicas


@pytest.fixture
def waiting(adapting: list[Client], face: Face, until: Until) -> list[Client]:
    """With a probe in quarantine, template version 2."""
    assert adapting[0].verify(STAFF, "ada", [face(1, 10)]).accepted
    until(adapting[0], lambda template: template.quarantined == 1)
    return adapting
