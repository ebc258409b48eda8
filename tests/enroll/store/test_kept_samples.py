"""Kept samples, in every store: only where the collection keeps them, in order, and gone with the person."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from encode.errors import StoreCorrupt, VersionConflict
from encode.sample import Modality
from enroll.stores import kept_samples
from enroll.stores.collection import CollectionSettings
from enroll.stores.kept_samples import KeptSample
from enroll.stores.opening import StorePlace
from enroll.stores.schema import samples
from enroll.stores.sql import SqlStore
from enroll.stores.store import Request, TemplateStore
from enroll.template import Template

Make = Callable[..., Template]
FACE, SIGNATURE = Modality.FACE, Modality.SIGNATURE
NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
REQUEST = Request("staff", "r1", "Enroll", b"1" * 32)
KEEPING = CollectionSettings(keep_samples=True)


def sample(number: int, modality: Modality = FACE) -> KeptSample:
    return KeptSample(modality, f"sample {number} of {modality.value}".encode(), NOW + timedelta(seconds=number))


@pytest.fixture
def keeping(store: TemplateStore) -> TemplateStore:
    """A store of each kind whose collection `staff` keeps samples."""
    store.configure("staff", KEEPING)
    return store


def test_samples_come_back_as_they_were_by_modality_in_order(keeping: TemplateStore, make_template: Make) -> None:
    first = make_template()
    given = [sample(3), sample(9, SIGNATURE), sample(1)]
    keeping.save([first, make_template(modality=SIGNATURE)], answer=b"", request=None, samples=given)
    assert keeping.samples_of("staff", "ada", FACE) == [sample(3), sample(1)]
    assert keeping.samples_of("staff", "ada", SIGNATURE) == [sample(9, SIGNATURE)]
    keeping.save([make_template(before=first)], answer=b"", request=None, samples=[sample(0)])
    assert keeping.samples_of("staff", "ada", FACE) == [sample(3), sample(1), sample(0)]
    assert keeping.samples_of("staff", "nobody", FACE) == keeping.samples_of("visitors", "ada", FACE) == []


def test_a_time_of_another_zone_is_the_same_moment(keeping: TemplateStore, make_template: Make) -> None:
    elsewhere = KeptSample(FACE, b"a", NOW.astimezone(timezone(timedelta(hours=5))))
    keeping.save([make_template()], answer=b"", request=None, samples=[elsewhere])
    assert keeping.samples_of("staff", "ada", FACE) == [elsewhere]


def test_none_is_stored_where_the_collection_keeps_none(store: TemplateStore, make_template: Make) -> None:
    first = make_template()
    store.save([first], answer=b"", request=None, samples=[sample(1)])
    assert store.samples_of("staff", "ada", FACE) == []
    store.configure("staff", KEEPING)
    store.configure("staff", CollectionSettings())
    store.save([make_template(before=first)], answer=b"", request=None, samples=[sample(1)])
    assert store.samples_of("staff", "ada", FACE) == []


def test_samples_go_with_a_template_of_their_modality(keeping: TemplateStore, make_template: Make) -> None:
    with pytest.raises(ValueError, match="modality"):
        keeping.save([make_template()], answer=b"", request=None, samples=[sample(1, SIGNATURE)])
    assert keeping.get("staff", "ada") == ()


def test_a_change_that_is_refused_or_repeated_keeps_nothing(keeping: TemplateStore, make_template: Make) -> None:
    first = make_template()
    keeping.save([first], answer=b"first", request=REQUEST, samples=[sample(1)])
    keeping.save([make_template(before=first)], answer=b"", request=REQUEST, samples=[sample(2)])
    with pytest.raises(VersionConflict):
        keeping.save([make_template()], answer=b"", request=None, samples=[sample(3)], drop_samples=True)
    assert keeping.samples_of("staff", "ada", FACE) == [sample(1)]


def test_new_samples_take_the_place_of_those_dropped(keeping: TemplateStore, make_template: Make) -> None:
    first, pen = make_template(), make_template(modality=SIGNATURE)
    keeping.save([first, pen], answer=b"", request=None, samples=[sample(1), sample(2, SIGNATURE)])
    second = make_template(before=first)
    keeping.save([second], answer=b"", request=None, samples=[sample(3)], drop_samples=True)
    assert keeping.samples_of("staff", "ada", FACE) == [sample(3)]
    assert keeping.samples_of("staff", "ada", SIGNATURE) == [sample(2, SIGNATURE)]
    keeping.save([make_template(before=second)], answer=b"", request=None, drop_samples=True)
    assert keeping.samples_of("staff", "ada", FACE) == []


def test_the_first_and_the_newest_are_kept(
    keeping: TemplateStore, make_template: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_samples, "FIRST", 2)
    monkeypatch.setattr(kept_samples, "MOST", 5)
    template = make_template()
    keeping.save([template], answer=b"", request=None, samples=[sample(n) for n in range(7)])
    assert keeping.samples_of("staff", "ada", FACE) == [sample(n) for n in (0, 1, 4, 5, 6)]
    template = make_template(before=template)
    keeping.save([template], answer=b"", request=None, samples=[sample(7), sample(8)])
    assert keeping.samples_of("staff", "ada", FACE) == [sample(n) for n in (0, 1, 6, 7, 8)]


def test_erasure_takes_the_samples(keeping: TemplateStore, make_template: Make) -> None:
    keeping.save([make_template()], answer=b"", request=None, samples=[sample(1)])
    keeping.save([make_template("bob")], answer=b"", request=None, samples=[sample(2)])
    keeping.erase(keeping.get("staff", "ada"), answer=b"", request=None)
    assert keeping.samples_of("staff", "ada", FACE) == []
    keeping.save([make_template()], answer=b"", request=None)
    assert keeping.samples_of("staff", "ada", FACE) == []
    assert keeping.samples_of("staff", "bob", FACE) == [sample(2)]


def test_those_of_a_whole_collection_are_dropped_and_people_stay(keeping: TemplateStore, make_template: Make) -> None:
    keeping.configure("visitors", KEEPING)
    for number, person in enumerate(("ada", "bob", "carl")):
        keeping.save([make_template(person)], answer=b"", request=None, samples=[sample(number)])
    keeping.save([make_template("dora")], answer=b"", request=None)
    keeping.save([make_template("eve", collection="visitors")], answer=b"", request=None, samples=[sample(5)])
    assert (keeping.samples_kept("staff"), keeping.samples_kept("visitors"), keeping.samples_kept("x")) == (3, 1, 0)
    assert keeping.drop_samples("staff") == 3
    assert (keeping.samples_kept("staff"), keeping.samples_kept("visitors")) == (0, 1)
    assert keeping.drop_samples("staff") == 0
    for person in ("ada", "bob", "carl"):
        [before] = keeping.get("staff", person)
        assert keeping.samples_of("staff", person, FACE) == []
        keeping.save([make_template(person, before=before)], answer=b"", request=None, samples=[sample(7)])
        assert keeping.samples_of("staff", person, FACE) == [sample(7)]
    assert keeping.samples_of("visitors", "eve", FACE) == [sample(5)]


def test_a_sample_shows_nothing_of_itself() -> None:
    assert "sample 1" not in repr(sample(1))


@pytest.fixture
def sealed(place: StorePlace, open_store: Callable[..., SqlStore], make_template: Make) -> SqlStore:
    """Ada and Bob with two samples each."""
    opened = open_store(place)
    opened.configure("staff", KEEPING)
    for person in ("ada", "bob"):
        opened.save([make_template(person)], answer=b"", request=None, samples=[sample(1), sample(2)])
    return opened


def rows_of(connection: Any, person: str) -> list[dict[str, Any]]:
    found = connection.execute(select(samples).where(samples.c.person == person).order_by(samples.c.at))
    return [row._asdict() for row in found]


def change(connection: Any, row: dict[str, Any], **values: Any) -> None:
    connection.execute(update(samples).where(samples.c.sample_id == row["sample_id"]).values(values))


def flip_a_bit(connection: Any) -> None:
    row = rows_of(connection, "ada")[0]
    change(connection, row, payload=row["payload"][:-1] + bytes([row["payload"][-1] ^ 1]))


def lend_another_persons(connection: Any) -> None:
    change(connection, rows_of(connection, "ada")[0], payload=rows_of(connection, "bob")[0]["payload"])


def swap_two(connection: Any) -> None:
    one, other = rows_of(connection, "ada")
    change(connection, one, payload=other["payload"])
    change(connection, other, payload=one["payload"])


def remove_one(connection: Any) -> None:
    connection.execute(delete(samples).where(samples.c.sample_id == rows_of(connection, "ada")[0]["sample_id"]))


def remove_all(connection: Any) -> None:
    connection.execute(delete(samples).where(samples.c.person == "ada"))


def add_one(connection: Any) -> None:
    connection.execute(insert(samples).values({**rows_of(connection, "ada")[0], "sample_id": "0" * 16}))


def date_back(connection: Any) -> None:
    change(connection, rows_of(connection, "ada")[0], at=NOW - timedelta(days=9))


@pytest.mark.parametrize(
    "tamper", [flip_a_bit, lend_another_persons, swap_two, remove_one, remove_all, add_one, date_back]
)
def test_samples_that_are_not_what_was_stored_are_found(sealed: SqlStore, tamper: Callable[[Any], None]) -> None:
    with sealed.database.writing() as connection:
        tamper(connection)
    with pytest.raises(StoreCorrupt, match="kept sample") as caught:
        sealed.samples_of("staff", "ada", FACE)
    assert "ada" not in str(caught.value)
    assert len(sealed.samples_of("staff", "bob", FACE)) == 2
    assert len(sealed.get("staff", "ada")) == 1


def test_a_sample_dropped_and_put_back_is_found(sealed: SqlStore) -> None:
    with sealed.database.reading() as connection:
        before = rows_of(connection, "ada")
    sealed.drop_samples("staff")
    with sealed.database.writing() as connection:
        connection.execute(insert(samples), before)
    with pytest.raises(StoreCorrupt, match="kept samples"):
        sealed.samples_of("staff", "ada", FACE)


def test_rows_of_nobody_are_dropped_with_the_others(sealed: SqlStore) -> None:
    with sealed.database.writing() as connection:
        connection.execute(insert(samples).values({**rows_of(connection, "ada")[0], "person": "nobody"}))
    assert sealed.drop_samples("staff") == 3


def test_no_sample_enters_after_the_collection_stopped_keeping_them(
    place: StorePlace, open_store: Callable[..., SqlStore], make_template: Make
) -> None:
    """Whatever another replica still remembers of the settings."""
    one, other = open_store(place), open_store(place)
    one.configure("staff", KEEPING)
    assert other.settings_of("staff").keep_samples
    one.configure("staff", CollectionSettings())
    assert other.settings_of("staff").keep_samples, "the other one's memory is what this is about"
    other.save([make_template()], answer=b"", request=None, samples=[sample(1)])
    assert other.samples_of("staff", "ada", FACE) == []


def test_a_drop_that_a_crash_cut_short_goes_on(sealed: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the key store never heard of the new revision."""
    with monkeypatch.context() as dying:
        dying.setattr(sealed.keys, "advance", lambda ref, revision: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sealed.drop_samples("staff")
    assert sealed.drop_samples("staff") == 1
    for person in ("ada", "bob"):
        assert sealed.samples_of("staff", person, FACE) == []
        assert len(sealed.get("staff", person)) == 1
