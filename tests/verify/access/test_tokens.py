"""Tokens in a running service: expiry, revocation, and a database that cannot be read."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from encode.errors import FieldInvalid, NotFound, StoreUnavailable, TokenInvalid
from enroll.access.grants import EVERYTHING, NOTHING, Grant, Grants, Scope
from enroll.access.tokens import Token, TokenStore, split_token
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from verify.access.tokens import FRESH_SECONDS, STALE_SECONDS, TokenCheck
from verify.client.client import Client

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Seconds and the time of day, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


class Failing(TokenStore):
    """A store whose database goes away on demand; counts what is read."""

    broken = False
    reads = 0

    def all(self) -> list[Token]:
        self.reads += 1
        if self.broken:
            raise StoreUnavailable("gone")
        return super().all()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def sql_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """Everything here holds in each kind of database."""
    if request.param == "sqlite":
        place = StorePlace(str(tmp_path_factory.mktemp("store") / "people.sqlite"))
    else:
        place = request.getfixturevalue("new_postgres_place")()
    with closing(open_sql_store(place)) as store:
        yield store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(sql_store: SqlStore, clock: Clock) -> Failing:
    return Failing(sql_store.database, sql_store.keys, clock=clock.now)


@pytest.fixture
def check(store: Failing, clock: Clock) -> TokenCheck:
    return TokenCheck(store, clock=clock, now=clock.now)


def caller_of(check: TokenCheck, token: str) -> str:
    return asyncio.run(check.caller([("authorization", f"Bearer {token}")])).name


def test_a_token_is_its_callers_name_and_grants(store: Failing, check: TokenCheck) -> None:
    text, token = store.create("gate 7", Grants.of([Grant(Scope.VERIFY, "staff")]), lifetime=None)
    caller = asyncio.run(check.caller([("authorization", f"bearer {text}")]))
    assert (caller.name, caller.token_id) == ("gate 7", token.token_id)
    assert caller.may(Scope.VERIFY, "staff")
    assert not caller.may(Scope.VERIFY, "visitors")
    assert not caller.may(Scope.ENROLL, "staff")


def test_a_token_expires_to_the_second_though_tokens_are_cached(
    store: Failing, check: TokenCheck, clock: Clock
) -> None:
    text, _ = store.create("kiosk", EVERYTHING, lifetime=timedelta(seconds=1))
    assert caller_of(check, text) == "kiosk"
    reads = store.reads
    clock.seconds += 1.0
    with pytest.raises(TokenInvalid):
        caller_of(check, text)
    assert store.reads == reads


def test_a_revoked_token_is_refused_once_the_cache_is_old(store: Failing, check: TokenCheck, clock: Clock) -> None:
    text, token = store.create("kiosk", EVERYTHING, lifetime=None)
    assert caller_of(check, text) == "kiosk"
    store.revoke(token.token_id)
    clock.seconds += FRESH_SECONDS
    with pytest.raises(TokenInvalid, match="unknown, expired or revoked"):
        caller_of(check, text)


def test_a_new_token_is_known_once_the_cache_is_old(store: Failing, check: TokenCheck, clock: Clock) -> None:
    with pytest.raises(TokenInvalid):
        caller_of(check, "cs_" + "0" * 16 + "_" + "0" * 64)
    text, _ = store.create("kiosk", EVERYTHING, lifetime=None)
    clock.seconds += FRESH_SECONDS
    assert caller_of(check, text) == "kiosk"


def test_guessing_costs_the_database_nothing(store: Failing, check: TokenCheck) -> None:
    for number in range(200):
        with pytest.raises(TokenInvalid):
            caller_of(check, f"cs_{number:016x}_{number:064x}")
    assert store.reads == 1


def test_calls_at_once_read_the_tokens_once(store: Failing, check: TokenCheck) -> None:
    text, _ = store.create("kiosk", EVERYTHING, lifetime=None)

    async def many() -> list[str]:
        calls = [check.caller([("authorization", f"Bearer {text}")]) for _ in range(50)]
        return [caller.name for caller in await asyncio.gather(*calls)]

    assert asyncio.run(many()) == ["kiosk"] * 50
    assert store.reads == 1


def test_without_the_database_what_was_read_counts_for_a_while_and_then_nobody_is_let_in(
    store: Failing, check: TokenCheck, clock: Clock
) -> None:
    text, _ = store.create("kiosk", EVERYTHING, lifetime=None)
    assert caller_of(check, text) == "kiosk"
    store.broken = True
    clock.seconds += STALE_SECONDS
    assert caller_of(check, text) == "kiosk"
    clock.seconds += 0.1
    with pytest.raises(StoreUnavailable):
        caller_of(check, text)
    store.broken = False
    assert caller_of(check, text) == "kiosk"


def test_nothing_but_a_hash_of_the_secret_is_in_the_file(tmp_path: Path) -> None:
    sql_store = open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))
    made, token = TokenStore(sql_store.database, sql_store.keys).create("kiosk", EVERYTHING, lifetime=None)
    sql_store.close()
    parts = split_token(made)
    assert parts is not None
    token_id, secret = parts
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token_id.encode() in files
    assert token.secret_hash in files
    assert secret.encode() not in files
    assert bytes.fromhex(secret) not in files
    assert hashlib.sha256(secret.encode()).digest() not in files


def test_the_hash_of_one_token_opens_no_other(store: Failing, check: TokenCheck) -> None:
    """Whoever may write the table could otherwise give his own secret to a token of more scopes, unnoticed in logs."""
    mine, weak = store.create("mine", Grants.of([Grant(Scope.VERIFY, "staff")]), lifetime=None)
    _, strong = store.create("root", EVERYTHING, lifetime=None)
    with store._database.writing() as connection:
        connection.execute(
            text("UPDATE tokens SET secret_hash = :hash WHERE token_id = :id"),
            {"hash": weak.secret_hash, "id": strong.token_id},
        )
    with pytest.raises(TokenInvalid):
        caller_of(check, mine.replace(weak.token_id, strong.token_id))


def test_a_token_whose_grants_are_damaged_opens_nothing(store: Failing, check: TokenCheck) -> None:
    made, token = store.create("kiosk", EVERYTHING, lifetime=None)
    with store._database.writing() as connection:
        connection.execute(
            text('UPDATE tokens SET grants = \'[["root", "*"]]\' WHERE token_id = :id'), {"id": token.token_id}
        )
    [read] = [one for one in store.all() if one.token_id == token.token_id]
    assert (read.intact, read.grants) == (False, NOTHING)
    with pytest.raises(TokenInvalid):
        caller_of(check, made)


def test_revoking_again_keeps_the_first_time_and_an_unknown_id_is_told(store: Failing, clock: Clock) -> None:
    _, token = store.create("kiosk", EVERYTHING, lifetime=None)
    first = store.revoke(token.token_id)
    clock.seconds += 60
    assert store.revoke(token.token_id).revoked_at == first.revoked_at is not None
    with pytest.raises(NotFound):
        store.revoke("0" * 16)


@pytest.mark.parametrize("name", ["", " kiosk", "a\nb", "x" * 129])
def test_a_name_that_would_spoil_a_log_is_refused(store: Failing, name: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        store.create(name, EVERYTHING, lifetime=None)
    assert caught.value.field == "name"


@pytest.mark.parametrize("scope", ["verify", "verify:", ":staff", "root:staff", "VERIFY:staff", ""])
def test_a_scope_that_is_not_one_is_refused(scope: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        Grant.parse(scope)
    assert caught.value.field == "scope"


def test_a_collection_may_hold_a_colon_and_an_asterisk_in_a_name_is_no_pattern() -> None:
    grants = Grants.of([Grant.parse("verify:eu:staff"), Grant.parse("enroll:eu*")])
    assert Grants.from_json(grants.to_json()) == grants
    assert grants.allow(Scope.VERIFY, "eu:staff")
    assert not grants.allow(Scope.ENROLL, "eu:staff")


def test_secrets_are_drawn_once_and_are_the_same_for_every_replica(sql_store: SqlStore) -> None:
    first = TokenStore(sql_store.database, sql_store.keys).secret("test")
    assert len(first) == 32
    assert TokenStore(sql_store.database, sql_store.keys).secret("test") == first
    assert TokenStore(sql_store.database, sql_store.keys).secret("another") != first


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verify.access.tokens.FRESH_SECONDS", 0.05)


def test_a_running_service_takes_up_new_tokens_and_drops_revoked_and_expired_ones(
    closed: str, sql_store: SqlStore, make_token: Callable[..., str], quick: None
) -> None:
    store = TokenStore(sql_store.database, sql_store.keys)
    kept = make_token("verify:staff")
    revoked = make_token("verify:staff")
    expired = make_token("verify:staff", lifetime=timedelta(microseconds=1))

    def opens(token: str) -> bool:
        with Client(closed, token=token) as client:
            try:
                return bool(client.list_models())
            except TokenInvalid:
                return False

    while not opens(kept):
        pass
    assert opens(revoked)
    assert not opens(expired)
    parts = split_token(revoked)
    assert parts is not None
    store.revoke(parts[0])
    while opens(revoked):
        pass
    assert opens(kept)


def test_replicas_on_one_postgresql_know_each_others_tokens(new_postgres_place: Callable[[], StorePlace]) -> None:
    place = new_postgres_place()
    with closing(open_sql_store(place)) as one, closing(open_sql_store(place)) as other:
        here, there = (TokenStore(store.database, store.keys, recorder=store.recorder) for store in (one, other))
        made, token = here.create("kiosk", EVERYTHING, lifetime=timedelta(days=1))
        assert there.all() == here.all() == [token]
        assert caller_of(TokenCheck(there), made) == "kiosk"
        there.revoke(token.token_id)
        assert here.all()[0].revoked_at is not None
        with pytest.raises(TokenInvalid):
            caller_of(TokenCheck(here), made)


def test_replicas_that_ask_for_a_secret_at_once_get_the_same(new_postgres_place: Callable[[], StorePlace]) -> None:
    place = new_postgres_place()
    with closing(open_sql_store(place)) as one, closing(open_sql_store(place)) as other:
        stores = [TokenStore(store.database, store.keys) for store in (one, other)] * 4
        barrier = threading.Barrier(len(stores))

        def ask(store: TokenStore) -> bytes:
            barrier.wait()
            return store.secret("at once")

        with ThreadPoolExecutor(len(stores)) as pool:
            assert len(set(pool.map(ask, stores))) == 1
