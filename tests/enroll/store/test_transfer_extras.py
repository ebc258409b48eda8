"""What goes with people from one store to another: earlier versions, kept samples, the settings of collections."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Table, delete, update

from encode.errors import StoreCorrupt
from encode.sample import Modality
from enroll.keys import rotation
from enroll.keys.file import new_key
from enroll.keys.providers import KeySource
from enroll.stores.collection import CollectionSettings
from enroll.stores.kept_samples import KeptSample
from enroll.stores.opening import StorePlace
from enroll.stores.reconcile import Reconciled, reconcile
from enroll.stores.restore import restore_file
from enroll.stores.schema import collections, people, samples, template_versions, templates
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.stores.transfer import Imported, export_people, import_people
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]
FACE, SIGNATURE = Modality.FACE, Modality.SIGNATURE
SETTINGS = CollectionSettings(keep_samples=True, versions_kept=7)


def sample(number: int, modality: Modality = FACE) -> KeptSample:
    return KeptSample(modality, bytes([number]) * 50, datetime(2025, 3, 1, 9, number, tzinfo=UTC))


@pytest.fixture
def store(place: StorePlace, open_store: Open, make_template: Make) -> SqlStore:
    """Ada with three versions of a face, a signature and samples of both; Bob and Carl with less."""
    opened = open_store(place)
    opened.configure("staff", SETTINGS)
    opened.configure("visitors", CollectionSettings(adapt=True))
    face = make_template("ada")
    pen = make_template("ada", SIGNATURE)
    opened.save([face, pen], answer=b"", request=None, samples=[sample(1), sample(2), sample(3, SIGNATURE)])
    for number in (4, 5):
        face = make_template("ada", before=face, seed=number)
        opened.save([face], answer=b"", request=None, samples=[sample(number)])
    bob = make_template("bob")
    opened.save([bob], answer=b"", request=None)
    opened.save([make_template("bob", before=bob)], answer=b"", request=None)
    opened.save([make_template("carl")], answer=b"", request=None, samples=[sample(9)])
    return opened


def told(store: SqlStore) -> list[object]:
    """All that can be read of everybody."""
    found: list[object] = [store.configured()]
    for person in ("ada", "bob", "carl"):
        found += [one.to_bytes() for one in store.get("staff", person)]
        for modality in Modality:
            listed = store.versions_of("staff", person, modality)
            found += [listed, store.samples_of("staff", person, modality)]
            found += [store.version("staff", person, modality, one.version).to_bytes() for one in listed]
    return found


def clear(store: SqlStore, *tables: Table) -> None:
    with store.database.writing() as connection:
        for table in tables:
            connection.execute(delete(table))


def test_everything_comes_back_where_it_was_lost(store: SqlStore, tmp_path: Path) -> None:
    before, file = told(store), tmp_path / "people.export"
    manifest = export_people(store.database, store.keys, file)
    assert (manifest.people, manifest.templates, manifest.versions, manifest.samples) == (3, 4, 3, 6)
    assert bytes([4]) * 50 not in file.read_bytes()
    clear(store, people, templates, template_versions, samples, collections)
    assert import_people(store.database, store.keys, file) == Imported(added=3)
    store._settings.forget("staff")
    assert told(store) == before
    assert import_people(store.database, store.keys, file) == Imported(present=3)


def test_everything_moves_to_another_store_and_settings_there_stand(
    store: SqlStore, place: StorePlace, open_store: Open, tmp_path: Path
) -> None:
    before, file = told(store), tmp_path / "people.export"
    export_people(store.database, store.keys, file, with_keys=True)
    old = place.keys.secret if place.keys.secret else (place.default_key_file or Path()).read_text().splitlines()[-1]
    target = open_store(StorePlace(str(tmp_path / "b.sqlite"), None, KeySource(secret=f"{new_key()},{old}")))
    target.configure("visitors", CollectionSettings(versions_kept=1))
    assert import_people(target.database, target.keys, file) == Imported(added=3)
    assert told(target)[1:] == before[1:]
    assert target.configured() == {"staff": SETTINGS, "visitors": CollectionSettings(versions_kept=1)}


@pytest.mark.parametrize("table", [template_versions, samples])
def test_people_whose_rows_are_incomplete_are_left_out_as_a_whole(
    store: SqlStore, tmp_path: Path, table: Table
) -> None:
    with store.database.writing() as connection:
        connection.execute(delete(table).where(table.c.person == "ada"))
    export_people(store.database, store.keys, tmp_path / "people.export")
    clear(store, people, templates, template_versions, samples)
    assert import_people(store.database, store.keys, tmp_path / "people.export") == Imported(added=2, corrupt=1)
    assert store.get("staff", "ada") == ()
    assert len(store.get("staff", "carl")) == 1
    with store.database.reading() as connection:
        assert connection.execute(samples.select().where(samples.c.person == "ada")).all() == []


def resealed(lines: list[bytes]) -> bytes:
    """An export of these lines before its manifest, with the digest that they have."""
    manifest = json.loads(lines[-1])
    body = b"".join(line + b"\n" for line in lines[:-1])
    return body + json.dumps(manifest | {"sha256": hashlib.sha256(body).hexdigest()}).replace(" ", "").encode() + b"\n"


def test_a_row_given_to_a_person_by_hand_is_not_taken_in(store: SqlStore, tmp_path: Path) -> None:
    """Whoever can write an export can make its digest fit; what is sealed cannot be made to fit."""
    file = tmp_path / "people.export"
    export_people(store.database, store.keys, file)
    lines = file.read_bytes().splitlines()
    [at] = [number for number, line in enumerate(lines) if b'"person":"carl"' in line]
    twice = next(line for line in lines[at:] if line.startswith(b'{"sample_of"'))
    lines.insert(at + 1, twice)
    lines[-1] = lines[-1].replace(b'"samples":6', b'"samples":7')
    file.write_bytes(resealed(lines))
    clear(store, people, templates, template_versions, samples)
    assert import_people(store.database, store.keys, file) == Imported(added=2, corrupt=1)
    assert store.get("staff", "carl") == ()


def test_an_export_of_an_earlier_release_is_read(store: SqlStore, make_template: Make, tmp_path: Path) -> None:
    """Version 1 knew neither settings nor versions nor samples, nor why a version was written."""
    store.save([make_template("dora")], answer=b"", request=None)
    file = tmp_path / "people.export"
    export_people(store.database, store.keys, file)
    head, *_, dora, manifest = file.read_bytes().splitlines()
    assert b'"person":"dora"' in dora
    old = json.loads(manifest)
    old = {"people": 1, "templates": 1, "sha256": old["sha256"]}
    first = head.replace(b'"version":2', b'"version":1')
    file.write_bytes(resealed([first, dora.replace(b'"reason":"",', b""), json.dumps(old).encode()]))
    clear(store, people, templates, template_versions, samples)
    assert import_people(store.database, store.keys, file) == Imported(added=1)
    assert store.get("staff", "dora")[0].version == 1


def test_a_rotation_leaves_versions_and_samples_readable(store: SqlStore, place: StorePlace, open_store: Open) -> None:
    before = told(store)
    source = place.source
    if source.file is None:
        source = KeySource(secret=f"{new_key()},{source.secret}")
    rotating = open_store(place, keys=source)
    rotation.rewrap(rotating.keys, rotation.begin(rotating.keys, source))
    assert told(rotating) == before


def test_a_restored_backup_has_its_versions_samples_and_settings(
    sqlite_place: StorePlace, open_store: Open, make_template: Make, tmp_path: Path
) -> None:
    store = open_store(sqlite_place)
    store.configure("staff", SETTINGS)
    first = make_template("ada")
    store.save([first], answer=b"", request=None, samples=[sample(1)])
    second = make_template("ada", before=first)
    store.save([second], answer=b"", request=None)
    store.save([make_template("bob")], answer=b"", request=None, samples=[sample(2)])
    assert isinstance(store.database, SqliteDatabase)
    store.database.copy_to(tmp_path / "backup.sqlite")
    store.save([make_template("ada", before=second)], answer=b"", request=None, samples=[sample(3)])
    store.erase(store.get("staff", "bob"), answer=b"", request=None)
    store.close()
    restore_file(sqlite_place, tmp_path / "backup.sqlite")
    again = open_store(sqlite_place)
    for read in (again.versions_of, again.samples_of):
        with pytest.raises(StoreCorrupt, match="earlier revision"):
            read("staff", "ada", FACE)
        with pytest.raises(StoreCorrupt, match="before an erasure"):
            read("staff", "bob", FACE)
    assert reconcile(again.database, again.keys) == Reconciled(put_back=1, erased=1)
    assert [one.version for one in again.versions_of("staff", "ada", FACE)] == [1, 2]
    assert again.samples_of("staff", "ada", FACE) == [sample(1)]
    assert again.settings_of("staff") == SETTINGS
    with again.database.reading() as connection:
        for table in (templates, template_versions, samples):
            assert connection.execute(table.select().where(table.c.person == "bob")).all() == []


def test_settings_changed_by_hand_are_not_exported(store: SqlStore, tmp_path: Path) -> None:
    with store.database.writing() as connection:
        connection.execute(update(collections).values(settings=b"\x01" * 60))
    with pytest.raises(StoreCorrupt, match="settings"):
        export_people(store.database, store.keys, tmp_path / "people.export")
    assert not (tmp_path / "people.export").exists()
