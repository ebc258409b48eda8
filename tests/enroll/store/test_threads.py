"""Many threads of one process on one SQLite file: each has its turn, and none is told that the database is locked."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from encode.errors import VersionConflict
from enroll.stores import sqlite
from enroll.stores.export_rows import everybody
from enroll.stores.opening import StorePlace
from enroll.stores.schema import shredding
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]


def at_once(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """What `work` raised in that many threads that begin together."""
    barrier, raised = threading.Barrier(count), list[BaseException]()

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except Exception as error:  # noqa: BLE001 - told to the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself waits for nobody."""
    monkeypatch.setattr(sqlite, "_BUSY_MILLISECONDS", 0)


@pytest.mark.usefixtures("impatient")
def test_transactions_wait_for_each_other_however_long_it_takes(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "d.sqlite")
    shredding.create(database.engine)

    def write(number: int) -> None:
        for step in range(5):
            with database.writing() as connection:
                connection.execute(insert(shredding).values(key_ref=f"{number}-{step}"))

    assert at_once(24, write) == []
    with database.reading() as connection:
        assert len(connection.execute(select(shredding)).all()) == 24 * 5
    database.close()


@pytest.mark.usefixtures("impatient")
def test_people_enrolled_and_erased_by_many_threads_are_all_served(
    sqlite_place: StorePlace, open_store: Open, make_template: Make
) -> None:
    store = open_store(sqlite_place)
    templates = [make_template(f"person {number}", seed=number) for number in range(20)]

    def work(number: int) -> None:
        store.save([templates[number]], answer=b"", request=None)
        assert len(store.get("staff", f"person {number}")) == 1
        if number % 4 == 0:
            store.erase([templates[number]], answer=b"", request=None)

    assert at_once(20, work) == []
    left = {one.person for one in store.list_people("staff", limit=99)}
    assert left == {f"person {number}" for number in range(20) if number % 4}


def test_one_of_several_changes_of_a_person_wins_and_its_history_is_whole(
    place: StorePlace, open_store: Open, make_template: Make
) -> None:
    from encode.sample import Modality

    store = open_store(place)
    first = make_template()
    store.save([first], answer=b"", request=None)
    raised = at_once(6, lambda seed: store.save([make_template(before=first, seed=seed)], answer=b"", request=None))
    assert [type(error) for error in raised] == [VersionConflict] * 5
    assert [one.version for one in store.versions_of("staff", "ada", Modality.FACE)] == [1, 2]
    assert store.version("staff", "ada", Modality.FACE, 1).to_bytes() == first.to_bytes()


def test_an_export_is_of_one_moment(place: StorePlace, open_store: Open, make_template: Make) -> None:
    store = open_store(place)
    first, bob = make_template("ada"), make_template("bob")
    second = make_template("ada", before=first)
    store.save([first], answer=b"", request=None)
    store.save([second], answer=b"", request=None)
    store.save([bob], answer=b"", request=None)
    reading = everybody(store.database)
    ada, extras = next(reading)
    third = make_template("ada", before=second)
    store.save([third], answer=b"", request=None)
    store.save([make_template("bob", before=bob)], answer=b"", request=None)
    assert (ada.person, ada.templates[0].version, [line.payload != b"" for line in extras]) == ("ada", 2, [True])
    [(also, none)] = [(person, list(lines)) for person, lines in reading]
    assert (also.person, also.templates[0].version, none) == ("bob", 1, [])
    assert store.get("staff", "ada")[0].version == 3
