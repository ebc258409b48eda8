"""After an erasure nothing that lies in any file, or lay in a backup before it, opens with any key there is.

The scan is what somebody with all files and all keys would do: try every stretch of every file as a wrapped data key of
the person.
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from encode.errors import RequestIdReused, StoreCorrupt, StoreUnavailable, VersionConflict
from encode.sample import Modality
from enroll.keys.envelope import KEY_BYTES, OVERHEAD, Cipher, NotSealedSo
from enroll.keys.file import read_key_file
from enroll.keys.ring import LocalKey
from enroll.stores.collection import CollectionSettings
from enroll.stores.kept_samples import KeptSample
from enroll.stores.opening import StorePlace
from enroll.stores.schema import people, remembered_requests, samples, shredding, template_versions, templates
from enroll.stores.sealed import open_state
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.stores.store import REQUEST_RETENTION, Request
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]

ENROLL = Request("staff", "enroll ada", "Enroll", b"1" * 32)
ERASE = Request("staff", "erase ada", "DeletePerson", b"2" * 32)
WRAPPED = KEY_BYTES + OVERHEAD
SAMPLE = KeptSample(Modality.FACE, b"the very picture of Ada" * 9, datetime(2025, 3, 1, tzinfo=UTC))


def data_keys_in(files: Iterable[Path], refs: Iterable[str], keys: Iterable[LocalKey]) -> dict[str, set[bytes]]:
    """Reference → every data key of it that some stretch of some file gives up to one of `keys`."""
    content = [file.read_bytes() for file in files]
    found: dict[str, set[bytes]] = {ref: set() for ref in refs}
    for data in content:
        # Sealed bytes begin with their format's number.
        starts = [at for at in range(len(data) - WRAPPED + 1) if data[at] == 1]
        for at in starts:
            for ref in found:
                for key in keys:
                    try:
                        found[ref].add(key.unwrap(data[at : at + WRAPPED], ref))
                    except NotSealedSo:
                        continue
    return found


def ref_of(store: SqlStore, person: str) -> str:
    with store.database.reading() as connection:
        return str(connection.execute(select(people.c.key_ref).where(people.c.person == person)).scalar_one())


def local_keys(place: StorePlace) -> list[LocalKey]:
    assert place.default_key_file is not None
    return [key for key in read_key_file(place.default_key_file) if isinstance(key, LocalKey)]


def test_no_file_and_no_backup_holds_anything_that_opens(
    sqlite_place: StorePlace, open_store: Open, make_template: Make, tmp_path: Path
) -> None:
    store = open_store(sqlite_place)
    store.configure("staff", CollectionSettings(keep_samples=True))
    first = make_template("ada lovelace")
    store.save([first], answer=b"what the answer told", request=ENROLL, samples=[SAMPLE])
    ada = make_template("ada lovelace", before=first)
    store.save([ada], answer=b"", request=None, samples=[SAMPLE])
    store.save([make_template("bob", seed=8)], answer=b"", request=None, samples=[SAMPLE])
    with store.database.reading() as connection:
        theirs = [
            payload
            for table in (templates, template_versions, samples)
            for payload in connection.execute(select(table.c.payload).where(table.c.person == "ada lovelace")).scalars()
        ]
    assert len(theirs) == 4
    refs = [ref_of(store, "ada lovelace"), ref_of(store, "bob")]
    keys = local_keys(sqlite_place)
    live = Path(sqlite_place.database).parent
    backup = tmp_path / "backup.sqlite"
    assert isinstance(store.database, SqliteDatabase)
    store.database.copy_to(backup)

    before = data_keys_in(live.iterdir(), refs, keys)
    everything = b"".join(file.read_bytes() for file in live.iterdir())
    assert all(payload[:40] in everything for payload in theirs), "the scan does not find what is there"
    assert [len(before[ref]) for ref in refs] == [1, 1], "the scan does not find what is there"
    assert data_keys_in([backup], refs, keys) == {ref: set() for ref in refs}, "a backup holds data keys"

    store.erase([ada], answer=b"receipt", request=ERASE)
    after = data_keys_in([*live.iterdir(), backup], refs, keys)
    assert [len(after[ref]) for ref in refs] == [0, 1]
    everything = b"".join(file.read_bytes() for file in live.iterdir())
    assert b"ada lovelace" not in everything
    # Neither the template and the version before it nor the samples, sealed as they were.
    assert [payload for payload in theirs if payload[:40] in everything or payload[-40:] in everything] == []
    store.close()
    assert data_keys_in([*live.iterdir(), backup], refs, keys)[refs[0]] == set()

    # The key that was found before would have opened the backup, and nothing that is left does.
    [data_key] = before[refs[0]]
    kept = SqliteDatabase(backup, create=False)
    with kept.reading() as connection:
        row = connection.execute(select(people).where(people.c.person == "ada lovelace")).one()
    kept.close()
    [held] = open_state(Cipher(data_key), row.collection, row.person, row.revision, row.state).values()
    assert (held.oldest, held.version, len(held.samples)) == (1, 2, 2)
    for key in after[refs[1]]:
        with pytest.raises(StoreCorrupt):
            open_state(Cipher(key), row.collection, row.person, row.revision, row.state)


def test_nothing_in_the_clear_ever_reaches_a_file(
    sqlite_place: StorePlace, open_store: Open, make_template: Make
) -> None:
    store = open_store(sqlite_place)
    store.configure("staff", CollectionSettings(keep_samples=True))
    ada = make_template("ada")
    store.save([ada], answer=b"what the answer told", request=ENROLL, samples=[SAMPLE])
    store.save([make_template("ada", before=ada)], answer=b"", request=None)
    everything = b"".join(file.read_bytes() for file in Path(sqlite_place.database).parent.iterdir())
    values = ada.references.astype("<f4").tobytes()
    for secret in (
        values[:16],
        values[-16:],
        SAMPLE.payload,
        b"what the answer told",
        ENROLL.body_digest,
        b"enroll ada",
    ):
        assert secret not in everything


def test_rows_of_an_erased_person_that_come_back_do_not_open(
    sqlite_place: StorePlace, open_store: Open, make_template: Make, tmp_path: Path
) -> None:
    store = open_store(sqlite_place)
    ada = make_template("ada")
    store.save([ada], answer=b"", request=None)
    assert isinstance(store.database, SqliteDatabase)
    store.database.copy_to(tmp_path / "backup.sqlite")
    store.erase([ada], answer=b"", request=None)
    store.close()
    shutil.copy(tmp_path / "backup.sqlite", sqlite_place.database)
    with pytest.raises(StoreCorrupt, match="before an erasure"):
        open_store(sqlite_place).get("staff", "ada")


def test_what_was_asked_of_an_erased_person_cannot_be_confirmed_by_guessing(
    place: StorePlace, open_store: Open, make_template: Make
) -> None:
    """Neither ids nor plain digests of what was asked are in the table; and another store's differ."""
    store = open_store(place)
    ada = make_template("ada")
    store.save([ada], answer=b"told", request=ENROLL)
    store.erase([ada], answer=b"receipt", request=ERASE)
    with store.database.reading() as connection:
        rows = [row._asdict() for row in connection.execute(select(remembered_requests))]
    assert sorted(row["method"] for row in rows) == ["DeletePerson", "Enroll"]
    for row in rows:
        told = repr(row)
        assert "ada" not in told
        assert repr(ERASE.body_digest)[2:-1] not in told
        assert row["key_ref"] is None
    [enrolled] = [row for row in rows if row["method"] == "Enroll"]
    assert (enrolled["body_mac"], enrolled["answer"]) == (b"", b"")
    with pytest.raises(RequestIdReused, match="erased since"):
        store.recorded(ENROLL)
    assert store.recorded(ERASE) == b"receipt"


def test_samples_that_are_dropped_leave_no_bytes_behind(
    sqlite_place: StorePlace, open_store: Open, make_template: Make
) -> None:
    store = open_store(sqlite_place)
    store.configure("staff", CollectionSettings(keep_samples=True))
    first = make_template("ada")
    store.save([first], answer=b"", request=None, samples=[SAMPLE])
    second = make_template("ada", before=first)

    def sealed() -> set[bytes]:
        with store.database.reading() as connection:
            return set(connection.execute(select(samples.c.payload)).scalars())

    def in_files(payloads: set[bytes]) -> list[bytes]:
        everything = b"".join(file.read_bytes() for file in Path(sqlite_place.database).parent.iterdir())
        return [payload for payload in payloads if payload[:40] in everything or payload[-40:] in everything]

    replaced = sealed()
    assert len(in_files(replaced)) == 1
    store.save([second], answer=b"", request=None, samples=[SAMPLE], drop_samples=True)
    assert in_files(replaced) == []
    kept = sealed()
    assert len(in_files(kept)) == 1
    assert store.drop_samples("staff") == 1
    assert in_files(kept) == []


@pytest.mark.parametrize("by", ["the repeated call", "the next start"])
def test_an_erasure_that_a_crash_cut_short_is_finished(
    place: StorePlace, open_store: Open, make_template: Make, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    store = open_store(place)
    ada = make_template("ada")
    store.save([ada], answer=b"", request=None)
    ref = ref_of(store, "ada")
    with monkeypatch.context() as dying:
        dying.setattr(store.keys, "destroy", lambda refs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.erase([ada], answer=b"receipt", request=ERASE)
    assert store.keys.wrapped(ref) is not None
    if by == "the repeated call":
        assert store.recorded(ERASE) == b"receipt"
    else:
        store = open_store(place)
    assert store.keys.wrapped(ref) is None
    with store.database.reading() as connection:
        assert connection.execute(select(shredding)).all() == []


def test_an_erasure_is_not_answered_while_a_log_holds_the_key(
    sqlite_place: StorePlace, open_store: Open, make_template: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(sqlite_place)
    ada = make_template("ada")
    store.save([ada], answer=b"", request=None)
    with monkeypatch.context() as busy:
        busy.setattr(store.keys.database, "scrub", lambda: False)
        with pytest.raises(StoreUnavailable, match="log"):
            store.erase([ada], answer=b"receipt", request=ERASE)
    assert store.recorded(ERASE) == b"receipt"


def test_a_person_enrolled_again_has_another_key(place: StorePlace, open_store: Open, make_template: Make) -> None:
    store = open_store(place)
    first = make_template("ada")
    store.save([first], answer=b"", request=None)
    before = ref_of(store, "ada")
    store.erase([first], answer=b"", request=None)
    store.save([make_template("ada")], answer=b"", request=None)
    assert ref_of(store, "ada") != before
    assert len(store.get("staff", "ada")) == 1


def test_answers_of_forgotten_requests_are_gone(
    place: StorePlace, open_store: Open, make_template: Make, clock: object
) -> None:
    store = open_store(place)
    store.save([make_template("ada")], answer=b"told", request=ENROLL)
    clock.now += REQUEST_RETENTION + timedelta(seconds=1)  # type: ignore[attr-defined]
    store.save([make_template("bob")], answer=b"", request=replace(ENROLL, request_id="another"))
    with store.database.reading() as connection:
        assert len(connection.execute(select(remembered_requests.c.method)).all()) == 1


def test_a_writer_who_comes_second_leaves_no_key_behind(
    place: StorePlace, open_store: Open, make_template: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = open_store(place), open_store(place)
    create = store.keys.create

    def create_late() -> object:
        other.save([make_template("ada")], answer=b"first", request=ENROLL)
        return create()

    monkeypatch.setattr(store.keys, "create", create_late)
    before = sum(store.keys.in_use().values())
    assert store.save([make_template("ada", seed=9)], answer=b"second", request=ENROLL) == b"first"
    assert sum(store.keys.in_use().values()) == before + 1
    with pytest.raises(VersionConflict):
        other.save([make_template("ada", seed=9)], answer=b"", request=None)
