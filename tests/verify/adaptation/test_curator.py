"""What operators do with versions and quarantine: over real sockets, on one database of two services."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from encode.errors import (
    CandidateUnfit,
    FieldInvalid,
    FieldMissing,
    PersonUnknown,
    QuarantineEmpty,
    RequestIdReused,
    TemplateVersionUnknown,
    VersionConflict,
    WrongModality,
)
from encode.sample import ImageSample, Modality
from enroll.audit.event import NOBODY
from enroll.audit.reading import stored_log
from enroll.stores.collection import CollectionSettings
from enroll.stores.sql import SqlStore
from verify.client.call import Call, as_it_is
from verify.client.client import Client
from verify.curator import Curator
from verify.v1 import enrollment_pb2

Face = Callable[..., ImageSample]
Until = Callable[[Client, Callable[[Any], bool]], Any]
STAFF = "staff"
FACE = Modality.FACE
AT_ONCE = CollectionSettings(adapt=True, quarantine_hours=0.0, max_drift=50.0)


def told(store: SqlStore) -> list[dict[str, Any]]:
    with store.database.reading() as connection:
        return [json.loads(row.entry) for row in stored_log(connection)[1]]


def test_versions_are_listed_with_what_they_were_written_for(waiting: list[Client]) -> None:
    listed = waiting[1].list_template_versions(STAFF, "ada", FACE)
    assert [(one.version, one.reason) for one in listed] == [(1, "enroll"), (2, "quarantine")]
    with pytest.raises(PersonUnknown):
        waiting[1].list_template_versions(STAFF, "nobody", FACE)
    with pytest.raises(PersonUnknown):
        waiting[1].list_template_versions("others", "ada", FACE)


def test_rollback_writes_the_old_content_as_a_new_version_without_a_quarantine(
    replicas: list[Client], sql_store: SqlStore, face: Face, until: Until
) -> None:
    sql_store.configure(STAFF, AT_ONCE)
    client = replicas[0]
    client.enroll(STAFF, "ada", [face(1, shot) for shot in range(3)])
    (first,) = sql_store.get(STAFF, "ada")
    for shot in (10, 11):
        client.verify(STAFF, "ada", [face(1, shot)])
        until(client, lambda template, shot=shot: template.quarantined == 1 and template.adapted == shot - 10)
    back = client.rollback_template(STAFF, "ada", FACE, 2, request_id="undo")
    assert (back.version, back.adapted, back.quarantined) == (5, 0, 0)
    (stored,) = sql_store.get(STAFF, "ada")
    assert stored.references.tobytes() == first.references.tobytes()
    # Again: the same answer, and nothing written.
    assert client.rollback_template(STAFF, "ada", FACE, 2, request_id="undo") == back
    with pytest.raises(RequestIdReused):
        client.rollback_template(STAFF, "ada", FACE, 1, request_id="undo")
    # What came after is kept too, and can be gone forward to.
    forward = client.rollback_template(STAFF, "ada", FACE, 4)
    assert (forward.version, forward.adapted, forward.quarantined) == (6, 1, 0)
    alone = client.rollback_template(STAFF, "ada", FACE, None)
    assert (alone.version, alone.adapted, alone.anchors) == (7, 0, 3)
    rolled = [entry["subject"] for entry in told(sql_store) if entry["action"] == "rollback"]
    assert rolled == ["2", "4", "enrolled"]
    listed = client.list_template_versions(STAFF, "ada", FACE)
    assert [one.reason for one in listed][-3:] == ["rollback"] * 3


def test_rollback_keeps_what_the_stored_template_is_of(waiting: list[Client], face: Face) -> None:
    client = waiting[0]
    for unknown in (3, 99):
        with pytest.raises(TemplateVersionUnknown):
            client.rollback_template(STAFF, "ada", FACE, unknown)
    with pytest.raises(PersonUnknown):
        client.rollback_template(STAFF, "nobody", FACE, 1)
    with pytest.raises(WrongModality):
        client.rollback_template(STAFF, "ada", Modality.SIGNATURE, 1)
    client.delete_person(STAFF, "ada")
    with pytest.raises(PersonUnknown):
        client.rollback_template(STAFF, "ada", FACE, 1)
    client.enroll(STAFF, "ada", [face(1, shot) for shot in range(3)])
    with pytest.raises(TemplateVersionUnknown):
        client.rollback_template(STAFF, "ada", FACE, 2)


def test_the_quarantine_is_listed_page_by_page_of_people(waiting: list[Client], face: Face, until: Until) -> None:
    client = waiting[0]
    for person in ("bob", "zoe"):
        client.enroll(STAFF, person, [face(3)])
    for size in (0, 1, 2, 3):
        (probe,) = client.list_quarantine(STAFF, page_size=size)
        assert (probe.person, probe.version) == ("ada", 2)
        assert probe.due.seconds - probe.since.seconds == 24 * 3600
    assert list(client.list_quarantine("others")) == []


@pytest.mark.parametrize(("approve", "adapted", "action"), [(True, 1, "adapt"), (False, 0, "discard")])
def test_an_operator_decides_over_the_quarantine_once(
    waiting: list[Client], sql_store: SqlStore, approve: bool, adapted: int, action: str
) -> None:
    client = waiting[1]
    decided = client.resolve_quarantine(STAFF, "ada", FACE, approve=approve, version=2, request_id="mine")
    assert (decided.adapted, decided.quarantined, decided.version) == (adapted, 0, 3)
    assert client.resolve_quarantine(STAFF, "ada", FACE, approve=approve, version=2, request_id="mine") == decided
    with pytest.raises(VersionConflict):
        client.resolve_quarantine(STAFF, "ada", FACE, approve=approve, version=2)
    with pytest.raises(QuarantineEmpty):
        client.resolve_quarantine(STAFF, "ada", FACE, approve=approve)
    last = told(sql_store)[-1]
    assert (last["action"], last["subject"], last["versions"]) == (action, "operator", {"face": 3})


def test_what_fails_the_rule_is_not_approved_and_stays(gate: Any, face: Face) -> None:
    gate.claim("ada", [face(1, 10)])
    gate.store.configure(STAFF, CollectionSettings(adapt=True, max_drift=1e-6))
    curator = Curator(gate.verifier.models, gate.store, clock=gate.clock)
    for _ in range(2):
        with pytest.raises(CandidateUnfit, match="too far from the anchors"):
            curator.resolve(STAFF, "ada", FACE, approve=True, version=None, request=None, origin=NOBODY)
    assert gate.template("ada").quarantined
    told = curator.resolve(STAFF, "ada", FACE, approve=False, version=None, request=None, origin=NOBODY)
    assert (told.quarantined, told.adapted) == (0, 0)


def made(method: str, request: Message, answer: type[Message]) -> Call[Message]:
    """A call that no method of the client would make."""
    return Call(f"/verify.v1.EnrollmentService/{method}", request, answer, as_it_is)


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"resolution": 0}, FieldMissing, "resolution"),
        ({"resolution": 9}, FieldInvalid, "resolution"),
        ({"modality": 0}, FieldMissing, "modality"),
        ({"version": -1}, FieldInvalid, "version"),
        ({"person": ""}, FieldMissing, "person"),
    ],
)
def test_what_is_wrong_with_a_resolution_is_named(
    waiting: list[Client], change: dict[str, Any], error: type[Exception], field: str
) -> None:
    asked = {"collection": STAFF, "person": "ada", "modality": 1, "resolution": 1, **change}
    request = enrollment_pb2.ResolveQuarantineRequest(**asked)
    with pytest.raises(error, match=field):
        waiting[0].answer(made("ResolveQuarantine", request, enrollment_pb2.ResolveQuarantineResponse))


@pytest.mark.parametrize("target", [{}, {"version": 0}, {"version": -3}, {"enrolled_only": False}])
def test_a_rollback_to_nothing_is_refused(waiting: list[Client], target: dict[str, Any]) -> None:
    request = enrollment_pb2.RollbackTemplateRequest(collection=STAFF, person="ada", modality=1, **target)
    with pytest.raises((FieldMissing, FieldInvalid), match="version"):
        waiting[0].answer(made("RollbackTemplate", request, enrollment_pb2.RollbackTemplateResponse))
