"""Everybody by reference, and who was changed since: in every kind of store."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import delete, insert, select, update

from encode.errors import StoreCorrupt
from enroll.stores import changes
from enroll.stores.changes import Position, changed
from enroll.stores.opening import StorePlace
from enroll.stores.reconcile import reconcile
from enroll.stores.schema import changes as table
from enroll.stores.schema import people, templates
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore
from enroll.template import Template

MakeTemplate = Callable[..., Template]


def put(store: TemplateStore, template: Template) -> None:
    store.save([template], answer=b"", request=None)


def everybody(store: TemplateStore, limit: int = 2) -> Iterator[tuple[str, tuple[Template, ...]]]:
    after = ""
    while True:
        page = store.roll().page(after=after, limit=limit)
        yield from page.templates.items()
        if not page.after:
            return
        after = page.after


def test_everybody_is_on_the_roll_once(store: TemplateStore, make_template: MakeTemplate) -> None:
    for person in "abcde":
        put(store, make_template(person))
        put(store, make_template(person, collection="visitors"))
    found = list(everybody(store))
    assert len({ref for ref, _ in found}) == 10
    assert [ref for ref, _ in found] == sorted(ref for ref, _ in found)
    assert {(one[0].collection, one[0].person) for _, one in found} == {
        (collection, person) for collection in ("staff", "visitors") for person in "abcde"
    }
    asked = [ref for ref, _ in found[3:6]]
    assert {ref: one[0].to_bytes() for ref, one in store.roll().of(asked).items()} == {
        ref: one[0].to_bytes() for ref, one in found[3:6]
    }
    assert store.roll().of([]) == {}


def test_changes_are_told_once_each_and_of_whom(store: TemplateStore, make_template: MakeTemplate) -> None:
    roll = store.roll()
    start = roll.position()
    ada = make_template("ada")
    put(store, ada)
    put(store, make_template("ada", before=ada))
    put(store, make_template("bob"))
    told = roll.since(start)
    assert told is not None
    assert len(told.refs) == 2
    assert {one[0].person for one in roll.of(told.refs).values()} == {"ada", "bob"}
    again = roll.since(told.position)
    assert again is not None
    assert (again.refs, again.position) == ((), told.position)
    erased = store.get("staff", "bob")
    store.erase(erased, answer=b"", request=None)
    last = roll.since(told.position)
    assert last is not None
    assert len(last.refs) == 1
    assert roll.of(last.refs) == {}
    put(store, make_template("bob"))
    anew = roll.since(last.position)
    assert anew is not None
    assert anew.refs != last.refs  # enrolled again, somebody else to whoever follows


def test_many_changes_are_told_in_parts(
    store: TemplateStore, make_template: MakeTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    roll, position = store.roll(), Position()
    for person in "abcdefg":
        put(store, make_template(person))
    seen: list[str] = []
    more = True
    while more:
        told = roll.since(position)
        assert told is not None
        seen, position, more = [*seen, *told.refs], told.position, told.more
    assert len(seen) == len(set(seen)) == 7


def test_a_number_that_appears_late_is_found() -> None:
    """As on PostgreSQL, where a transaction that took its number first may commit last."""
    first = changed(Position(10, "ten"), [(11, "eleven"), (14, "fourteen")])
    assert first.position == Position(14, "fourteen", (12, 13))
    second = changed(first.position, [(12, "twelve")])
    assert second.refs == ("twelve",)
    assert second.position == Position(14, "fourteen", (13,))
    third = changed(second.position, [(14 + changes.PATIENCE, "far")])
    assert 13 not in third.position.missing
    assert len(third.position.missing) == changes.PATIENCE - 1


def test_transactions_that_overlap_are_both_told(
    postgres_place: StorePlace, open_store: Callable[..., SqlStore], make_template: MakeTemplate
) -> None:
    store = open_store(postgres_place)
    put(store, make_template("before"))
    roll = store.roll()
    start = roll.position()
    with store.database.writing() as slow:
        changes.note_change(slow, "f" * 32)
        put(store, make_template("fast"))
        told = roll.since(start)
        assert told is not None
        assert len(told.refs) == 1
    late = roll.since(told.position)
    assert late is not None
    assert late.refs == ("f" * 32,)


def test_whoever_starts_amid_a_transaction_learns_of_it(
    postgres_place: StorePlace, open_store: Callable[..., SqlStore], make_template: MakeTemplate
) -> None:
    store = open_store(postgres_place)
    put(store, make_template("before"))
    with store.database.writing() as slow:
        changes.note_change(slow, "f" * 32)
        put(store, make_template("fast"))
        start = store.roll().position()
    told = store.roll().since(start)
    assert told is not None
    assert told.refs == ("f" * 32,)


def test_another_history_and_one_long_gone_are_noticed(
    place: StorePlace, open_store: Callable[..., SqlStore], make_template: MakeTemplate
) -> None:
    store = open_store(place)
    for person in "abc":
        put(store, make_template(person))
    position = store.roll().position()
    assert store.roll().since(position) is not None
    with store.database.writing() as connection:
        connection.execute(update(table).where(table.c.seq == position.last).values(key_ref="e" * 32))
    assert store.roll().since(position) is None
    with store.database.writing() as connection:
        connection.execute(delete(table))
    assert store.roll().since(position) is None
    put(store, make_template("d"))
    assert store.roll().since(position) is None  # numbers are not given twice


def test_old_changes_are_forgotten(
    place: StorePlace,
    open_store: Callable[..., SqlStore],
    make_template: MakeTemplate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(changes, "KEPT", 5)
    monkeypatch.setattr(changes, "_PRUNE_EVERY", 10)
    store = open_store(place)
    with store.database.writing() as connection:
        for number in range(20):
            changes.note_change(connection, f"{number:032x}")
        kept = connection.execute(select(table.c.seq).order_by(table.c.seq)).scalars().all()
    assert kept == [16, 17, 18, 19, 20]


def test_rows_that_do_not_open_are_counted_by_a_page_and_refused_to_a_reader(
    place: StorePlace, open_store: Callable[..., SqlStore], make_template: MakeTemplate
) -> None:
    store = open_store(place)
    for person in "abc":
        put(store, make_template(person))
    refs = [ref for ref, _ in everybody(store)]
    with store.database.writing() as connection:
        ref = connection.execute(select(people.c.key_ref).where(people.c.person == "b")).scalar_one()
        payload = connection.execute(select(templates.c.payload).where(templates.c.person == "b")).scalar_one()
        changed_payload = payload[:-1] + bytes([payload[-1] ^ 1])
        connection.execute(update(templates).where(templates.c.person == "b").values(payload=changed_payload))
    page = store.roll().page(limit=10)
    assert (len(page.templates), page.unreadable) == (2, 1)
    assert set(store.roll().of([one for one in refs if one != ref])) == set(refs) - {ref}
    with pytest.raises(StoreCorrupt):
        store.roll().of(refs)


def test_rows_put_back_to_an_earlier_revision_are_refused(
    place: StorePlace, open_store: Callable[..., SqlStore], make_template: MakeTemplate
) -> None:
    store = open_store(place)
    ada = make_template("ada")
    put(store, ada)
    with store.database.reading() as connection:
        person = connection.execute(select(people)).one()._asdict()
        held = connection.execute(select(templates)).one()._asdict()
    put(store, make_template("ada", before=ada))
    with store.database.writing() as connection:
        for name, before in ((people, person), (templates, held)):
            connection.execute(delete(name))
            connection.execute(insert(name).values(before))
    with pytest.raises(StoreCorrupt):
        store.roll().of([person["key_ref"]])
    assert store.roll().page(limit=10).unreadable == 1


def test_whoever_is_removed_after_a_restore_is_told(
    place: StorePlace, open_store: Callable[..., SqlStore], make_template: MakeTemplate
) -> None:
    store = open_store(place)
    put(store, make_template("ada"))
    [(ref, _)] = everybody(store)
    start = store.roll().position()
    store.keys.destroy([ref])
    assert reconcile(store.database, store.keys).erased == 1
    told = store.roll().since(start)
    assert told is not None
    assert told.refs == (ref,)
