"""`countersign template`: what it prints and how it ends."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from countersign import main
from countersign.exit_codes import ExitCode
from encode.sample import ImageSample
from enroll.stores.collection import CollectionSettings
from enroll.stores.memory import MemoryStore
from verify.client.client import Client
from verify.server_thread import serving

Face = Callable[..., ImageSample]
Run = Callable[..., Result]
Until = Callable[[Client, Callable[[Any], bool]], Any]


@pytest.fixture
def run(adaptable: Any, face: Face, until: Until, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """``run("versions", "ada", code=0)`` against a service with ada, of whom a probe is in quarantine."""
    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    store = MemoryStore()
    store.configure("staff", CollectionSettings(adapt=True, max_drift=50.0))
    with serving(adaptable, store) as address, Client(address, timeout=20) as client:
        client.enroll("staff", "ada", [face(1, shot) for shot in range(3)])
        client.verify("staff", "ada", [face(1, 10)])
        until(client, lambda template: template.quarantined == 1)
        monkeypatch.setenv("COUNTERSIGN_ADDRESS", address)
        monkeypatch.setenv("COUNTERSIGN_COLLECTION", "staff")

        def invoke(*words: object, code: int = ExitCode.OK) -> Result:
            result = CliRunner().invoke(main.app, ["template", *(str(word) for word in words)])
            assert result.exit_code == code, result.output
            return result

        yield invoke


def test_the_tour(run: Run) -> None:
    lines = run("versions", "ada").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert "enroll" in lines[0]
    assert "quarantine" in lines[1]
    assert run("quarantine").stdout.startswith("ada  face  version 2  due ")
    approved = run("quarantine", "ada", "--approve", "--version", 2)
    assert approved.stdout == "version 3: 3 anchors, 0 enrolled later, 1 learned, 0 in quarantine\n"
    assert run("quarantine").stdout == "nothing is in quarantine\n"
    assert run("rollback", "ada", "--enrolled-only").stdout.startswith(
        "version 4: 3 anchors, 0 enrolled later, 0 learned"
    )
    assert run("rollback", "ada", "--version", 3).stdout.startswith("version 5: 3 anchors, 0 enrolled later, 1 learned")


def test_a_candidate_is_discarded(run: Run) -> None:
    assert "0 learned, 0 in quarantine" in run("quarantine", "ada", "--discard").stdout
    run("quarantine", "ada", "--discard", code=ExitCode.STATE)


def test_json_is_the_wire_messages(run: Run) -> None:
    assert [one["reason"] for one in json.loads(run("versions", "ada", "--json").stdout)] == ["enroll", "quarantine"]
    assert [one["version"] for one in json.loads(run("quarantine", "--json").stdout)] == ["2"]
    assert json.loads(run("rollback", "ada", "--version", 1, "--json").stdout)["version"] == "3"
    refused = run("versions", "nobody", "--json", code=ExitCode.STATE)
    assert json.loads(refused.stdout)["error"]["reason"] == "PERSON_UNKNOWN"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("rollback", "ada"), ExitCode.USAGE),
        (("rollback", "ada", "--version", 1, "--enrolled-only"), ExitCode.USAGE),
        (("rollback", "ada", "--version", 0), ExitCode.USAGE),
        (("rollback", "ada", "--version", 9), ExitCode.STATE),
        (("rollback", "nobody", "--version", 1), ExitCode.STATE),
        (("rollback", "ada", "--version", 1, "--modality", "signature"), ExitCode.INPUT),
        (("quarantine", "ada"), ExitCode.USAGE),
        (("quarantine", "--approve"), ExitCode.USAGE),
        (("quarantine", "ada", "--approve", "--version", 1), ExitCode.STATE),
        (("versions", " "), ExitCode.INPUT),
        (("versions", "ada", "--address", "127.0.0.1:1"), ExitCode.SERVICE),
    ],
)
def test_what_is_wrong_ends_with_its_code(run: Run, words: tuple[object, ...], code: ExitCode) -> None:
    run(*words, code=code)
