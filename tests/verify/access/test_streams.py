"""What a stream of messages may do: each is let in, counted, concealed and recorded as a call of its own would be."""

import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from encode.errors import LockedOut, ScopeMissing, TokenInvalid
from encode.sample import ImageSample, Modality
from enroll.access.tokens import TokenStore
from enroll.audit.event import Action
from enroll.audit.reading import stored_log
from enroll.stores.sql import SqlStore
from verify.client.batch_items import EnrollItem, VerifyItem
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings

Face = Callable[..., ImageSample]
MakeToken = Callable[..., str]


@pytest.fixture
def fresh_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens count at once, not within two seconds."""
    monkeypatch.setattr("verify.access.tokens.FRESH_SECONDS", 0.0)


def test_each_item_needs_the_scope_in_its_own_collection(
    closed: str, make_token: MakeToken, everything: str, fresh_tokens: None, face: Face
) -> None:
    token = make_token("enroll:lab", "verify:lab")
    names = ["lab", "vault", "lab", "Lab", ""]
    with Client(closed, token=token) as client:
        items = [EnrollItem(name, f"person {n}", [face(n)]) for n, name in enumerate(names)]
        enrolled = {one.index: type(one.error) for one in client.enroll_batch(items)}
        claims = [VerifyItem(name, "person 0", [face(0, 3)]) for name in names]
        decided = {one.index: type(one.error) for one in client.verify_batch(claims)}
    refused = {index: ScopeMissing for index, name in enumerate(names) if name != "lab"}
    assert enrolled == {0: type(None), 2: type(None)} | refused
    assert decided == {0: type(None), 2: type(None)} | refused
    with Client(closed, token=everything) as root:
        assert [one.person for one in root.list_persons("vault")] == []


def test_whoever_may_not_know_is_not_told_who_is_enrolled(
    closed: str, make_token: MakeToken, everything: str, fresh_tokens: None, face: Face
) -> None:
    with Client(closed, token=everything) as root:
        root.enroll("hidden", "ada", [face(1)])
    with Client(closed, token=make_token("verify:hidden")) as client:
        results = list(client.verify_batch(VerifyItem("hidden", name, [face(2)]) for name in ("ada", "nobody")))
    assert all(one.error is None and one.answer is not None and not one.answer.accepted for one in results)


def test_a_token_revoked_meanwhile_ends_the_stream(
    closed: str, sql_store: SqlStore, make_token: MakeToken, fresh_tokens: None, face: Face
) -> None:
    token = make_token("enroll:staff")

    def items() -> Iterator[EnrollItem]:
        yield EnrollItem("staff", "first", [face(1)])
        TokenStore(sql_store.database, sql_store.keys).revoke(token.split("_")[1])
        while True:
            yield EnrollItem("staff", "after", [face(2)])

    with Client(closed, token=token) as client, pytest.raises(TokenInvalid):
        list(client.enroll_batch(items()))


def test_a_stream_is_slowed_down_to_its_callers_rate(
    models: Mapping[Modality, Model], sql_store: SqlStore, make_token: MakeToken, face: Face
) -> None:
    settings = ServiceSettings(port=0, access="tokens", calls_per_second=10.0, lockout_rejections=0)
    with serving(models, sql_store, settings) as address, Client(address, token=make_token("verify:slow")) as client:
        # 20 may come at once, of which opening the stream is one: of calls of their own, ten would be refused.
        results = list(client.verify_batch(VerifyItem("slow", "nobody", [face(1)]) for _ in range(29)))
    assert len(results) == 29
    assert all(one.error is None for one in results)


def test_rejections_of_a_stream_lock_the_person_out_and_nobody_waits_for_it(
    models: Mapping[Modality, Model], sql_store: SqlStore, make_token: MakeToken, face: Face
) -> None:
    settings = ServiceSettings(port=0, access="tokens", lockout_rejections=3)
    token = make_token("verify:shop", "enroll:shop")
    with serving(models, sql_store, settings) as address, Client(address, token=token) as client:
        client.enroll("shop", "ada", [face(1)])
        results = list(client.verify_batch(VerifyItem("shop", "ada", [face(2)]) for _ in range(20)))
        rejected = [one for one in results if one.answer is not None]
        assert len(rejected) == 3
        assert not any(one.answer and one.answer.accepted for one in rejected)
        locked = [one.error for one in results if one.error is not None]
        assert len(locked) == 17
        assert all(isinstance(error, LockedOut) and error.retry_after > 0 for error in locked)
        with pytest.raises(LockedOut):
            client.verify("shop", "ada", [face(1, 3)])


def test_every_item_is_in_the_audit_log(
    models: Mapping[Modality, Model], sql_store: SqlStore, make_token: MakeToken, face: Face
) -> None:
    settings = ServiceSettings(port=0, access="tokens")
    token = make_token("verify:audited", "enroll:audited", name="bulk loader")
    with serving(models, sql_store, settings) as address, Client(address, token=token) as client:
        list(client.enroll_batch(EnrollItem("audited", f"p{n}", [face(n)]) for n in range(4)))
        list(client.verify_batch(VerifyItem("audited", f"p{n}", [face(n, 2)]) for n in range(5)))
    with sql_store.database.reading() as connection:
        entries = [json.loads(row.entry) for row in stored_log(connection)[1]]
    told = [(entry["action"], entry["outcome"]) for entry in entries if entry.get("caller") == "bulk loader"]
    assert told.count((Action.ENROLL.value, "done")) == 4
    assert told.count((Action.VERIFY.value, "accepted")) == 4
    assert told.count((Action.VERIFY.value, "refused")) == 1
