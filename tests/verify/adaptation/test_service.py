"""Adaptation as callers meet it: over real sockets, two services on one database, and its audit log."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from encode.errors import (
    StoreCorrupt,
)
from encode.sample import ImageSample, Modality
from enroll.audit.reading import stored_log
from enroll.stores.collection import CollectionSettings
from enroll.stores.memory import MemoryStore
from enroll.stores.schema import template_versions, templates
from enroll.stores.sql import SqlStore
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings

Face = Callable[..., ImageSample]
Models = Mapping[Modality, Model]
Until = Callable[[Client, Callable[[Any], bool]], Any]
STAFF = "staff"
FACE = Modality.FACE
AT_ONCE = CollectionSettings(adapt=True, quarantine_hours=0.0, max_drift=50.0)


def told(store: SqlStore) -> list[dict[str, Any]]:
    with store.database.reading() as connection:
        return [json.loads(row.entry) for row in stored_log(connection)[1]]


def actions(store: SqlStore) -> list[str]:
    return [entry["action"] for entry in told(store) if entry["action"] not in ("open", "start", "configure")]


@pytest.mark.parametrize("sql_place", ["sqlite", "postgres"], indirect=True)
def test_what_one_replica_learned_the_other_answers_with(
    replicas: list[Client], sql_store: SqlStore, face: Face, until: Until
) -> None:
    sql_store.configure(STAFF, AT_ONCE)
    one, other = replicas
    one.enroll(STAFF, "ada", [face(1, shot) for shot in range(3)])
    one.verify(STAFF, "ada", [face(1, 10)])
    until(other, lambda template: template.quarantined == 1)
    other.verify(STAFF, "ada", [face(1, 11)])
    learned = until(one, lambda template: template.adapted == 1 and template.quarantined == 1)
    assert (learned.anchors, learned.recent, learned.version) == (3, 0, 4)
    assert learned.quarantined_since.seconds > 0
    assert one.verify(STAFF, "ada", [face(1, 12)]).accepted


@pytest.mark.parametrize("sql_place", ["sqlite", "postgres"], indirect=True)
def test_a_rejection_at_one_replica_takes_the_candidate_of_the_other(
    waiting: list[Client], face: Face, until: Until
) -> None:
    one, other = waiting
    assert not other.verify(STAFF, "ada", [face(2)]).accepted
    assert until(one, lambda template: template.quarantined == 0).version == 3


def test_the_answer_does_not_tell_whether_anything_was_learned(
    adapting: list[Client], sql_store: SqlStore, face: Face, until: Until
) -> None:
    sql_store.configure("others", CollectionSettings())
    adapting[0].enroll("others", "ada", [face(1, shot) for shot in range(3)])
    learning = adapting[0].verify(STAFF, "ada", [face(1, 10)])
    until(adapting[0], lambda template: template.quarantined == 1)
    assert learning == adapting[0].verify("others", "ada", [face(1, 10)])
    # Nor does the next one, while the probe waits.
    assert learning == adapting[0].verify(STAFF, "ada", [face(1, 10)])


def test_the_log_tells_what_was_decided_before_what_was_learned(
    replicas: list[Client], sql_store: SqlStore, face: Face, until: Until
) -> None:
    sql_store.configure(STAFF, AT_ONCE)
    client = replicas[0]
    client.enroll(STAFF, "ada", [face(1, shot) for shot in range(3)])
    client.verify(STAFF, "ada", [face(1, 10)])
    until(client, lambda template: template.quarantined == 1)
    client.verify(STAFF, "ada", [face(1, 11)])
    until(client, lambda template: template.version == 4)
    client.verify(STAFF, "ada", [face(2)])
    until(client, lambda template: template.quarantined == 0)
    assert actions(sql_store) == [
        "enroll",
        "verify",
        "quarantine",
        "verify",
        "adapt",
        "quarantine",
        "verify",
        "discard",
    ]
    entries = {entry["action"]: entry for entry in told(sql_store)}
    assert entries["adapt"]["versions"] == {"face": 3}
    assert entries["adapt"]["subject"] == "time"
    assert entries["adapt"]["target_far"] == 0.0001
    assert entries["discard"]["subject"] == "rejection"
    assert entries["discard"]["call_id"] == entries["verify"]["call_id"]


def test_a_candidate_put_back_or_changed_in_the_database_is_found(
    waiting: list[Client], sql_store: SqlStore, face: Face
) -> None:
    """Whoever writes the database alone can neither smuggle a reference in nor bring a version back."""
    with sql_store.database.reading() as connection:
        payload = connection.execute(select(templates.c.payload)).scalar_one()
        earlier = connection.execute(select(template_versions.c.payload)).scalar_one()
    flipped = payload[:40] + bytes([payload[40] ^ 1]) + payload[41:]
    for changed in (flipped, earlier):
        with sql_store.database.writing() as connection:
            connection.execute(update(templates).values(payload=changed))
        for client in waiting:
            with pytest.raises(StoreCorrupt):
                client.verify(STAFF, "ada", [face(1, 11)])
            with pytest.raises(StoreCorrupt):
                client.rollback_template(STAFF, "ada", FACE, None)
            with pytest.raises(StoreCorrupt):
                list(client.list_quarantine(STAFF))


@pytest.fixture
def memory_client(adaptable: Models, log: io.StringIO, face: Face) -> Iterator[tuple[Client, MemoryStore]]:
    store = MemoryStore()
    with (
        serving(adaptable, store, ServiceSettings(port=0)) as address,
        Client(address, timeout=20) as client,
    ):
        yield client, store


def test_the_store_in_memory_adapts_too(memory_client: tuple[Client, MemoryStore], face: Face, until: Until) -> None:
    client, store = memory_client
    store.configure(STAFF, AT_ONCE)
    client.enroll(STAFF, "ada", [face(1, shot) for shot in range(3)])
    for shot in range(10, 14):
        client.verify(STAFF, "ada", [face(1, shot)])
        until(client, lambda template, shot=shot: template.version == 2 * (shot - 10) + 2)
    assert until(client, lambda template: template.adapted == 2).recent == 0
    assert len(client.list_template_versions(STAFF, "ada", FACE)) == 8
