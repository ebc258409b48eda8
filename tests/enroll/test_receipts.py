"""Receipts of erasures: signed alike every time, checked by anybody, and found in the audit log."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from encode.errors import FieldInvalid, ReceiptInvalid
from encode.sample import Modality
from enroll.answers import ErasedTemplate, ErasureReceipt
from enroll.audit.chain import AuditKeys
from enroll.audit.check import Row
from enroll.audit.event import Action, AuditEvent
from enroll.receipts import PublicKey, ReceiptKey, Statement, find_entry, key_of
from enroll.stores.memory import MemoryStore
from enroll.stores.opening import StorePlace, open_sql_store

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
ERASED = (ErasedTemplate(Modality.FACE, "a" * 64, 5), ErasedTemplate(Modality.SIGNATURE, "b" * 64, 3))
STATEMENT = Statement("c" * 32, "staff", "ada", ERASED, NOW)
KEY = ReceiptKey(bytes(range(32)))
AUDIT = AuditKeys.derive(bytes(32))

CHANGES: dict[str, dict[str, Any]] = {
    "another receipt": {"receipt_id": "d" * 32},
    "another collection": {"collection": "visitors"},
    "another person": {"person": "bob"},
    "a template less": {"templates": ERASED[:1]},
    "templates in another order": {"templates": ERASED[::-1]},
    "another model": {"templates": (replace(ERASED[0], model_digest="e" * 64), ERASED[1])},
    "another modality": {"templates": (replace(ERASED[0], modality=Modality.SIGNATURE), ERASED[1])},
    "other references": {"templates": (replace(ERASED[0], references=6), ERASED[1])},
    "a microsecond later": {"erased_at": NOW + timedelta(microseconds=1)},
    "collection and person cut elsewhere": {"collection": "staffa", "person": "da"},
}


def test_a_receipt_that_was_issued_verifies_and_is_signed_alike_every_time() -> None:
    signature = KEY.sign(STATEMENT)
    KEY.public.check(STATEMENT, KEY.public.key_id, signature)
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert KEY.sign(replace(STATEMENT, erased_at=elsewhere)) == signature
    assert ReceiptKey(bytes(range(32))).sign(STATEMENT) == signature
    assert len(signature) == 64


@pytest.mark.parametrize("change", CHANGES)
def test_a_receipt_changed_in_anything_does_not(change: str) -> None:
    with pytest.raises(ReceiptInvalid, match="not what was signed") as caught:
        KEY.public.check(replace(STATEMENT, **CHANGES[change]), KEY.public.key_id, KEY.sign(STATEMENT))
    assert caught.value.field == "signature"
    assert "ada" not in str(caught.value)


def test_nor_one_of_another_key_or_without_signature() -> None:
    other = ReceiptKey(bytes(32))
    for key_id, signature, field in (
        (other.public.key_id, other.sign(STATEMENT), "key_id"),
        (KEY.public.key_id, other.sign(STATEMENT), "signature"),
        (KEY.public.key_id, b"short", "signature"),
        ("", b"", "signature"),
    ):
        with pytest.raises(ReceiptInvalid) as caught:
            KEY.public.check(STATEMENT, key_id, signature)
        assert caught.value.field == field


def test_anybody_can_check_with_the_published_key_and_another_program() -> None:
    published = load_pem_public_key(KEY.public.to_pem().encode())
    assert isinstance(published, Ed25519PublicKey)
    told = {
        "collection": "staff",
        "erased_at": "2025-03-01T12:30:15.123456+00:00",
        "person": "ada",
        "receipt_id": "c" * 32,
        "templates": [["face", "a" * 64, 5], ["signature", "b" * 64, 3]],
    }
    signed = b"countersign erasure receipt 1" + json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    published.verify(KEY.sign(STATEMENT), signed)
    assert PublicKey.from_pem(KEY.public.to_pem().encode()) == KEY.public


@pytest.mark.parametrize("pem", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", None])
def test_what_is_no_public_key_of_receipts_is_refused(pem: bytes | None) -> None:
    if pem is None:
        other = ec.generate_private_key(ec.SECP256R1()).public_key()
        pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(FieldInvalid) as caught:
        PublicKey.from_pem(pem)
    assert caught.value.field == "public_key"


def entry(number: int, **changes: Any) -> Row:
    fields: dict[str, Any] = {
        "action": Action.DELETE_PERSON,
        "collection": "staff",
        "person": "ada",
        "models": {"face": "a" * 64, "signature": "b" * 64},
        "subject": "c" * 32,
    }
    return Row(number, AuditEvent(**{**fields, **changes}).entry(AUDIT, NOW), bytes(32))


def test_the_entry_of_an_erasure_is_found_by_the_receipt() -> None:
    rows = [
        entry(1, action=Action.ENROLL),
        entry(2, subject="d" * 32),
        entry(3, action=Action.VERIFY),
        entry(4),
        entry(5, subject="e" * 32),
    ]
    pseudonym = AUDIT.pseudonym_of("staff", "ada")
    assert find_entry(rows, STATEMENT, pseudonym) == 4
    with pytest.raises(ReceiptInvalid, match="no erasure with this receipt"):
        find_entry(rows[:3], STATEMENT, pseudonym)


@pytest.mark.parametrize(
    "change", [{"person": "bob"}, {"collection": "visitors"}, {"models": {"face": "a" * 64}}], ids=str
)
def test_an_entry_that_tells_of_another_erasure_is_told(change: dict[str, Any]) -> None:
    with pytest.raises(ReceiptInvalid, match=r"entry 4 .* another erasure"):
        find_entry([entry(4, **change)], STATEMENT, AUDIT.pseudonym_of("staff", "ada"))


def test_a_store_signs_with_one_key_for_as_long_as_its_key_store_lives(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "one", "two"):
        with closing(open_sql_store(StorePlace(str(tmp_path / name)))) as store:
            found = key_of(store)
            assert found is not None
            keys.append(found.public)
    assert keys[0] == keys[1] != keys[2]
    assert key_of(MemoryStore()) is None


def test_no_representation_names_the_person_or_the_key() -> None:
    receipt = ErasureReceipt("c" * 32, ERASED, NOW)
    assert Statement.of("staff", "ada", receipt) == STATEMENT
    assert "ada" not in repr(STATEMENT)
    assert repr(KEY) == f"ReceiptKey({KEY.public.key_id})"
