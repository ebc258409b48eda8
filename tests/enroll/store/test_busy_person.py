"""Reads of a person whom others change all the time: late, but never called damaged."""

from collections.abc import Callable
from typing import Any

import pytest

from encode.errors import StoreCorrupt
from enroll.keys.cache import DataKey
from enroll.stores.opening import StorePlace
from enroll.stores.sql import SqlStore
from enroll.template import Template

Open = Callable[..., SqlStore]
Make = Callable[..., Template]


@pytest.fixture
def others(place: StorePlace, open_store: Open, make_template: Make) -> SqlStore:
    """Another replica, which has enrolled Ada."""
    other = open_store(place)
    other.save([make_template("ada")], answer=b"", request=None)
    return other


def between_rows_and_key(store: SqlStore, monkeypatch: pytest.MonkeyPatch, step: Callable[[], Any]) -> None:
    """Let `step` come in between whenever a read has its rows and asks for their key."""
    get, fresh = store.keys.get, store.keys.fresh

    def after(ask: Callable[[str], DataKey | None]) -> Callable[[str], DataKey | None]:
        def asked(ref: str) -> DataKey | None:
            step()
            return ask(ref)

        return asked

    monkeypatch.setattr(store.keys, "get", after(lambda ref: (store.keys._cache.forget(ref), get(ref))[1]))
    monkeypatch.setattr(store.keys, "fresh", after(fresh))


def test_a_person_changed_during_every_try_is_read(
    place: StorePlace, open_store: Open, make_template: Make, others: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(place)

    def change() -> None:
        [template] = others.get("staff", "ada")
        others.save([make_template("ada", before=template)], answer=b"", request=None)

    between_rows_and_key(store, monkeypatch, change)
    [template] = store.get("staff", "ada")
    assert template.version > 1


def test_a_person_erased_and_enrolled_again_meanwhile_is_read(
    place: StorePlace, open_store: Open, make_template: Make, others: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(place)
    left = [1, 2]

    def erase_and_enroll() -> None:
        if left:
            left.pop()
            others.erase(others.get("staff", "ada"), answer=b"", request=None)
            others.save([make_template("ada", seed=8)], answer=b"", request=None)

    between_rows_and_key(store, monkeypatch, erase_and_enroll)
    [template] = store.get("staff", "ada")
    assert template.to_bytes() == others.get("staff", "ada")[0].to_bytes()


def test_rows_without_a_key_are_damaged_at_the_second_look(
    place: StorePlace, open_store: Open, others: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(place)
    monkeypatch.setattr(store.keys, "get", lambda _: None)
    monkeypatch.setattr(store.keys, "fresh", lambda _: None)
    with pytest.raises(StoreCorrupt, match="from before an erasure"):
        store.get("staff", "ada")
