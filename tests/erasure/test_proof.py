"""After an erasure: nothing of the person in any file, nothing that opens, and a receipt that verifies.

The files are scanned as somebody would who has all of them, and every key that can still be had: the data with its
write-ahead log, the key store with its own, backups, exports and dumps from before, and PostgreSQL's whole cluster.
"""

import base64
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text

from enroll.audit.chain import AuditKeys
from enroll.audit.reading import stored_log
from enroll.keys import rotation
from enroll.keys.file import add_key, read_key_file
from enroll.keys.providers import KeySource
from enroll.keys.ring import LocalKey
from enroll.keys.schema import data_keys
from enroll.receipts import Statement, find_entry, key_of
from enroll.stores import schema_version
from enroll.stores.opening import AUDIT_SECRET, StorePlace, open_sql_store, upgradable
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.stores.transfer import export_people
from verify.receipt_form import statement_of
from verify.v1 import enrollment_pb2 as pb

Run = Callable[..., Any]


def files_in(*folders: Path) -> list[Path]:
    return [file for folder in folders for file in folder.rglob("*") if file.is_file()]


def keys_of(source: KeySource) -> list[LocalKey]:
    assert source.file is not None
    return [key for key in read_key_file(source.file) if isinstance(key, LocalKey)]


def obtainable(store: SqlStore) -> list[bytes]:
    """Every data key that the key store still gives away, and what derives from its secret."""
    with store.keys.database.reading() as connection:
        refs = connection.execute(select(data_keys.c.key_ref)).scalars().all()
    found = [key.key for key in map(store.keys.get, refs) if key is not None]
    return [*found, *(store.keys.secret(purpose) for purpose in (AUDIT_SECRET, "erasure receipts", "requests"))]


def check_receipts(store: SqlStore, receipts: list[pb.ErasureReceipt]) -> None:
    signer = key_of(store)
    assert signer is not None
    keys = AuditKeys.derive(store.keys.secret(AUDIT_SECRET))
    entries = set()
    for receipt in receipts:
        statement: Statement = statement_of(receipt)
        signer.public.check(statement, receipt.key_id, receipt.signature)
        with store.database.reading() as connection:
            rows = stored_log(connection)[1]
            entries.add(find_entry(rows, statement, keys.pseudonym_of(statement.collection, statement.person)))
    assert len(entries) == len(receipts)


@pytest.mark.slow
def test_sqlite(erase_under_load: Run, data_keys_in: Run, opens: Run, tmp_path: Path) -> None:
    live, old = tmp_path / "live", tmp_path / "old"
    for folder in (live, old):
        folder.mkdir()
    place = StorePlace(str(live / "people.sqlite"))
    seen: dict[str, Any] = {}

    def before(store: SqlStore) -> None:
        assert isinstance(store.database, SqliteDatabase)
        store.database.copy_to(old / "backup.sqlite")
        export_people(store.database, store.keys, old / "people.export")
        seen["files"] = [file.name for file in files_in(live)]
        seen["keys"] = {file.name: file.read_bytes() for file in live.glob("*.keystore*")}

    def after(store: SqlStore) -> None:
        seen["while it runs"] = {file.name: file.read_bytes() for file in files_in(live)}

    done = erase_under_load(place, before, after)
    assert {"people.sqlite", "people.sqlite-wal", "people.sqlite.keystore", "people.sqlite.key"} <= set(seen["files"])
    (tmp_path / "running").mkdir()
    for name, data in seen["while it runs"].items():
        (tmp_path / "running" / name).write_bytes(data)
    everything = files_in(live, old, tmp_path / "running")
    assert done.scanner().found_in(everything) == []

    refs, local = [one.key_ref for one in done.erased], keys_of(place.source)
    assert data_keys_in(everything, refs, local) == dict.fromkeys(refs, 0)
    for one in done.erased:
        assert one.person.encode() not in b"".join(file.read_bytes() for file in files_in(live))
        assert one.person.encode() in (old / "backup.sqlite").read_bytes(), "ids are in backups, as documented"

    # What the scans must find, had it been left: in the files from before, and the key that opens what is in backups.
    (tmp_path / "before").mkdir()
    for name, data in seen["keys"].items():
        (tmp_path / "before" / name).write_bytes(data)
    assert data_keys_in(files_in(tmp_path / "before"), refs, local) == dict.fromkeys(refs, 1)
    assert done.scanner().found_in(files_in(tmp_path / "before"))
    for one in done.erased:
        assert set(opens(one, one.data_key)) == {"people", "templates", "template_versions", "samples"}
    with closing(open_sql_store(place)) as store:
        for key in obtainable(store):
            assert [opens(one, key) for one in done.erased] == [[]] * len(done.erased)
        for one in done.kept:
            assert len(store.get("staff", one.person)) == 2
        check_receipts(store, done.receipts)


@pytest.mark.slow
def test_postgres(
    erase_under_load: Run, data_keys_in: Run, opens: Run, dump: Run, postgres: Callable[[], str], tmp_path: Path
) -> None:
    """Deleted rows stay in PostgreSQL's files for a while: only ciphertext, and no key of it after a rotation."""
    key_file = tmp_path / "keys"
    add_key(key_file)
    place = StorePlace(postgres(), postgres(), KeySource(file=key_file))
    with upgradable(place) as (database, keys):
        schema_version.upgrade(database, keys)
    (old := tmp_path / "old").mkdir()

    def before(store: SqlStore) -> None:
        dump(place.database, "old/people.sql")
        export_people(store.database, store.keys, old / "people.export")

    done = erase_under_load(place, before, lambda store: None)
    refs = [one.key_ref for one in done.erased]
    before_rotation = keys_of(place.source)
    with closing(open_sql_store(place)) as store:
        check_receipts(store, done.receipts)
        rotation.rewrap(store.keys, rotation.begin(store.keys, place.source))
        assert len(rotation.retire(store.keys, place.source)) == 1
        with store.database.reading() as connection:
            cluster = Path(str(connection.execute(text("SHOW data_directory")).scalar()))
            connection.execute(text("SELECT pg_switch_wal()"))
        # The server goes on writing: what is looked at stands still.
        with suppress(shutil.Error):
            shutil.copytree(cluster, tmp_path / "cluster", ignore=shutil.ignore_patterns("pgsql_tmp", "*.pid"))
        for key in obtainable(store):
            assert [opens(one, key) for one in done.erased] == [[]] * len(done.erased)
    files = [file for file in files_in(tmp_path / "cluster", old) if file.stat().st_size]
    assert any("pg_wal" in file.parts for file in files)

    # Wrapped keys stay in the log, as documented; everything else must not, nor anything that opens them.
    left = done.scanner().found_in(files)
    assert {name.rpartition(": ")[2] for _, name in left} <= {"wrapped key", "wrapped key in hex"}
    with_keys = [file for file in files if any(one.wrapped in file.read_bytes() for one in done.erased)]
    # A key that lies across two pages of the log, and nowhere else any more, is in no stretch of a file.
    assert sum(data_keys_in(with_keys, refs, before_rotation).values()) > 0, "the scan finds what there is"
    assert data_keys_in(files, refs, keys_of(place.source)) == dict.fromkeys(refs, 0)


@pytest.mark.parametrize("form", [bytes, lambda data: data.hex().encode(), base64.b64encode])
@pytest.mark.parametrize("before", [0, 3, 7])
def test_the_scanner_finds_what_is_planted(
    scanner: Run, tmp_path: Path, form: Callable[[bytes], bytes], before: int
) -> None:
    """A run out of the middle of a secret, anywhere in a large file."""
    secret = np.random.default_rng(0).normal(size=64).astype(np.float32).tobytes()
    noise = np.random.default_rng(1).bytes(1 << 20)
    file, clean = tmp_path / "planted", tmp_path / "clean"
    clean.write_bytes(noise)
    looking = scanner({"embedding": form(secret)})
    assert looking.found_in([clean]) == []
    file.write_bytes(noise[: 5_000 + before] + form(secret)[40:104] + noise)
    assert {name for _, name in looking.found_in([file])} == {"embedding"}
    assert scanner({"embedding": form(secret)}, common=[form(secret)]).found_in([file]) == []
