"""`countersign receipt`: a running service's receipt, checked with its database and with the published key alone."""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from google.protobuf import json_format
from sqlalchemy import text
from typer.testing import CliRunner

from countersign.commands.receipt import app
from encode.sample import ImageSample, Modality
from enroll.stores.opening import StorePlace, open_sql_store
from fuzzing.pictures import face
from fuzzing.service import MODELS
from verify.client.client import Client
from verify.model import Model, load_models
from verify.server_thread import serving
from verify.settings import ServiceSettings

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def models() -> Mapping[Modality, Model]:
    return load_models([MODELS[0]], threads=1)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


@pytest.fixture
def receipt(models: Mapping[Modality, Model], database: Path, tmp_path: Path) -> Path:
    """The answer to an erasure, as JSON; the same call again gets the same receipt."""
    file = tmp_path / "receipt.json"
    with (
        closing(open_sql_store(StorePlace(str(database)))) as store,
        serving(models, store, ServiceSettings(port=0)) as address,
        Client(address, timeout=20) as client,
    ):
        for person in ("ada", "bob"):
            client.enroll("staff", person, [ImageSample(face(1, shot)) for shot in range(3)])
        first = client.delete_person("staff", "ada", request_id="erase ada")
        assert client.delete_person("staff", "ada", request_id="erase ada") == first
        client.verify("staff", "bob", [ImageSample(face(1, 5))])
    assert len(first.signature) == 64
    file.write_text(json.dumps({"receipt": json_format.MessageToDict(first)}))
    return file


@pytest.fixture
def run(database: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COUNTERSIGN_DATABASE", str(database))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def edited(file: Path, **changes: Any) -> Path:
    told = json.loads(file.read_text())["receipt"]
    other = file.with_name("edited.json")
    other.write_text(json.dumps({**told, **changes}))
    return other


def test_a_receipt_verifies_with_the_database_and_is_found_in_its_log(run: Run, receipt: Path) -> None:
    result = run("verify", receipt)
    assert (result.exit_code, "of 3 references erased" in result.stdout) == (0, True), result.output
    assert "recorded in entry 5 of the audit log, which is intact" in result.stdout
    assert "ada" not in result.output
    told = json.loads(run("verify", receipt, "--json").stdout)
    assert (told["signed"], told["audit_entry"]) == (True, 5)
    # The receipt alone, without the answer around it.
    assert run("verify", edited(receipt)).exit_code == 0


def test_a_receipt_verifies_with_the_published_key_alone(
    run: Run, receipt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = run("key")
    assert printed.stdout.startswith("-----BEGIN PUBLIC KEY-----")
    key = tmp_path / "receipts.pem"
    key.write_text(printed.stdout)
    monkeypatch.setenv("COUNTERSIGN_DATABASE", str(tmp_path / "nowhere.sqlite"))
    assert run("verify", receipt, "--public-key", key).exit_code == 0
    assert json.loads(run("verify", receipt, "--public-key", key, "--json").stdout)["audit_entry"] is None
    forged = run("verify", edited(receipt, person="bob"), "--public-key", key)
    assert (forged.exit_code, "not what was signed" in forged.stderr) == (3, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"person": "bob"}, "not what was signed"),
        ({"erasedAt": "2020-01-01T00:00:00Z"}, "not what was signed"),
        ({"signature": ""}, "not signed"),
        ({"keyId": "0" * 16}, "was signed with key"),
        ({"templates": [{"modality": "MODALITY_FACE", "modelDigest": "a" * 64}]}, "not what was signed"),
        ({"templates": [{"modality": 9}]}, "no erasure receipt"),
        ({"person": ""}, "no erasure receipt"),
        ({"erasedAt": "never"}, "no erasure receipt"),
        ({"extra": 1}, "no erasure receipt"),
    ],
    ids=str,
)
def test_a_receipt_that_was_changed_is_refused(run: Run, receipt: Path, changes: dict[str, Any], words: str) -> None:
    result = run("verify", edited(receipt, **changes))
    assert (result.exit_code, words in result.stderr) == (3, True), result.stderr


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"null", b"[" * 100_000, bytes(2 << 20)])
def test_a_file_without_a_receipt_is_refused(run: Run, receipt: Path, content: bytes) -> None:
    receipt.write_bytes(content)
    result = run("verify", receipt)
    assert (result.exit_code, "holds no erasure receipt" in result.stderr) == (3, True), result.stderr


def test_a_log_that_does_not_record_it_or_is_broken_is_told(run: Run, receipt: Path, database: Path) -> None:
    def change(statement: str) -> None:
        with (
            closing(open_sql_store(StorePlace(str(database)), audited=False)) as store,
            store.database.writing() as connection,
        ):
            connection.execute(text(statement))

    change("UPDATE audit SET link = x'00' WHERE sequence = 2")
    broken = run("verify", receipt)
    assert (broken.exit_code, "audit log is broken" in broken.stderr) == (7, True), broken.stderr
    change("DELETE FROM audit WHERE sequence = 5")
    absent = run("verify", receipt)
    assert (absent.exit_code, "no erasure with this receipt" in absent.stderr) == (3, True), absent.stderr


def test_the_receipt_of_another_service_is_refused(run: Run, receipt: Path, database: Path) -> None:
    for file in database.parent.glob("people.sqlite*"):
        file.unlink()
    open_sql_store(StorePlace(str(database))).close()
    assert "was signed with key" in run("verify", receipt).stderr
