"""`countersign collection`, `countersign keys prune`, and what the audit log tells of administration."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from countersign import main
from countersign.exit_codes import ExitCode
from encode.sample import Modality
from enroll.keys import rotation
from enroll.keys.file import add_key, new_key, read_key_file
from enroll.keys.providers import KeySource
from enroll.stores.collection import CollectionSettings
from enroll.stores.kept_samples import KeptSample
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.template import Template

Call = Callable[..., Result]
NOW = datetime(2025, 3, 1, tzinfo=UTC)
FACE = Modality.FACE
KEYS = Path("countersign.sqlite.key")
SHIPPED = Path(main.__file__).parents[1] / "models" / "face"


@pytest.fixture(autouse=True)
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """``call("db", "current", code=0)``: a command in an empty folder, which must end with that code."""
    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COUNTERSIGN_MODELS", str(SHIPPED))
    monkeypatch.chdir(tmp_path)

    def run(*words: object, code: int = ExitCode.OK) -> Result:
        result = CliRunner().invoke(main.app, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def store() -> SqlStore:
    """The store of the default settings, with Ada, of whom a sample is kept."""
    opened = open_sql_store(StorePlace("countersign.sqlite"))
    opened.configure("staff", CollectionSettings(keep_samples=True, versions_kept=3))
    empty = Template.empty("staff", "ada", FACE, "a" * 64, size=2, now=NOW)
    template = empty.with_references(np.ones((2, 2), np.float32), anchors_capacity=2, recent_capacity=2, now=NOW)
    opened.save([template], answer=b"", request=None, samples=[KeptSample(FACE, b"a picture", NOW)])
    return opened


def log_of(call: Call) -> list[dict[str, str]]:
    """The entries of the audit log, without the one that begins it."""
    call("audit", "verify")
    lines = call("audit", "export").stdout.splitlines()
    return [json.loads(line) for line in lines][1:]


@pytest.mark.usefixtures("store")
def test_settings_are_shown_and_changed_one_by_one(call: Call) -> None:
    shown = json.loads(call("collection", "show", "staff", "--json").stdout)
    assert (shown["collection"], shown["keep_samples"], shown["versions_kept"], shown["samples"]) == (
        "staff",
        True,
        3,
        1,
    )
    call("collection", "set", "staff", "--no-adapt", "--update-target-far", 0.00001, "--quarantine-hours", 2)
    shown = json.loads(call("collection", "show", "staff", "--json").stdout)
    assert (shown["adapt"], shown["update_target_far"], shown["quarantine_hours"]) == (False, 0.00001, 2.0)
    assert (shown["keep_samples"], shown["versions_kept"]) == (True, 3)
    told = call("collection", "show", "staff").stdout
    assert "adapt              no\n" in told
    assert "keep_samples       yes\n" in told
    assert "samples            1\n" in told
    assert "update_target_far  the policy's\n" in call("collection", "show", "nobody's").stdout


def test_a_reset_begins_with_the_defaults(call: Call, store: SqlStore) -> None:
    call("collection", "set", "visitors", "--keep-samples", "--versions-kept", 9)
    call("collection", "set", "visitors", "--reset", "--max-drift", 0.125)
    assert store.settings_of("visitors") == CollectionSettings(max_drift=0.125)


def test_samples_are_deleted_only_when_that_was_said(call: Call, store: SqlStore) -> None:
    refused = call("collection", "set", "staff", "--no-keep-samples", code=ExitCode.USAGE)
    assert "deletes 1 kept samples" in refused.output
    assert len(store.samples_of("staff", "ada", FACE)) == 1
    assert "deleted 1" in call("collection", "set", "staff", "--no-keep-samples", "--yes").stderr
    assert store.samples_of("staff", "ada", FACE) == []
    assert len(store.get("staff", "ada")) == 1
    assert "deleted" not in call("collection", "set", "staff", "--no-keep-samples").output


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["set", "staff"], ExitCode.USAGE, "nothing is to be set"),
        (["set", "staff", "--versions-kept", "-1"], ExitCode.CONFIG, "versions_kept"),
        (["set", "staff", "--update-target-far", "1"], ExitCode.CONFIG, "update_target_far"),
        (["set", " staff", "--no-adapt"], ExitCode.INPUT, "name"),
        (["show", "a\nb"], ExitCode.INPUT, "name"),
    ],
)
def test_what_is_wrong_is_named(call: Call, words: list[str], code: ExitCode, told: str) -> None:
    assert told in call("collection", *words, code=code).output


def test_a_change_of_settings_is_recorded_with_what_they_are_now(call: Call, store: SqlStore) -> None:
    call("collection", "set", "visitors", "--keep-samples")
    [entry] = [entry for entry in log_of(call) if entry["action"] == "configure"]
    assert entry["collection"] == "visitors"
    assert entry["caller"].startswith("command line of ")
    assert json.loads(entry["subject"])["keep_samples"] is True
    call("collection", "set", "visitors", "--versions-kept", -1, code=ExitCode.CONFIG)
    assert len(log_of(call)) == 1
    assert store.settings_of("visitors").keep_samples


@pytest.mark.usefixtures("store")
def test_tokens_are_recorded_by_their_ids(call: Call) -> None:
    made = call("token", "create", "gate 7", "--scope", "verify:staff").stdout.strip()
    _, token_id, secret = made.split("_")
    call("token", "revoke", token_id)
    call("token", "revoke", token_id)
    log = log_of(call)
    assert [(entry["action"], entry["subject"]) for entry in log] == [
        ("token_create", token_id),
        ("token_revoke", token_id),
    ]
    assert secret not in json.dumps(log)


@pytest.mark.usefixtures("store")
def test_the_first_token_of_all_is_recorded_too(call: Call, tmp_path: Path) -> None:
    call("init", tmp_path / "made")
    config = ("--config", tmp_path / "made" / "countersign.toml")
    [_, entry] = [json.loads(line) for line in call("audit", "export", *config).stdout.splitlines()]
    assert entry["action"] == "token_create"


def test_backups_that_are_put_back_and_imports_are_recorded(call: Call, store: SqlStore) -> None:
    call("db", "backup", "copy.sqlite")
    call("db", "export", "people.export")
    store.close()
    call("db", "restore", "copy.sqlite")
    call("db", "reconcile")
    assert [(entry["action"], entry.get("subject")) for entry in log_of(call)] == [
        ("db_restore", sha256(Path("copy.sqlite").read_bytes()).hexdigest()),
        ("db_reconcile", None),
        ("db_reconcile", None),
    ]


def test_everybody_who_is_imported_is_recorded(call: Call, store: SqlStore) -> None:
    call("db", "export", "p.export")
    manifest = json.loads(Path("p.export").read_text().splitlines()[-1])
    store.close()
    data = SqliteDatabase("countersign.sqlite")
    with data.writing() as connection:
        for table in ("people", "templates", "samples", "collections"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
    data.close()
    assert call("db", "import", "p.export").stdout.startswith("1 added")
    configured, imported = log_of(call)
    assert (configured["action"], imported["action"]) == ("configure", "db_import")
    assert (imported["subject"], imported["versions"]) == (manifest["sha256"], {"face": 1})
    assert "ada" not in json.dumps(imported)
    [found] = call("audit", "export", "--collection", "staff", "--person", "ada").stdout.splitlines()
    assert json.loads(found)["action"] == "db_import"


@pytest.mark.usefixtures("store")
def test_rotations_and_keys_that_leave_the_file_are_recorded(call: Call) -> None:
    [before] = read_key_file(KEYS)
    call("keys", "rotate")
    [after] = read_key_file(KEYS)
    assert [(entry["action"], entry["subject"]) for entry in log_of(call)] == [
        ("keys_rotate", after.key_id),
        ("keys_prune", before.key_id),
    ]


@pytest.mark.usefixtures("store")
def test_keys_that_wrap_nothing_any_more_are_dropped_when_that_was_said(call: Call) -> None:
    [old] = read_key_file(KEYS)
    assert "no key is to be dropped" in call("keys", "prune", "--yes").stdout
    call("keys", "rotate", "--keep-old")
    first, second = read_key_file(KEYS)
    assert second.key_id == old.key_id
    assert f"would drop {old.key_id}" in call("keys", "prune").stdout
    assert len(read_key_file(KEYS)) == 2
    assert f"dropped {old.key_id}" in call("keys", "prune", "--yes").stdout
    assert [key.key_id for key in read_key_file(KEYS)] == [first.key_id]
    assert log_of(call)[-1] | {"action": "keys_prune", "subject": old.key_id} == log_of(call)[-1]
    call("db", "export", "still-readable.export")


def test_a_key_that_still_wraps_a_data_key_is_not_dropped(
    call: Call, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    [old] = read_key_file(KEYS)
    key_id = rotation.begin(store.keys, KeySource(file=KEYS))
    with monkeypatch.context() as stopping:
        # Put in force, and stopped before anything was wrapped anew.
        stopping.setattr(rotation, "_batch", _stopped)
        with pytest.raises(KeyboardInterrupt):
            rotation.rewrap(store.keys, key_id)
    refused = call("keys", "prune", "--yes", code=ExitCode.CONFIG)
    assert f"{old.key_id} still wraps 2 data keys" in refused.stderr
    assert len(read_key_file(KEYS)) == 2
    call("keys", "rotate", "--keep-old")
    call("keys", "prune", "--yes")
    assert len(read_key_file(KEYS)) == 1


def _stopped(*_: object) -> int:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("store")
def test_a_new_key_that_is_not_in_force_yet_is_not_dropped(call: Call) -> None:
    add_key(KEYS)
    assert "not in force yet" in call("keys", "prune", "--yes", code=ExitCode.CONFIG).stderr
    assert len(read_key_file(KEYS)) == 2


@pytest.mark.usefixtures("store")
def test_keys_outside_of_a_file_are_not_for_pruning(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    key = KEYS.read_text().splitlines()[-1]
    monkeypatch.setenv("COUNTERSIGN_KEY", f"{key},{new_key()}")
    assert "in no file" in call("keys", "prune", "--yes", code=ExitCode.CONFIG).stderr


@pytest.mark.usefixtures("store")
def test_a_collection_does_not_adapt_by_a_target_far_that_no_policy_has(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refused = call("collection", "set", "staff", "--adapt", "--update-target-far", 1e-6, code=ExitCode.STATE)
    assert "face: 0.1, 0.05, 0.01, 0.001, 0.0001" in refused.stderr
    assert not json.loads(call("collection", "show", "staff", "--json").stdout)["adapt"]
    call("collection", "set", "staff", "--adapt", "--update-target-far", 1e-4)
    call("collection", "set", "staff", "--update-target-far", 1e-6, code=ExitCode.STATE)
    # Without the bundles nobody can tell; whatever has no part in it can be set all the same.
    monkeypatch.setenv("COUNTERSIGN_MODELS", str(tmp_path / "gone"))
    call("collection", "set", "staff", "--adapt", code=ExitCode.BUNDLE)
    call("collection", "set", "staff", "--versions-kept", 2)
    call("collection", "set", "staff", "--no-adapt")
