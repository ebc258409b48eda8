"""Rotation: every data key under another key, while stores go on reading and writing, and carried on after a stop."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from encode.errors import ConfigError, StoreKeyMissing
from enroll.keys import rotation
from enroll.keys.file import add_key, create_key_file, new_key, read_key_file
from enroll.keys.providers import KeySource
from enroll.keys.schema import data_keys
from enroll.stores.opening import StorePlace
from enroll.stores.sql import SqlStore
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]


@pytest.fixture
def source(tmp_path: Path) -> KeySource:
    create_key_file(tmp_path / "keys")
    return KeySource(file=tmp_path / "keys")


@pytest.fixture
def filed_place(request: pytest.FixtureRequest, sqlite_place: StorePlace, source: KeySource) -> StorePlace:
    return StorePlace(sqlite_place.database, None, source)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)


def populated(store: SqlStore, make_template: Make, people: int = 5) -> list[str]:
    names = [f"person {number}" for number in range(people)]
    for name in names:
        store.save([make_template(name)], answer=b"", request=None)
    return names


@pytest.mark.usefixtures("small_batches")
def test_every_data_key_is_wrapped_anew_and_running_stores_follow(
    filed_place: StorePlace, source: KeySource, open_store: Open, make_template: Make
) -> None:
    store = open_store(filed_place)
    names = populated(store, make_template)
    [before] = store.keys.in_use()
    assert source.file is not None
    old_file = source.file.read_bytes()

    other = open_store(filed_place)
    told: list[tuple[int, int]] = []
    key_id = rotation.begin(other.keys, source)
    count = rotation.rewrap(other.keys, key_id, told=lambda done, total: told.append((done, total)))
    assert (count, told[-1]) == (len(names) + 1, (len(names) + 1, len(names) + 1))
    assert rotation.retire(other.keys, source) == (before,)

    assert store.keys.in_use() == {key_id: len(names) + 1}
    assert [key.key_id for key in read_key_file(source.file)] == [key_id]
    # The store that ran all the while reads, enrolls with the new key, and so does one started now.
    for name in names:
        assert store.get("staff", name)
    store.save([make_template("late")], answer=b"", request=None)
    assert list(store.keys.in_use()) == [key_id]
    assert open_store(filed_place).get("staff", "late")
    # A copy of the key store from before is worth nothing any more to whoever has the file as it is.
    assert old_file.splitlines()[1] not in source.file.read_bytes()
    with pytest.raises(StoreKeyMissing, match=before):
        KeySource(file=source.file).ring().get(before)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_rotation_that_was_stopped_is_carried_on(
    filed_place: StorePlace, source: KeySource, open_store: Open, make_template: Make, batches: int
) -> None:
    store = open_store(filed_place)
    names = populated(store, make_template, 6)
    key_id = rotation.begin(store.keys, source)
    calls = 0

    def stop(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls > batches:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotation.rewrap(store.keys, key_id, told=stop)
    assert len(store.keys.in_use()) == 2
    again = open_store(filed_place)
    for name in names:
        assert again.get("staff", name)
    assert rotation.begin(again.keys, source) == key_id
    rotation.rewrap(again.keys, key_id)
    assert list(again.keys.in_use()) == [key_id]


def test_a_rotation_stopped_before_its_first_step_takes_the_key_that_was_made(
    filed_place: StorePlace, source: KeySource, open_store: Open
) -> None:
    store = open_store(filed_place)
    first = rotation.begin(store.keys, source)
    assert rotation.begin(store.keys, source) == first
    assert source.file is not None
    assert len(read_key_file(source.file)) == 2


def test_keys_in_the_environment_are_rotated_to_the_first(
    place: StorePlace, open_store: Open, make_template: Make
) -> None:
    old, new = new_key(), new_key()
    if place.embedded:
        first, source = KeySource(secret=old), KeySource(secret=f"{new},{old}")
    else:
        first, source = place.keys, KeySource(secret=f"{new},{place.keys.secret}")
    store = open_store(place, keys=first)
    populated(store, make_template, 3)
    with pytest.raises(ConfigError, match="no new key"):
        rotation.begin(store.keys, first)
    rotating = open_store(place, keys=source)
    rotation.rewrap(rotating.keys, rotation.begin(rotating.keys, source))
    assert len(rotation.retire(rotating.keys, source)) == 1
    assert open_store(place, keys=KeySource(secret=new)).get("staff", "person 0")
    with pytest.raises(StoreKeyMissing):
        open_store(place, keys=first)


@pytest.mark.usefixtures("small_batches")
def test_people_enrolled_and_erased_during_a_rotation_are_neither_lost_nor_back(
    filed_place: StorePlace, source: KeySource, open_store: Open, make_template: Make
) -> None:
    store, rotating = open_store(filed_place), open_store(filed_place)
    populated(store, make_template, 12)
    erased, added = [f"person {number}" for number in range(0, 12, 3)], [f"late {number}" for number in range(6)]

    def work() -> None:
        for gone, late in zip([*erased, None, None], added, strict=True):
            if gone is not None:
                store.erase(store.get("staff", gone), answer=b"", request=None)
            store.save([make_template(late)], answer=b"", request=None)

    thread = threading.Thread(target=work)
    key_id = rotation.begin(rotating.keys, source)
    thread.start()
    rotation.rewrap(rotating.keys, key_id)
    thread.join()
    # What was enrolled before the new key was in force was still to be wrapped anew; nothing after it.
    assert list(rotating.keys.in_use()) == [key_id]
    rotation.retire(rotating.keys, source)
    again = open_store(filed_place)
    listed = {one.person for one in again.list_people("staff", limit=100)}
    assert listed == {f"person {number}" for number in range(12)} - set(erased) | set(added)
    for person in listed:
        assert again.get("staff", person)
    with again.keys.database.reading() as connection:
        assert len(connection.execute(select(data_keys.c.key_ref)).all()) == len(listed) + 1


def test_a_key_made_by_hand_comes_into_force_with_a_rotation(
    filed_place: StorePlace, source: KeySource, open_store: Open
) -> None:
    store = open_store(filed_place)
    in_force = store.keys.current_key_id()
    assert source.file is not None
    add_key(source.file)
    first = read_key_file(source.file)[0].key_id
    store.keys.create()
    assert list(store.keys.in_use()) == [in_force]
    assert rotation.begin(store.keys, source) == first
