"""Files that hold people: an export, as it is and with a digest made to fit the damage, and the database itself.

Whatever is read of them must be somebody's own template as it was stored; less of it is a loss, never a falsification.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from encode.errors import CountersignError
from encode.sample import Modality
from enroll.stores.export_file import check_export
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.stores.transfer import export_people, import_people
from enroll.template import Template
from fuzzing.file_kind import Kind

PEOPLE = ("ada", "bob", "eve")
_NOW = datetime(2025, 3, 1, tzinfo=UTC)
Held = frozenset[tuple[str, bytes]]


def people_files(folder: Path) -> list[Kind]:
    """The kinds; `folder` is theirs to write into."""
    full, empty = folder / "full", folder / "empty"
    for place in (full, empty):
        place.mkdir(parents=True)
    with closing(open_sql_store(_place(full))) as store:
        for number, person in enumerate(PEOPLE):
            for modality in Modality:
                store.save([_template(person, modality, number)], answer=b"told", request=None)
        export_people(store.database, store.keys, folder / "export", with_keys=True)
        if not isinstance(store.database, SqliteDatabase):
            raise TypeError("the store is in SQLite files")
        store.database.copy_to(folder / "database")
    # The same key, so that what the export carries opens there.
    shutil.copy(full / "people.sqlite.key", empty / "people.sqlite.key")
    open_sql_store(_place(empty)).close()
    export, database = (folder / "export").read_bytes(), (folder / "database").read_bytes()
    work = folder / "work"

    def read_export(data: bytes) -> Any:
        (folder / "damaged").write_bytes(data)
        return check_export(folder / "damaged")

    def read_into_a_store(data: bytes) -> Held:
        (folder / "damaged").write_bytes(_with_right_digest(data))
        with _copy(empty, work) as store:
            import_people(store.database, store.keys, folder / "damaged")
            return _held(store)

    def read_database(data: bytes) -> Held:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(full, work)
        (work / "people.sqlite").write_bytes(data)
        with closing(open_sql_store(_place(work))) as store:
            return _held(store)

    def within(read: Held, whole: Held) -> bool:
        return read <= whole

    return [
        Kind("export", (export,), read_export, sealed=True),
        Kind("export, digest made to fit", (export,), read_into_a_store, sealed=True, same=within),
        Kind("database", (database,), read_database, sealed=True, same=within),
    ]


def _place(folder: Path) -> StorePlace:
    return StorePlace(str(folder / "people.sqlite"))


@contextmanager
def _copy(folder: Path, work: Path) -> Iterator[SqlStore]:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(folder, work)
    with closing(open_sql_store(_place(work))) as store:
        yield store


def _held(store: SqlStore) -> Held:
    """Whose templates a store gives away; whoever's do not open have none."""
    found: set[tuple[str, bytes]] = set()
    refused: CountersignError | None = None
    for person in store.list_people("staff", limit=100):
        try:
            found |= {(person.person, one.to_bytes()) for one in store.get("staff", person.person)}
        except CountersignError as error:
            refused = error
    if refused is not None and not found:
        raise refused
    return frozenset(found)


def _template(person: str, modality: Modality, number: int) -> Template:
    empty = Template.empty("staff", person, modality, "a" * 64, size=32, now=_NOW)
    rows = np.random.default_rng(number).normal(size=(4, 32)).astype(np.float32)
    return empty.with_references(rows, anchors_capacity=2, recent_capacity=2, now=_NOW)


def _with_right_digest(data: bytes) -> bytes:
    """An export whose manifest agrees with its lines, so that damage reaches the seals behind it."""
    body, end, last = data.rstrip(b"\n").rpartition(b"\n")
    try:
        manifest = json.loads(last)
        manifest["sha256"] = hashlib.sha256(body + end).hexdigest()
    except (ValueError, TypeError):
        return data
    return body + end + json.dumps(manifest, separators=(",", ":")).encode() + b"\n"
