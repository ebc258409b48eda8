"""Settings of collections: their ranges, their stored form, and that every store keeps them apart."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from encode.errors import ConfigError, StoreCorrupt
from enroll.keys.store import KeyStore
from enroll.stores.collection import CollectionSettings
from enroll.stores.collection_table import SECONDS, CollectionTable
from enroll.stores.opening import StorePlace
from enroll.stores.schema import collections
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore

OTHERS = CollectionSettings(
    adapt=True, update_target_far=1e-5, keep_samples=True, versions_kept=3, quarantine_hours=1.5, max_drift=0.25
)


def test_the_defaults_neither_adapt_nor_keep_samples() -> None:
    plain = CollectionSettings()
    assert not plain.adapt
    assert not plain.keep_samples


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("adapt", [1, None, "yes"]),
        ("keep_samples", [0, "no"]),
        ("update_target_far", [0, 1, -0.1, 2.0, float("nan"), float("inf"), "0.1", True]),
        ("versions_kept", [-1, 1001, 1.0, True, None]),
        ("quarantine_hours", [-0.1, 8761, float("nan"), float("inf"), "24", None]),
        ("max_drift", [0, -1.0, float("nan"), float("inf"), None]),
    ],
)
def test_a_value_out_of_range_is_named(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ConfigError) as caught:
            CollectionSettings(**{name: value})
        assert caught.value.field == name


def test_the_stored_form_reads_back_and_what_it_leaves_out_has_its_default() -> None:
    for settings in (OTHERS, CollectionSettings()):
        assert CollectionSettings.from_json(settings.to_json()) == settings
    assert CollectionSettings.from_json(b'{"adapt":true}') == CollectionSettings(adapt=True)


@pytest.mark.parametrize(
    "stored", [b"", b"[]", b"null", b'{"adapt":2}', b'{"unheard_of":1}', b'{"max_drift":NaN}', b"[" * 100_000]
)
def test_a_form_that_is_not_known_is_a_damaged_record(stored: bytes) -> None:
    with pytest.raises(StoreCorrupt):
        CollectionSettings.from_json(stored)


def test_collections_have_their_own_settings_and_the_others_the_defaults(store: TemplateStore) -> None:
    assert store.configured() == {}
    store.configure("staff", OTHERS)
    store.configure("Staff", CollectionSettings())
    assert store.settings_of("staff") == OTHERS
    assert store.settings_of("Staff") == store.settings_of("visitors") == CollectionSettings()
    assert list(store.configured().items()) == [("Staff", CollectionSettings()), ("staff", OTHERS)]
    store.configure("staff", CollectionSettings(versions_kept=1))
    assert store.settings_of("staff") == CollectionSettings(versions_kept=1)


def test_another_replica_follows_within_seconds(place: StorePlace, open_store: Callable[..., SqlStore]) -> None:
    store = open_store(place)
    now = [100.0]
    other = CollectionTable(store.database, store.keys, clock=lambda: now[0])
    assert other.get("staff") == CollectionSettings()
    store.configure("staff", OTHERS)
    now[0] += SECONDS * 0.99
    assert other.get("staff") == CollectionSettings()
    now[0] += SECONDS * 0.02
    assert other.get("staff") == OTHERS


def test_a_memory_of_settings_does_not_grow_with_the_names_that_callers_think_of(
    place: StorePlace, open_store: Callable[..., SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enroll.stores.collection_table._CAPACITY", 3)
    store = open_store(place)
    table = CollectionTable(store.database, store.keys)
    for number in range(9):
        table.get(f"no collection {number}")
    assert len(table._held) == 3


def give_to_another(connection: Any) -> None:
    row = connection.execute(select(collections).where(collections.c.collection == "open")).one()
    connection.execute(update(collections).where(collections.c.collection == "staff").values(settings=row.settings))


def flip_a_bit(connection: Any) -> None:
    row = connection.execute(select(collections).where(collections.c.collection == "staff")).one()
    changed = row.settings[:-1] + bytes([row.settings[-1] ^ 1])
    connection.execute(update(collections).where(collections.c.collection == "staff").values(settings=changed))


@pytest.mark.parametrize("tamper", [give_to_another, flip_a_bit])
def test_settings_that_were_changed_by_hand_are_found_and_can_be_set_again(
    place: StorePlace, open_store: Callable[..., SqlStore], tamper: Callable[[Any], None]
) -> None:
    store = open_store(place)
    store.configure("staff", CollectionSettings())
    store.configure("open", OTHERS)
    with store.database.writing() as connection:
        tamper(connection)
    with pytest.raises(StoreCorrupt, match="settings of a collection"):
        store.settings_of("staff")
    assert store.settings_of("open") == OTHERS
    store.configure("staff", CollectionSettings())
    assert store.settings_of("staff") == CollectionSettings()


def test_settings_are_sealed_with_a_key_of_the_store(place: StorePlace, open_store: Callable[..., SqlStore]) -> None:
    store = open_store(place)
    store.configure("staff", OTHERS)
    with store.database.reading() as connection:
        sealed = connection.execute(select(collections.c.settings)).scalar_one()
    assert b"adapt" not in sealed
    assert isinstance(store.keys, KeyStore)
