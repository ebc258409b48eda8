"""What the PostgreSQL store promises beyond the common contract: several services on one, and plain words."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, text

from encode.errors import ConfigError, CountersignError, StoreUnavailable, VersionConflict
from enroll.keys import rotation
from enroll.keys.envelope import NotSealedSo
from enroll.keys.file import new_key, parse_keys
from enroll.keys.providers import KeySource
from enroll.stores.opening import StorePlace, database_name, open_sql_store
from enroll.stores.postgres import PostgresDatabase
from enroll.stores.schema import people
from enroll.stores.sql import SqlStore
from enroll.stores.store import Request
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]


def test_replicas_see_each_others_people_at_once(
    postgres_place: StorePlace, open_store: Open, make_template: Make
) -> None:
    one, other = open_store(postgres_place), open_store(postgres_place)
    first = make_template()
    one.save([first], answer=b"", request=None)
    assert [found.to_bytes() for found in other.get("staff", "ada")] == [first.to_bytes()]
    second = make_template(before=first)
    other.save([second], answer=b"", request=None)
    assert one.get("staff", "ada")[0].version == 2
    other.erase([second], answer=b"", request=None)
    # Its key may still be remembered here; its rows are gone.
    assert one.get("staff", "ada") == ()


def test_no_reference_is_lost_between_replicas_that_write_at_once(
    postgres_place: StorePlace, open_store: Open, make_template: Make
) -> None:
    stores = [open_store(postgres_place) for _ in range(3)]
    stores[0].save([make_template()], answer=b"", request=None)
    each, unforeseen = 5, []

    def add(store: SqlStore) -> None:
        done = 0
        while done < each:
            try:
                [before] = store.get("staff", "ada")
                store.save([make_template(before=before)], answer=b"", request=None)
                done += 1
            except VersionConflict:
                continue
            except CountersignError as error:
                unforeseen.append(error)
                return

    threads = [threading.Thread(target=add, args=(store,)) for store in stores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unforeseen == []
    assert stores[0].get("staff", "ada")[0].version == 1 + each * len(threads)


def test_one_request_sent_to_every_replica_is_done_once(
    postgres_place: StorePlace, open_store: Open, make_template: Make
) -> None:
    stores = [open_store(postgres_place) for _ in range(3)]
    request = Request("staff", "r1", "Enroll", b"1" * 32)
    barrier, answers = threading.Barrier(6), []

    def save(number: int, store: SqlStore) -> None:
        barrier.wait()
        answers.append(store.save([make_template()], answer=b"%d" % number, request=request))

    threads = [threading.Thread(target=save, args=(n, store)) for n, store in enumerate(stores * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len(set(answers)) == 1
    assert sum(stores[0].keys.in_use().values()) == 2


DIES = """
import os, sys
from datetime import UTC, datetime
import numpy as np
from encode.sample import Modality
from enroll.keys.providers import KeySource
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.template import Template
store = open_sql_store(StorePlace(sys.argv[1], sys.argv[2], KeySource(secret=sys.argv[3])))
now = datetime.now(UTC)
template = Template.empty("staff", "ada", Modality.FACE, "a" * 64, size=2, now=now)
template = template.with_references(np.ones((2, 2), np.float32), anchors_capacity=5, recent_capacity=5, now=now)
if sys.argv[4] == "before":
    store._requests.record = lambda *_: os._exit(9)
store.save([template], answer=b"answer", request=None)
os._exit(9)
"""


@pytest.mark.parametrize(("when", "enrolled"), [("before", 0), ("after", 1)])
def test_a_replica_that_dies_leaves_all_of_a_write_or_nothing_and_no_lock(
    postgres_place: StorePlace, open_store: Open, make_template: Make, when: str, enrolled: int
) -> None:
    names = [postgres_place.database, str(postgres_place.key_database), str(postgres_place.keys.secret)]
    ended = subprocess.run([sys.executable, "-c", DIES, *names, when], check=False)
    assert ended.returncode == 9
    store = open_store(postgres_place)
    assert len(store.get("staff", "ada")) == enrolled
    store.save([make_template("bob")], answer=b"", request=None)
    if not enrolled:
        store.save([make_template()], answer=b"", request=None)


def test_a_connection_that_died_is_replaced(postgres_place: StorePlace, open_store: Open, make_template: Make) -> None:
    store, other = open_store(postgres_place), open_store(postgres_place)
    store.save([make_template()], answer=b"", request=None)
    kill = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with other.database.reading() as connection:
        connection.execute(kill)
    assert len(store.get("staff", "ada")) == 1


def test_commits_wait_for_the_disk_whatever_the_server_says(postgres_place: StorePlace, open_store: Open) -> None:
    store = open_store(postgres_place)
    with store.database.writing() as connection:
        connection.execute(text("ALTER ROLE tests SET synchronous_commit = off"))
    try:
        again = open_store(postgres_place)
        with again.database.reading() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    finally:
        with store.database.writing() as connection:
            connection.execute(text("ALTER ROLE tests RESET synchronous_commit"))


def test_what_logs_and_tables_keep_of_a_destroyed_key_is_worth_nothing_after_a_rotation(
    postgres_place: StorePlace, open_store: Open, make_template: Make
) -> None:
    old, new = str(postgres_place.keys.secret), new_key()
    store = open_store(postgres_place)
    ada = make_template()
    store.save([ada], answer=b"", request=None)
    store.save([make_template("bob")], answer=b"", request=None)
    with store.database.reading() as connection:
        ref = connection.execute(select(people.c.key_ref).where(people.c.person == "ada")).scalar_one()
        folder = Path(str(connection.execute(text("SHOW data_directory")).scalar()))
    found = store.keys.wrapped(ref)
    assert found is not None
    wrapped = bytes(found[1])
    store.erase([ada], answer=b"", request=None)
    source = KeySource(secret=f"{new},{old}")
    rotating = open_store(postgres_place, keys=source)
    rotation.rewrap(rotating.keys, rotation.begin(rotating.keys, source))
    with rotating.keys.database.reading() as connection:
        connection.execute(text("CHECKPOINT"))

    if not os.access(folder, os.R_OK):
        pytest.skip("the server's files belong to another user")
    remnants = [file for file in folder.rglob("*") if file.is_file() and wrapped in file.read_bytes()]
    assert remnants, "PostgreSQL keeps old versions of rows: this is what the rotation is for"
    [kept] = parse_keys(new, "key")
    with pytest.raises(NotSealedSo):
        kept.unwrap(wrapped, ref)
    assert open_store(postgres_place, keys=KeySource(secret=new)).get("staff", "bob")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://tests@127.0.0.1:1/x", "nothing answers"),
        ("postgresql://tests:hunter2@no-such-host.invalid/x", "host is unknown"),
    ],
)
def test_a_server_that_is_not_there_is_told_in_plain_words(url: str, words: str) -> None:
    with pytest.raises(StoreUnavailable, match=words) as caught:
        open_sql_store(StorePlace(url, url, KeySource(secret=new_key())))
    assert "hunter2" not in str(caught.value)


def test_a_database_that_is_not_there_is_told_in_plain_words(postgres: Callable[[], str]) -> None:
    url = postgres().replace("/postgres?", "/missing?")
    with pytest.raises(StoreUnavailable, match="no such database"):
        open_sql_store(StorePlace(url, url, KeySource(secret=new_key())))


def test_data_in_postgres_needs_its_keys_elsewhere_by_name(postgres_place: StorePlace) -> None:
    with pytest.raises(ConfigError) as caught:
        open_sql_store(StorePlace(postgres_place.database, None, postgres_place.keys))
    assert caught.value.field == "key_database"
    with pytest.raises(ConfigError) as caught:
        open_sql_store(StorePlace(postgres_place.database, postgres_place.key_database))
    assert caught.value.field == "key_file"


@pytest.mark.parametrize("url", ["postgresql:x", "mysql://root@localhost/x"])
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="not the address"):
        PostgresDatabase(url)


def test_no_name_shows_a_password() -> None:
    url = "postgresql://clerk:hunter2@db.example:5433/people"
    assert "hunter2" not in PostgresDatabase(url).name
    assert database_name(url) == "postgresql://clerk@db.example:5433/people"
    assert database_name("postgresql://db/people?user=clerk&password=hunter2") == "postgresql://db/people"
    assert database_name("/data/people.sqlite") == "/data/people.sqlite"


def test_a_table_that_is_gone_is_a_typed_error_without_content(
    postgres_place: StorePlace, open_store: Open, make_template: Make
) -> None:
    store = open_store(postgres_place)
    with store.database.writing() as connection:
        connection.execute(text("DROP TABLE templates"))
    for call in (
        lambda: store.get("staff", "ada lovelace"),
        lambda: store.save([make_template("ada lovelace")], answer=b"", request=None),
    ):
        with pytest.raises(StoreUnavailable, match="a table is missing") as caught:
            call()
        assert caught.value.__cause__ is None
        assert "ada" not in str(caught.value)
