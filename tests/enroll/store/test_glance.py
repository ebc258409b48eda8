"""What is kept of a person is served again only as long as exactly that is stored, and by rights."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from encode.errors import StoreCorrupt
from enroll.stores.glance import Stored
from enroll.stores.opening import StorePlace
from enroll.stores.schema import people, templates
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore
from enroll.template import Template

MakeTemplate = Callable[..., Template]
OpenStore = Callable[..., SqlStore]
Rows = dict[Any, list[dict[str, Any]]]


def save(store: TemplateStore, *listed: Template) -> None:
    store.save(listed, answer=b"", request=None)


def erase(store: TemplateStore, person: str = "ada") -> None:
    store.erase(store.get("staff", person), answer=b"", request=None)


def rows_of(store: SqlStore) -> Rows:
    with store.database.reading() as connection:
        return {
            table: [row._asdict() for row in connection.execute(select(table).where(table.c.person == "ada"))]
            for table in (people, templates)
        }


def put_back(store: SqlStore, rows: Rows) -> None:
    with store.database.writing() as connection:
        for table, kept in rows.items():
            connection.execute(delete(table).where(table.c.person == "ada"))
            connection.execute(insert(table), kept)


def test_what_has_not_changed_is_the_very_object(store: TemplateStore, make_template: MakeTemplate) -> None:
    save(store, make_template("ada"))
    known = store.read("staff", "ada")
    assert store.read("staff", "ada", known) is known
    save(store, make_template("bob"))
    assert store.read("staff", "ada", known) is known


def test_a_change_an_erasure_and_another_enrolment_are_seen(store: TemplateStore, make_template: MakeTemplate) -> None:
    first = make_template("ada")
    save(store, first)
    known = store.read("staff", "ada")
    save(store, make_template("ada", before=first))
    second = store.read("staff", "ada", known)
    assert [one.version for one in second.templates] == [2]
    erase(store)
    gone = store.read("staff", "ada", second)
    assert (gone.stamp, gone.templates) == (None, ())
    save(store, make_template("ada", seed=8))
    third = store.read("staff", "ada", second)
    assert [one.version for one in third.templates] == [1]
    assert third.stamp != known.stamp


def test_nobody_is_kept_as_nobody_until_enrolled(store: TemplateStore, make_template: MakeTemplate) -> None:
    nobody = store.read("staff", "ada")
    assert store.read("staff", "ada", nobody).templates == ()
    save(store, make_template("ada"))
    assert len(store.read("staff", "ada", nobody).templates) == 1


def test_what_is_kept_of_one_person_is_not_served_for_another(
    store: TemplateStore, make_template: MakeTemplate
) -> None:
    save(store, make_template("ada"))
    save(store, make_template("bob"))
    of_bob = store.read("staff", "ada", store.read("staff", "bob"))
    assert [one.person for one in of_bob.templates] == ["ada"]


def test_another_services_changes_are_seen_at_the_next_read(
    place: StorePlace, open_store: OpenStore, make_template: MakeTemplate
) -> None:
    mine, theirs = open_store(place), open_store(place)
    first = make_template("ada")
    save(mine, first)
    known = mine.read("staff", "ada")
    save(theirs, make_template("ada", before=first))
    changed = mine.read("staff", "ada", known)
    assert changed.templates[0].version == 2
    erase(theirs)
    assert mine.read("staff", "ada", changed).templates == ()


@pytest.mark.parametrize("kept", ["the rows that were put back", "those before"])
@pytest.mark.parametrize("reopened", [False, True])
def test_rows_put_back_are_refused_though_they_are_what_is_kept(
    sqlite_place: StorePlace, open_store: OpenStore, make_template: MakeTemplate, kept: str, reopened: bool
) -> None:
    store = open_store(sqlite_place)
    first = make_template("ada")
    save(store, first)
    earlier, rows = store.read("staff", "ada"), rows_of(store)
    save(store, make_template("ada", before=first))
    later = store.read("staff", "ada", earlier)
    put_back(store, rows)
    reader = open_store(sqlite_place) if reopened else store
    known: Stored = earlier if kept == "the rows that were put back" else later
    with pytest.raises(StoreCorrupt, match="earlier revision"):
        reader.read("staff", "ada", known)


def test_rows_of_an_erased_person_put_back_are_refused(
    sqlite_place: StorePlace, open_store: OpenStore, make_template: MakeTemplate
) -> None:
    store = open_store(sqlite_place)
    save(store, make_template("ada"))
    known, rows = store.read("staff", "ada"), rows_of(store)
    erase(store)
    put_back(store, rows)
    with pytest.raises(StoreCorrupt, match="erasure"):
        store.read("staff", "ada", known)


@pytest.mark.parametrize("column", [people.c.state, people.c.revision, people.c.key_ref], ids=str)
def test_a_changed_row_is_opened_and_found(
    sqlite_place: StorePlace, open_store: OpenStore, make_template: MakeTemplate, column: Any
) -> None:
    store = open_store(sqlite_place)
    save(store, make_template("ada"))
    known = store.read("staff", "ada")
    [row] = rows_of(store)[people]
    other = {"state": row["state"][:-1] + bytes([row["state"][-1] ^ 1]), "revision": 2, "key_ref": "0" * 32}
    with store.database.writing() as connection:
        connection.execute(update(people).values({column.name: other[column.name]}))
    with pytest.raises(StoreCorrupt):
        store.read("staff", "ada", known)


def test_what_lies_beside_the_persons_row_does_not_change_what_was_read(
    sqlite_place: StorePlace, open_store: OpenStore, make_template: MakeTemplate
) -> None:
    store = open_store(sqlite_place)
    save(store, make_template("ada"))
    known = store.read("staff", "ada")
    with store.database.writing() as connection:
        connection.execute(delete(templates))
    assert store.read("staff", "ada", known) is known
    with pytest.raises(StoreCorrupt):
        store.read("staff", "ada")
