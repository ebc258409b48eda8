"""What whoever can write the data might try against tokens and keys: write a token, have a key destroyed, swap keys."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from encode.errors import CountersignError, StoreCorrupt
from enroll.access.grants import EVERYTHING, Grant, Grants
from enroll.access.schema import tokens
from enroll.access.tokens import TokenStore
from enroll.keys.schema import data_keys
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.schema import people, shredding
from enroll.stores.sql import SqlStore
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)
Made = tuple[SqlStore, str]


@pytest.fixture
def made(place: StorePlace, open_store: Callable[..., SqlStore], make_template: Callable[..., Template]) -> Made:
    """Ada and Bob, and the id of a token that opens one collection."""
    store = open_store(place)
    for number, person in enumerate(("ada", "bob")):
        store.save([make_template(person, seed=number)], answer=b"", request=None)
    grants = Grants.of([Grant.parse("verify:staff")])
    _, token = TokenStore(store.database, store.keys).create("gate", grants, lifetime=timedelta(days=9))
    return store, token.token_id


def test_a_token_cannot_be_written_given_more_or_brought_back(made: Made) -> None:
    store, token_id = made
    held = TokenStore(store.database, store.keys)

    def of(table_row: Any) -> dict[str, Any]:
        return dict(table_row._mapping)

    with store.database.reading() as connection:
        row = of(connection.execute(select(tokens).where(tokens.c.token_id == token_id)).one())
    with store.database.writing() as connection:
        connection.execute(insert(tokens).values(row | {"token_id": "f" * 16, "grants": EVERYTHING.to_json()}))
    listed = {one.token_id: one for one in held.all()}
    assert (listed[token_id].intact, listed["f" * 16].intact) == (True, False)
    assert not listed["f" * 16].valid(NOW)
    held.revoke(token_id)
    with store.database.writing() as connection:
        connection.execute(update(tokens).where(tokens.c.token_id == token_id).values(revoked_at=None))
    again = {one.token_id: one for one in held.all()}[token_id]
    assert (again.revoked_at, again.intact, again.valid(NOW)) == (None, False, False)


@pytest.mark.parametrize("ref", ["ada's", "secret", "token"])
def test_nobody_can_have_a_key_destroyed_by_writing_the_table_of_doomed_keys(
    made: Made, place: StorePlace, ref: str
) -> None:
    store, token_id = made
    with store.database.writing() as connection:
        theirs = connection.execute(select(people.c.key_ref).where(people.c.person == "ada")).scalar_one()
        key_ref = {"ada's": theirs, "secret": "secret", "token": f"token {token_id}"}[ref]
        connection.execute(insert(shredding).values(key_ref=key_ref, seal=b"\x01" + bytes(40)))
    store.erase(store.get("staff", "bob"), answer=b"receipt", request=None)
    assert store.keys.wrapped(key_ref) is not None
    assert store.get("staff", "bob") == ()
    assert len(store.get("staff", "ada")) == 1
    with pytest.raises(StoreCorrupt, match="table shredding"):
        open_sql_store(place)


def test_data_keys_that_were_swapped_are_found(made: Made) -> None:
    """By whoever can write the key store as well, and has not the key that wraps them."""
    store, _ = made
    with store.database.reading() as connection:
        refs = connection.execute(select(people.c.key_ref).where(people.c.person.in_(["ada", "bob"]))).scalars().all()
    with store.keys.database.writing() as connection:
        wrapped = [
            connection.execute(select(data_keys.c.wrapped).where(data_keys.c.key_ref == ref)).scalar_one()
            for ref in refs
        ]
        for ref, other in zip(refs, reversed(wrapped), strict=True):
            connection.execute(update(data_keys).where(data_keys.c.key_ref == ref).values(wrapped=other))
    for ref in refs:
        with pytest.raises(CountersignError, match="does not open what the store holds"):
            store.keys.fresh(ref)
    with pytest.raises(CountersignError):
        store.get("staff", "ada")
