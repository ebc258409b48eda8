"""The log tells of every call and of no person."""

import io
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from encode.errors import CountersignError, ServiceFailed, StoreUnavailable
from encode.sample import ImageSample
from enroll.stores.memory import MemoryStore
from enroll.stores.store import TemplateStore
from verify.client.client import Client
from verify.logging import configure_logging, get_logger

Face = Callable[..., ImageSample]
PERSON = "ada lovelace"


class FailingStore(MemoryStore):
    """Fails in the way named by the person asked for."""

    def get(self, collection: str, person: str) -> Any:
        if person == "unforeseen":
            raise ValueError(f"a library quotes {PERSON}")
        if person == "store":
            raise StoreUnavailable("the database cannot be used: disk I/O error", fix="make room")
        return super().get(collection, person)


@pytest.fixture
def store() -> TemplateStore:
    return FailingStore()


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_calls_are_logged_without_anything_of_a_person(client: Client, face: Face, log: io.StringIO) -> None:
    client.enroll(f"gallery of {PERSON}", PERSON, [face(1)], request_id=f"request of {PERSON}")
    client.verify(f"gallery of {PERSON}", PERSON, [face(1, 1), face(2)])
    for call in (
        lambda: client.verify("staff", PERSON, [face(1)]),
        lambda: client.verify("staff", f"{PERSON}\n", [face(1)]),
        lambda: client.enroll("staff", PERSON, [ImageSample(PERSON.encode())]),
    ):
        with pytest.raises(CountersignError) as caught:
            call()
        assert PERSON not in str(caught.value)
    assert PERSON not in log.getvalue()
    calls = [line for line in lines(log) if line["event"] == "call"]
    assert [(line["method"].rsplit("/", 1)[1], line["code"], line.get("reason")) for line in calls] == [
        ("Enroll", "OK", None),
        ("Verify", "OK", None),
        ("Verify", "NOT_FOUND", "PERSON_UNKNOWN"),
        ("Verify", "INVALID_ARGUMENT", "FIELD_INVALID"),
        ("Enroll", "FAILED_PRECONDITION", "TOO_FEW_REFERENCES"),
    ]
    for line in calls:
        assert uuid.UUID(line["request_id"])
        assert line["ms"] >= 0
        assert set(line) <= {"event", "level", "timestamp", "request_id", "method", "code", "reason", "ms"}


def test_the_unforeseen_gets_an_incident_id_and_no_text(client: Client, log: io.StringIO) -> None:
    with pytest.raises(ServiceFailed) as caught:
        client.get_person("staff", "unforeseen")
    [line] = [line for line in lines(log) if line["event"] == "unforeseen"]
    assert caught.value.incident == line["incident"]
    assert line["error"] == "ValueError"
    assert any("test_logging.py" in frame and "get" in frame for frame in line["frames"])
    assert PERSON not in log.getvalue()
    assert PERSON not in str(caught.value)
    [call] = [line for line in lines(log) if line["event"] == "call"]
    assert (call["code"], call["reason"]) == ("INTERNAL", "SERVICE_FAILED")


def test_the_operator_reads_why_the_store_failed(client: Client, log: io.StringIO) -> None:
    with pytest.raises(StoreUnavailable):
        client.get_person("staff", "store")
    line, *_ = [line for line in lines(log) if line["event"] == "store"]
    assert (line["level"], line["message"]) == ("error", "the database cannot be used: disk I/O error")


def test_libraries_may_complain_but_not_quote(log: io.StringIO) -> None:
    try:
        raise ValueError(PERSON)
    except ValueError:
        logging.getLogger("some.library").exception("cannot read %s", PERSON)
    logging.getLogger("some.library").info("nothing of note")
    [line] = lines(log)
    assert (line["event"], line["logger"], line["error"]) == ("library", "some.library", "ValueError")
    assert PERSON not in log.getvalue()


def test_nothing_is_written_until_logging_is_set_up(log: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    get_logger().bind(port=1).error("unheard")
    assert (log.getvalue(), *capfd.readouterr()) == ("", "", "")


def test_level_and_form_are_set(log: io.StringIO) -> None:
    stream = io.StringIO()
    configure_logging(level="warning", form="console", stream=stream)
    get_logger().info("unsaid")
    get_logger().warning("said", port=1)
    assert "unsaid" not in stream.getvalue()
    assert "said" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
