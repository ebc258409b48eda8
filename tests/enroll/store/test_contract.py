"""What every template store must do, run against each of them."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from encode.errors import PersonUnknown, RequestIdReused, VersionConflict
from encode.sample import Modality
from enroll.stores.store import REQUEST_RETENTION, Request, TemplateStore, require_person
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)


def template(person: str = "ada", modality: Modality = Modality.FACE, collection: str = "staff") -> Template:
    return grown(Template.empty(collection, person, modality, "a" * 64, size=2, now=NOW))


def grown(before: Template, count: int = 1) -> Template:
    new = np.full((count, 2), before.version, np.float32)
    return before.with_references(new, anchors_capacity=2, recent_capacity=3, now=NOW)


def asked(request_id: str = "r1", body: bytes = b"1", method: str = "Enroll", collection: str = "staff") -> Request:
    return Request(collection, request_id, method, body.rjust(32, b"0"))


def stored_bytes(store: TemplateStore, person: str = "ada") -> list[bytes]:
    return [one.to_bytes() for one in store.get("staff", person)]


def test_what_is_saved_is_found_by_modality_and_only_there(store: TemplateStore) -> None:
    face, signature = template(), template(modality=Modality.SIGNATURE)
    store.save([signature, face], answer=b"", request=None)
    assert stored_bytes(store) == [face.to_bytes(), signature.to_bytes()]
    assert store.get("visitors", "ada") == ()
    assert store.get("staff", "Ada") == ()


def test_unknown_people_are_a_typed_error_where_one_is_required(store: TemplateStore) -> None:
    with pytest.raises(PersonUnknown, match="nobody of this name") as caught:
        require_person(store, "staff", "nobody")
    assert caught.value.field == "person"
    assert "nobody'" not in str(caught.value)


def test_a_template_grows_version_by_version(store: TemplateStore) -> None:
    first = template()
    second = grown(first, 2)
    store.save([first], answer=b"", request=None)
    store.save([second], answer=b"", request=None)
    assert stored_bytes(store) == [second.to_bytes()]


def test_writers_who_read_something_else_are_refused(store: TemplateStore) -> None:
    first = template()
    store.save([first], answer=b"", request=None)
    second = grown(first)
    store.save([second], answer=b"", request=None)
    for late in (template(), second, grown(first), grown(grown(second))):
        with pytest.raises(VersionConflict):
            store.save([late], answer=b"", request=asked())
    assert stored_bytes(store) == [second.to_bytes()]
    assert store.recorded(asked()) is None


def test_a_writer_who_read_an_erased_template_cannot_bring_it_back(store: TemplateStore) -> None:
    first = template()
    store.save([first], answer=b"", request=None)
    store.erase([first], answer=b"", request=None)
    again = template()
    store.save([again], answer=b"", request=None)
    assert again.version == first.version
    with pytest.raises(VersionConflict):
        store.save([grown(first)], answer=b"", request=None)
    with pytest.raises(VersionConflict):
        store.erase([first], answer=b"", request=None)
    assert stored_bytes(store) == [again.to_bytes()]


def test_one_conflict_among_several_templates_writes_none(store: TemplateStore) -> None:
    face = template()
    store.save([face], answer=b"", request=None)
    with pytest.raises(VersionConflict):
        store.save([template(modality=Modality.SIGNATURE), template()], answer=b"", request=None)
    assert stored_bytes(store) == [face.to_bytes()]


def test_erasing_needs_all_that_is_stored(store: TemplateStore) -> None:
    face, signature = template(), template(modality=Modality.SIGNATURE)
    store.save([face, signature], answer=b"", request=None)
    with pytest.raises(VersionConflict):
        store.erase([face], answer=b"", request=None)
    store.erase([face, signature], answer=b"", request=None)
    assert store.get("staff", "ada") == ()
    with pytest.raises(VersionConflict):
        store.erase([face, signature], answer=b"", request=None)


def test_a_mutation_concerns_one_person(store: TemplateStore) -> None:
    for mixture in ([], [template("ada"), template("bob")], [template(), template()]):
        with pytest.raises(ValueError, match="one person"):
            store.save(mixture, answer=b"", request=None)


def test_a_repeated_request_gets_its_first_answer_and_writes_nothing(store: TemplateStore) -> None:
    first = template()
    assert store.recorded(asked()) is None
    assert store.save([first], answer=b"first", request=asked()) == b"first"
    assert store.recorded(asked()) == b"first"
    assert store.save([grown(first)], answer=b"second", request=asked()) == b"first"
    assert store.erase([first], answer=b"erased", request=asked()) == b"first"
    assert stored_bytes(store) == [first.to_bytes()]


@pytest.mark.parametrize("other", [asked(body=b"2"), asked(method="DeletePerson")])
def test_a_request_id_with_another_body_is_refused(store: TemplateStore, other: Request) -> None:
    first = template()
    store.save([first], answer=b"first", request=asked())
    with pytest.raises(RequestIdReused, match="another body") as caught:
        store.recorded(other)
    assert caught.value.field == "request_id"
    with pytest.raises(RequestIdReused):
        store.save([grown(first)], answer=b"", request=other)
    with pytest.raises(RequestIdReused):
        store.erase([first], answer=b"", request=other)
    assert stored_bytes(store) == [first.to_bytes()]


def test_request_ids_of_another_collection_are_others(store: TemplateStore) -> None:
    store.save([template()], answer=b"staff", request=asked())
    store.save([template(collection="visitors")], answer=b"visitors", request=asked(collection="visitors", body=b"2"))
    assert store.recorded(asked()) == b"staff"
    assert store.recorded(asked(collection="visitors", body=b"2")) == b"visitors"


def test_requests_are_forgotten_after_their_retention(store: TemplateStore, clock: Any) -> None:
    first = template()
    store.save([first], answer=b"first", request=asked())
    clock.now = NOW + REQUEST_RETENTION
    assert store.recorded(asked()) == b"first"
    clock.now += timedelta(microseconds=1)
    assert store.recorded(asked()) is None
    assert store.save([grown(first)], answer=b"again", request=asked(body=b"2")) == b"again"


def test_erasure_takes_what_requests_tell_of_the_person_and_keeps_its_own_answer(store: TemplateStore) -> None:
    ada, bob = template(), template("bob")
    store.save([ada], answer=b"of ada", request=asked("ada-1"))
    store.save([bob], answer=b"of bob", request=asked("bob-1"))
    receipt = asked("ada-2", method="DeletePerson")
    assert store.erase([ada], answer=b"receipt", request=receipt) == b"receipt"
    assert store.recorded(receipt) == b"receipt"
    assert store.recorded(asked("bob-1")) == b"of bob"
    with pytest.raises(RequestIdReused, match="erased since"):
        store.recorded(asked("ada-1"))
    with pytest.raises(RequestIdReused, match="erased since"):
        store.save([template()], answer=b"back", request=asked("ada-1"))
    assert store.get("staff", "ada") == ()


def test_people_are_listed_in_code_point_order_page_by_page(store: TemplateStore) -> None:
    # The last two sort the other way round in UTF-16.
    names = ["Zoë", "a", "a b", "a!", "aa", "é", "ß", "中", "~", "\U0001f600", "\uff5e"]
    for name in names:
        store.save([template(name)], answer=b"", request=None)
    store.save([template("a", Modality.SIGNATURE)], answer=b"", request=None)
    store.save([template("elsewhere", collection="visitors")], answer=b"", request=None)
    listed: list[str] = []
    while page := store.list_people("staff", after=listed[-1] if listed else "", limit=3):
        assert len(page) <= 3
        listed += [one.person for one in page]
    assert listed == sorted(names)
    [first] = store.list_people("staff", after="Zoë", limit=1)
    assert (first.person, first.modalities) == ("a", (Modality.FACE, Modality.SIGNATURE))
    assert store.list_people("nobody's", limit=10) == []


def test_of_two_writers_one_wins_and_the_other_is_told(store: TemplateStore) -> None:
    first = template()
    store.save([first], answer=b"", request=None)
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def write() -> None:
        mine = grown(first)
        barrier.wait()
        try:
            store.save([mine], answer=b"", request=None)
            outcomes.append("won")
        except VersionConflict:
            outcomes.append("told")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["told"] * 7 + ["won"]
    assert store.get("staff", "ada")[0].version == 2
