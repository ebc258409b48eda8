"""A running service and its audit log: every mutation and decision is in it before it is answered, and no score."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from encode.errors import AuditBroken, PersonUnknown, SampleError
from encode.sample import ImageSample, Modality
from enroll.audit.chain import AuditKeys, Head
from enroll.audit.check import Checked, check_stored
from enroll.audit.reading import stored_log
from enroll.stores.opening import AUDIT_SECRET, StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from verify.access.caller import ANONYMOUS
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings

Face = Callable[..., ImageSample]
Connect = Callable[..., AbstractContextManager[Client]]
ALLOWED = {"action", "at", "call_id", "caller", "token_id", "collection", "person", "outcome", "reason", "subject"} | {
    "models",
    "left_out",
    "versions",
    "policy_id",
    "target_far",
}


@pytest.fixture
def sql_store(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))
    yield store
    store.close()


@pytest.fixture
def connect(models: Mapping[Modality, Model], sql_store: SqlStore, log: io.StringIO) -> Connect:
    """``connect(audit="all")`` as a context: a client of a server on the store."""

    @contextmanager
    def connected(**settings: object) -> Iterator[Client]:
        chosen = ServiceSettings.model_validate({"port": 0, **settings})
        with serving(models, sql_store, chosen) as address, Client(address, timeout=20) as client:
            yield client

    return connected


def told(store: SqlStore) -> list[dict[str, object]]:
    """The entries behind the one that opens the log."""
    with store.database.reading() as connection:
        return [json.loads(row.entry) for row in stored_log(connection)[1]][1:]


def keys_of(store: SqlStore) -> AuditKeys:
    return AuditKeys.derive(store.keys.secret(AUDIT_SECRET))


def check(store: SqlStore, *kept: Head) -> Checked:
    with store.database.reading() as connection:
        stored, rows = stored_log(connection)
        return check_stored(rows, stored, keys_of(store), kept=kept)


def test_mutations_and_decisions_are_recorded_as_they_were_answered(
    connect: Connect, sql_store: SqlStore, face: Face, models: Mapping[Modality, Model]
) -> None:
    with connect() as client:
        client.enroll("staff", "ada lovelace", [face(1, shot) for shot in range(3)])
        genuine = client.verify("staff", "ada lovelace", [face(1, 9)], target_far=0.01)
        impostor = client.verify("staff", "ada lovelace", [face(2, 9)])
        receipt = client.delete_person("staff", "ada lovelace")
    start, enrolled, accepted, rejected, deleted = told(sql_store)
    model = models[Modality.FACE]
    assert model.policy is not None
    about = {
        "collection": "staff",
        "person": keys_of(sql_store).pseudonym_of("staff", "ada lovelace"),
        "models": {"face": model.model_digest},
        "caller": ANONYMOUS.name,
    }
    assert (start["action"], start["subject"]) == ("start", "all")
    for entry in (enrolled, accepted, rejected, deleted):
        assert about.items() <= entry.items()
    assert (enrolled["action"], enrolled["outcome"], enrolled["versions"]) == ("enroll", "done", {"face": 1})
    assert (deleted["action"], deleted["subject"]) == ("delete_person", receipt.receipt_id)
    assert genuine.accepted
    assert not impostor.accepted
    for entry, outcome, target_far in ((accepted, "accepted", 0.01), (rejected, "rejected", 0.001)):
        rules = {"action": "verify", "outcome": outcome, "target_far": target_far, "policy_id": model.policy.id}
        assert rules.items() <= entry.items()
    assert check(sql_store).intact


def test_an_entry_tells_the_call_and_neither_score_nor_name(
    connect: Connect, sql_store: SqlStore, face: Face, log: io.StringIO
) -> None:
    with connect() as client:
        client.enroll("staff", "ada lovelace", [face(1)])
        client.verify("staff", "ada lovelace", [face(1, 9), ImageSample(b"text")])
    calls = [json.loads(line) for line in log.getvalue().splitlines()]
    _, *entries = told(sql_store)
    assert [entry["call_id"] for entry in entries] == [c["request_id"] for c in calls if c["event"] == "call"]
    assert all(set(entry) <= ALLOWED for entry in entries)
    # The target FAR is the only number that is not whole: no ratio, no probability, no threshold.
    assert [value for entry in entries for value in entry.values() if isinstance(value, float)] == [0.001]
    assert "ada" not in json.dumps(entries)
    assert "ada" not in log.getvalue()


def test_claims_that_could_not_be_decided_are_recorded_with_the_reason(
    connect: Connect, sql_store: SqlStore, face: Face
) -> None:
    with connect() as client:
        client.enroll("staff", "ada", [face(1)])
        with pytest.raises(PersonUnknown):
            client.verify("staff", "nobody", [face(1)])
        with pytest.raises(SampleError):
            client.verify("staff", "ada", [ImageSample(b"text")])
    _, _, unknown, unreadable = told(sql_store)
    assert (unknown["outcome"], unknown["reason"]) == ("refused", "PERSON_UNKNOWN")
    assert unknown["person"] == keys_of(sql_store).pseudonym_of("staff", "nobody")
    assert (unreadable["outcome"], unreadable["reason"]) == ("refused", "IMAGE_FORMAT_UNSUPPORTED")


def test_a_repeated_mutation_is_recorded_once(connect: Connect, sql_store: SqlStore, face: Face) -> None:
    with connect() as client:
        for _ in range(3):
            client.enroll("staff", "ada", [face(1)], request_id="r1")
        for _ in range(3):
            client.delete_person("staff", "ada", request_id="bye")
    assert [entry["action"] for entry in told(sql_store)] == ["start", "enroll", "delete_person"]


@pytest.mark.parametrize(
    ("level", "expected"), [("all", ["start", "enroll", "verify"]), ("mutations", ["start", "enroll"])]
)
def test_the_level_says_what_is_recorded(
    connect: Connect, sql_store: SqlStore, face: Face, level: str, expected: list[str]
) -> None:
    with connect(audit=level) as client:
        client.enroll("staff", "ada", [face(1)])
        client.verify("staff", "ada", [face(1, 9)])
    assert [entry["action"] for entry in told(sql_store)] == expected
    assert told(sql_store)[0]["subject"] == level


def test_off_records_nothing(models: Mapping[Modality, Model], face: Face, tmp_path: Path) -> None:
    store = open_sql_store(StorePlace(str(tmp_path / "people.sqlite")), audited=False)
    with serving(models, store, ServiceSettings(port=0, audit="off")) as address, Client(address) as client:
        client.enroll("staff", "ada", [face(1)])
        assert client.verify("staff", "ada", [face(1, 9)]).accepted
    with store.database.reading() as connection:
        assert stored_log(connection)[0] is None
    store.close()


def test_a_decision_that_cannot_be_recorded_is_not_answered(connect: Connect, sql_store: SqlStore, face: Face) -> None:
    with connect() as client:
        client.enroll("staff", "ada", [face(1)])
        with sql_store.database.writing() as connection:
            connection.exec_driver_sql("UPDATE audit_head SET seal = zeroblob(32)")
        with pytest.raises(AuditBroken):
            client.verify("staff", "ada", [face(1, 9)])
        with pytest.raises(AuditBroken):
            client.enroll("staff", "ada", [face(1, 1)])
        [template] = client.get_person("staff", "ada").templates
    assert template.version == 1
    assert [entry["action"] for entry in told(sql_store)] == ["start", "enroll"]


def test_a_service_does_not_start_on_a_log_that_was_tampered_with(
    sql_store: SqlStore, tmp_path: Path, connect: Connect, face: Face
) -> None:
    with connect() as client:
        client.enroll("staff", "ada", [face(1)])
    with sql_store.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM audit_head")
    with pytest.raises(AuditBroken, match="no head"):
        open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))


def test_the_service_log_tells_heads_that_the_log_is_checked_against(
    connect: Connect, sql_store: SqlStore, face: Face, log: io.StringIO
) -> None:
    with connect(audit_head_seconds=0.01) as client:
        client.enroll("staff", "ada", [face(1)])
        for shot in range(3):
            client.verify("staff", "ada", [face(1, shot)])
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    heads = [Head.parse(line["head"]) for line in lines if line["event"] == "audit_head"]
    assert heads == sorted(heads, key=lambda head: head.sequence)
    assert len(set(heads)) == len(heads) >= 2
    checked = check(sql_store, *heads)
    assert checked.intact
    assert checked.end == heads[-1]
    assert checked.entries == 6
