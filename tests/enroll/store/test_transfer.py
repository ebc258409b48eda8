"""Backups, exports and what becomes of people when they are put back."""

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from encode.errors import CountersignError, FieldInvalid, StoreCorrupt, StoreKeyMissing, StoreUnavailable
from encode.sample import Modality
from enroll.keys.file import new_key
from enroll.keys.providers import KeySource
from enroll.stores.opening import StorePlace
from enroll.stores.reconcile import Reconciled, reconcile
from enroll.stores.restore import restore_file
from enroll.stores.schema import people, templates
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.stores.transfer import Imported, export_people, import_people
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]


@pytest.fixture
def store(place: StorePlace, open_store: Open, make_template: Make) -> SqlStore:
    """Ada in two modalities, Bob, and a visitor."""
    opened = open_store(place)
    opened.save([make_template("ada"), make_template("ada", Modality.SIGNATURE)], answer=b"", request=None)
    opened.save([make_template("bob")], answer=b"", request=None)
    opened.save([make_template("eve", collection="visitors")], answer=b"", request=None)
    return opened


def told(store: SqlStore) -> list[tuple[str, bytes]]:
    owners = [(group, one.person) for group in ("staff", "visitors") for one in store.list_people(group, limit=100)]
    return [(person, t.to_bytes()) for group, person in owners for t in store.get(group, person)]


def test_an_export_is_imported_where_people_were_lost(
    store: SqlStore, place: StorePlace, open_store: Open, tmp_path: Path
) -> None:
    before, file = told(store), tmp_path / "people.export"
    manifest = export_people(store.database, store.keys, file)
    assert (manifest.people, manifest.templates) == (3, 4)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert import_people(store.database, store.keys, file) == Imported(present=3)
    with store.database.writing() as connection:
        connection.execute(people.delete())
        connection.execute(templates.delete())
    assert told(store) == []
    assert import_people(store.database, store.keys, file) == Imported(added=3)
    assert told(store) == before
    assert told(open_store(place)) == before


def test_an_export_holds_nothing_in_the_clear_and_no_key(store: SqlStore, make_template: Make, tmp_path: Path) -> None:
    export_people(store.database, store.keys, tmp_path / "people.export")
    lines = [json.loads(line) for line in (tmp_path / "people.export").read_text().splitlines()]
    assert [line for line in lines if "key" in line] == []
    assert lines[0]["with_keys"] is False
    assert len(lines) == 5
    values = make_template("ada").references.astype("<f4").tobytes()
    assert values[:16] not in (tmp_path / "people.export").read_bytes()


def test_whoever_was_erased_after_an_export_does_not_come_back(store: SqlStore, tmp_path: Path) -> None:
    file = tmp_path / "people.export"
    export_people(store.database, store.keys, file)
    store.erase(store.get("staff", "ada"), answer=b"", request=None)
    assert import_people(store.database, store.keys, file) == Imported(present=2, erased=1)
    assert store.get("staff", "ada") == ()


def test_people_move_to_another_store_with_their_keys(
    store: SqlStore, place: StorePlace, open_store: Open, tmp_path: Path
) -> None:
    before, secret = told(store), new_key()
    with_keys, without = tmp_path / "with.export", tmp_path / "without.export"
    export_people(store.database, store.keys, with_keys, with_keys=True)
    export_people(store.database, store.keys, without)
    old = place.keys.secret if place.keys.secret else (place.default_key_file or Path()).read_text().splitlines()[-1]
    target = open_store(StorePlace(str(tmp_path / "b.sqlite"), None, KeySource(secret=f"{secret},{old}")))
    with pytest.raises(FieldInvalid, match="another store's"):
        import_people(target.database, target.keys, without)
    assert import_people(target.database, target.keys, with_keys) == Imported(added=3)
    assert told(target) == before
    assert target.keys.in_use() == {target.keys.current_key_id(): 4}
    stranger = open_store(StorePlace(str(tmp_path / "c.sqlite"), None, KeySource(secret=secret)))
    with pytest.raises(StoreKeyMissing):
        import_people(stranger.database, stranger.keys, with_keys)


def cut_off(text: list[str]) -> list[str]:
    return text[:-1]


def cut_short(text: list[str]) -> list[str]:
    return [*text[:-1], text[-1][:-20]]


def lacking_a_person(text: list[str]) -> list[str]:
    return [text[0], *text[2:]]


def with_a_changed_person(text: list[str]) -> list[str]:
    return [text[0], text[1].replace("ada", "adb"), *text[2:]]


def of_another_version(text: list[str]) -> list[str]:
    return [text[0].replace('"version":2', '"version":3'), *text[1:]]


def empty(text: list[str]) -> list[str]:
    return []


def something_else(text: list[str]) -> list[str]:
    return ["a list of things"]


@pytest.mark.parametrize(
    "spoil",
    [cut_off, cut_short, lacking_a_person, with_a_changed_person, of_another_version, empty, something_else],
)
def test_a_file_that_is_not_a_whole_export_is_refused_as_a_whole(
    store: SqlStore, tmp_path: Path, spoil: Callable[[list[str]], list[str]]
) -> None:
    file = tmp_path / "people.export"
    export_people(store.database, store.keys, file)
    file.write_text("".join(line + "\n" for line in spoil(file.read_text().splitlines())))
    with store.database.writing() as connection:
        connection.execute(people.delete())
        connection.execute(templates.delete())
    with pytest.raises(FieldInvalid, match="cannot be used") as caught:
        import_people(store.database, store.keys, file)
    assert "ada" not in str(caught.value)
    assert told(store) == []


def test_damaged_people_are_counted_and_left_out(store: SqlStore, tmp_path: Path) -> None:
    with store.database.writing() as connection:
        connection.execute(update(people).where(people.c.person == "ada").values(state=b"\x01" + bytes(60)))
    export_people(store.database, store.keys, tmp_path / "people.export")
    with store.database.writing() as connection:
        connection.execute(people.delete())
        connection.execute(templates.delete())
    assert import_people(store.database, store.keys, tmp_path / "people.export") == Imported(added=2, corrupt=1)


def test_the_key_of_a_damaged_person_is_not_left_behind(
    store: SqlStore, place: StorePlace, open_store: Open, tmp_path: Path
) -> None:
    """It would open backups of somebody whom the target does not know, and so cannot erase."""
    with store.database.writing() as connection:
        connection.execute(update(people).where(people.c.person == "ada").values(state=b"\x01" + bytes(60)))
    export_people(store.database, store.keys, tmp_path / "people.export", with_keys=True)
    secret = place.keys.secret or (place.default_key_file or Path()).read_text().splitlines()[-1]
    target = open_store(StorePlace(str(tmp_path / "b.sqlite"), None, KeySource(secret=secret)))
    result = import_people(target.database, target.keys, tmp_path / "people.export")
    assert result == Imported(added=2, corrupt=1)
    assert target.keys.in_use() == {target.keys.current_key_id(): 3}  # two people's and the store's own


def test_a_file_that_is_there_is_not_written_over(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    with pytest.raises(StoreUnavailable, match="File exists"):
        export_people(store.database, store.keys, tmp_path / "there")
    if isinstance(store.database, SqliteDatabase):
        with pytest.raises(StoreUnavailable, match="File exists"):
            store.database.copy_to(tmp_path / "there")
    assert (tmp_path / "there").read_text() == "precious"


@pytest.fixture
def backup(sqlite_place: StorePlace, open_store: Open, make_template: Make, tmp_path: Path) -> Path:
    """A backup of Ada, Bob and Carl; after it Ada was erased, Bob changed, and Dora enrolled."""
    store = open_store(sqlite_place)
    for person in ("ada", "bob", "carl"):
        store.save([make_template(person)], answer=b"", request=None)
    assert isinstance(store.database, SqliteDatabase)
    store.database.copy_to(tmp_path / "backup.sqlite")
    store.erase(store.get("staff", "ada"), answer=b"", request=None)
    [bob] = store.get("staff", "bob")
    store.save([make_template("bob", before=bob)], answer=b"", request=None)
    store.save([make_template("dora")], answer=b"", request=None)
    store.close()
    return tmp_path / "backup.sqlite"


def test_a_database_that_somebody_has_open_is_not_replaced(
    sqlite_place: StorePlace, backup: Path, open_store: Open, make_template: Make
) -> None:
    store = open_store(sqlite_place)
    store.save([make_template(person="since")], answer=b"", request=None)
    with pytest.raises(StoreUnavailable, match="in use"):
        restore_file(sqlite_place, backup)
    assert store.get("staff", "since")
    store.close()
    restore_file(sqlite_place, backup)


@pytest.mark.parametrize("lost", [False, True])
def test_a_restored_backup_counts_from_now_on_without_whoever_was_erased(
    sqlite_place: StorePlace, backup: Path, open_store: Open, make_template: Make, lost: bool
) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    if lost:
        for suffix in ("", "-wal", "-shm"):
            Path(sqlite_place.database + suffix).unlink(missing_ok=True)
    kept = backup.read_bytes()
    restore_file(sqlite_place, backup)
    assert backup.read_bytes() == kept
    store = open_store(sqlite_place)
    for person, words in {"ada": "before an erasure", "bob": "earlier revision"}.items():
        with pytest.raises(StoreCorrupt, match=words):
            store.get("staff", person)
    assert reconcile(store.database, store.keys) == Reconciled(unchanged=1, put_back=1, erased=1)
    assert reconcile(store.database, store.keys) == Reconciled(unchanged=2)
    assert store.get("staff", "ada") == ()
    [bob] = store.get("staff", "bob")
    assert bob.version == 1
    store.save([make_template("bob", before=bob)], answer=b"", request=None)
    store.save([make_template("ada")], answer=b"", request=None)
    assert [one.person for one in open_store(sqlite_place).list_people("staff", limit=9)] == ["ada", "bob", "carl"]


def test_changed_rows_are_told_and_left(store: SqlStore) -> None:
    with store.database.writing() as connection:
        connection.execute(update(people).where(people.c.person == "bob").values(revision=9))
    assert reconcile(store.database, store.keys) == Reconciled(unchanged=2, corrupt=1)


def of_another_store(backup: Path, place: StorePlace, open_store: Open) -> None:
    other = open_store(replace(place, database=str(backup.with_name("other.sqlite"))))
    backup.unlink()
    other.database.copy_to(backup)  # type: ignore[attr-defined]


def damaged(backup: Path, place: StorePlace, open_store: Open) -> None:
    content = bytearray(backup.read_bytes())
    content[4096 : 4096 * 6] = bytes(4096 * 5)
    backup.write_bytes(content)


def truncated(backup: Path, place: StorePlace, open_store: Open) -> None:
    backup.write_bytes(backup.read_bytes()[:5000])


def text(backup: Path, place: StorePlace, open_store: Open) -> None:
    backup.write_text("no database\n" * 1000)


@pytest.mark.parametrize("spoil", [of_another_store, damaged, truncated, text])
def test_a_backup_that_cannot_be_used_changes_nothing(
    sqlite_place: StorePlace, backup: Path, open_store: Open, spoil: Callable[..., None]
) -> None:
    spoil(backup, sqlite_place, open_store)
    with pytest.raises(CountersignError) as caught:
        restore_file(sqlite_place, backup)
    assert isinstance(caught.value, StoreUnavailable | StoreKeyMissing)
    assert [one.person for one in open_store(sqlite_place).list_people("staff", limit=9)] == ["bob", "carl", "dora"]
