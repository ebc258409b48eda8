"""Earlier versions of templates, in every store: kept, bounded, found again, and gone with the person."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from encode.errors import StoreCorrupt, TemplateVersionUnknown
from encode.sample import Modality
from enroll.audit.event import Action, AuditEvent
from enroll.stores.collection import CollectionSettings
from enroll.stores.opening import StorePlace
from enroll.stores.schema import people, template_versions, templates
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore
from enroll.template import Template

Make = Callable[..., Template]
FACE = Modality.FACE


def grow(store: TemplateStore, make_template: Make, versions: int, person: str = "ada") -> list[Template]:
    """Save that many versions of a person's face template, the first one for an enrolment."""
    saved: list[Template] = []
    for number in range(versions):
        saved.append(make_template(person, before=saved[-1] if saved else None, seed=number))
        event = AuditEvent(Action.ENROLL, collection="staff", person=person) if number == 0 else None
        store.save(saved[-1:], answer=b"", request=None, event=event)
    return saved


def kept(store: TemplateStore, person: str = "ada") -> list[int]:
    return [one.version for one in store.versions_of("staff", person, FACE)]


def test_every_version_is_listed_and_comes_back_as_it_was(store: TemplateStore, make_template: Make) -> None:
    saved = grow(store, make_template, 4)
    store.save([make_template("ada", Modality.SIGNATURE)], answer=b"", request=None)
    listed = store.versions_of("staff", "ada", FACE)
    assert [(one.template_id, one.version, one.model_digest, one.saved_at) for one in listed] == [
        (one.template_id, one.version, one.model_digest, one.updated_at) for one in saved
    ]
    assert [one.reason for one in listed] == ["enroll", "", "", ""]
    for one in saved:
        assert store.version("staff", "ada", FACE, one.version).to_bytes() == one.to_bytes()
    assert [one.version for one in store.versions_of("staff", "ada", Modality.SIGNATURE)] == [1]
    assert store.get("staff", "ada")[0].version == 4


@pytest.mark.parametrize("owner", [("staff", "nobody"), ("visitors", "ada")])
def test_nobody_has_no_versions(store: TemplateStore, make_template: Make, owner: tuple[str, str]) -> None:
    grow(store, make_template, 2)
    assert store.versions_of(*owner, FACE) == []
    with pytest.raises(TemplateVersionUnknown):
        store.version(*owner, FACE, 1)


def test_versions_that_never_were_are_a_typed_error(store: TemplateStore, make_template: Make) -> None:
    grow(store, make_template, 2)
    for modality, version in ((FACE, 0), (FACE, 3), (FACE, -1), (Modality.SIGNATURE, 1)):
        with pytest.raises(TemplateVersionUnknown) as caught:
            store.version("staff", "ada", modality, version)
        assert caught.value.field == "version"


@pytest.mark.parametrize(("limit", "remaining"), [(0, [6]), (1, [5, 6]), (4, [2, 3, 4, 5, 6])])
def test_the_oldest_are_dropped(store: TemplateStore, make_template: Make, limit: int, remaining: list[int]) -> None:
    store.configure("staff", CollectionSettings(versions_kept=limit))
    grow(store, make_template, 6)
    assert kept(store) == remaining
    with pytest.raises(TemplateVersionUnknown):
        store.version("staff", "ada", FACE, remaining[0] - 1)


def test_a_limit_that_changes_counts_from_the_next_version_on(store: TemplateStore, make_template: Make) -> None:
    saved = grow(store, make_template, 5)
    store.configure("staff", CollectionSettings(versions_kept=2))
    assert kept(store) == [1, 2, 3, 4, 5]
    store.save([make_template(before=saved[-1])], answer=b"", request=None)
    assert kept(store) == [4, 5, 6]
    store.configure("staff", CollectionSettings(versions_kept=9))
    store.save([make_template(before=store.get("staff", "ada")[0])], answer=b"", request=None)
    assert kept(store) == [4, 5, 6, 7]


def test_a_person_enrolled_again_has_none_of_the_earlier_versions(store: TemplateStore, make_template: Make) -> None:
    grow(store, make_template, 3)
    store.erase(store.get("staff", "ada"), answer=b"", request=None)
    assert kept(store) == []
    [again] = grow(store, make_template, 1)
    [listed] = store.versions_of("staff", "ada", FACE)
    assert (listed.template_id, listed.version) == (again.template_id, 1)


def test_everybody_is_listed_with_the_model_of_each_template(store: TemplateStore, make_template: Make) -> None:
    for collection, person in (("b", "x"), ("a", "z"), ("a", "é"), ("a b", "a"), ("a", "a")):
        store.save([make_template(person, collection=collection)], answer=b"", request=None)
    store.save([make_template("a", Modality.SIGNATURE, collection="a")], answer=b"", request=None)
    listed: list[tuple[str, str]] = []
    while page := store.iterate_people(after=listed[-1] if listed else ("", ""), limit=2):
        assert len(page) <= 2
        listed += [(collection, person) for collection, person, _ in page]
    assert listed == [("a", "a"), ("a", "z"), ("a", "é"), ("a b", "a"), ("b", "x")]
    [(_, _, models)] = store.iterate_people(limit=1)
    assert models == {FACE: "a" * 64, Modality.SIGNATURE: "a" * 64}


@pytest.fixture
def sealed(place: StorePlace, open_store: Callable[..., SqlStore], make_template: Make) -> SqlStore:
    """Ada and Bob, each at version 4 with three before it."""
    opened = open_store(place)
    grow(opened, make_template, 4)
    grow(opened, make_template, 4, "bob")
    return opened


def version_row(person: str, version: int) -> Any:
    return (template_versions.c.person == person) & (template_versions.c.version == version)


def flip_a_bit(connection: Any) -> None:
    payload = connection.execute(select(template_versions.c.payload).where(version_row("ada", 2))).scalar_one()
    changed = payload[:40] + bytes([payload[40] ^ 1]) + payload[41:]
    connection.execute(update(template_versions).where(version_row("ada", 2)).values(payload=changed))


def lend_another_persons(connection: Any) -> None:
    payload = connection.execute(select(template_versions.c.payload).where(version_row("bob", 2))).scalar_one()
    connection.execute(update(template_versions).where(version_row("ada", 2)).values(payload=payload))


def swap_two_versions(connection: Any) -> None:
    payload = connection.execute(select(template_versions.c.payload).where(version_row("ada", 1))).scalar_one()
    connection.execute(update(template_versions).where(version_row("ada", 2)).values(payload=payload))


def remove_one(connection: Any) -> None:
    connection.execute(delete(template_versions).where(version_row("ada", 2)))


def give_another_reason(connection: Any) -> None:
    connection.execute(update(template_versions).where(version_row("ada", 2)).values(reason="rollback"))


@pytest.mark.parametrize(
    "tamper", [flip_a_bit, lend_another_persons, swap_two_versions, remove_one, give_another_reason]
)
def test_versions_that_are_not_what_was_stored_are_found(sealed: SqlStore, tamper: Callable[[Any], None]) -> None:
    with sealed.database.writing() as connection:
        tamper(connection)
    with pytest.raises(StoreCorrupt) as caught:
        sealed.version("staff", "ada", FACE, 2)
    assert "ada" not in str(caught.value)
    with pytest.raises(StoreCorrupt):
        sealed.versions_of("staff", "ada", FACE)
    assert kept(sealed, "bob") == [1, 2, 3, 4]
    assert sealed.get("staff", "ada")[0].version == 4


def test_a_version_dropped_and_put_back_is_found(sealed: SqlStore, make_template: Make) -> None:
    with sealed.database.reading() as connection:
        row = connection.execute(select(template_versions).where(version_row("ada", 1))).one()._asdict()
    sealed.configure("staff", CollectionSettings(versions_kept=2))
    sealed.save([make_template(before=sealed.get("staff", "ada")[0])], answer=b"", request=None)
    with sealed.database.writing() as connection:
        connection.execute(insert(template_versions).values(row))
    with pytest.raises(StoreCorrupt, match="earlier versions"):
        sealed.versions_of("staff", "ada", FACE)
    with pytest.raises(TemplateVersionUnknown):
        sealed.version("staff", "ada", FACE, 1)


def test_a_new_version_is_refused_where_the_one_before_is_gone(sealed: SqlStore, make_template: Make) -> None:
    [ada] = sealed.get("staff", "ada")
    with sealed.database.writing() as connection:
        connection.execute(delete(templates).where(templates.c.person == "ada"))
    with pytest.raises(StoreCorrupt):
        sealed.save([make_template(before=ada)], answer=b"", request=None)


def test_people_stored_before_there_was_a_history_grow_one(sealed: SqlStore, make_template: Make) -> None:
    """Their state names a version and nothing else, and their rows were sealed without a reason."""
    from enroll.stores.sealed import Held, seal_state, seal_template

    [ada] = sealed.get("staff", "ada")
    with sealed.database.writing() as connection:
        row = connection.execute(select(people).where(people.c.person == "ada")).one()
        key = sealed.keys.get(row.key_ref)
        assert key is not None
        state = seal_state(key.cipher, "staff", "ada", row.revision, {FACE: Held.only(ada.template_id, 4)})
        connection.execute(update(people).where(people.c.person == "ada").values(state=state))
        connection.execute(delete(template_versions).where(template_versions.c.person == "ada"))
        old = {"payload": seal_template(key.cipher, ada), "reason": ""}
        connection.execute(update(templates).where(templates.c.person == "ada").values(old))
    assert kept(sealed) == [4]
    sealed.save([make_template(before=ada)], answer=b"", request=None)
    assert kept(sealed) == [4, 5]
    assert sealed.version("staff", "ada", FACE, 4).to_bytes() == ada.to_bytes()
