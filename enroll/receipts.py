"""Signed receipts: proof, to whoever holds one, that a service said when a person was erased, and of what.

    statement   canonical JSON of receipt id, collection, person, erased templates, time
    signature   Ed25519 (RFC 8032) of "countersign erasure receipt 1" ‖ statement
    key         seed of 32 bytes by HKDF from the key store's secret: the same in every replica, through every rotation

Ed25519 draws no random numbers: a repeated request gets the same signature, without the person's name being kept for
it. Anybody who has the public key can check a receipt. That the erasure is also in the audit log, which no receipt
alone can show, is looked up by its id.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from encode.errors import FieldInvalid, ReceiptInvalid
from enroll.answers import ErasedTemplate, ErasureReceipt
from enroll.audit.check import Row
from enroll.audit.event import Action, canonical
from enroll.audit.reading import told_by
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore

_SECRET = "erasure receipts"  # noqa: S105 - what a secret is for
_DOMAIN = b"countersign erasure receipt 1"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a receipt states. Unlike what the store remembers of an erasure, it names the person."""

    receipt_id: str
    collection: str
    person: str = field(repr=False)
    templates: tuple[ErasedTemplate, ...]
    erased_at: datetime

    @classmethod
    def of(cls, collection: str, person: str, receipt: ErasureReceipt) -> "Statement":
        return cls(receipt.receipt_id, collection, person, receipt.templates, receipt.erased_at)

    def to_bytes(self) -> bytes:
        """What is signed; the same for equal statements."""
        return _DOMAIN + canonical(
            {
                "collection": self.collection,
                "erased_at": self.erased_at.astimezone(UTC).isoformat(timespec="microseconds"),
                "person": self.person,
                "receipt_id": self.receipt_id,
                "templates": [[one.modality.value, one.model_digest, one.references] for one in self.templates],
            }
        )


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of the key that signs a store's receipts, for anybody to have."""

    raw: bytes

    @property
    def key_id(self) -> str:
        """16 hex digits that name it."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @classmethod
    def from_pem(cls, pem: bytes) -> "PublicKey":
        """Raises FieldInvalid."""
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _no_key() from error
        if not isinstance(key, Ed25519PublicKey):
            raise _no_key()
        return cls(key.public_bytes_raw())

    def to_pem(self) -> str:
        """As OpenSSL writes public keys (SubjectPublicKeyInfo)."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def check(self, statement: Statement, key_id: str, signature: bytes) -> None:
        """Raise ReceiptInvalid unless `signature` is this key's of `statement`."""
        if not signature:
            raise ReceiptInvalid(
                "the receipt is not signed",
                field="signature",
                fix="services that keep people in memory sign none: there is nothing to check it by",
            )
        if key_id != self.key_id:
            raise ReceiptInvalid(
                f"the receipt was signed with key {key_id[:16]!r}, not with {self.key_id}",
                field="key_id",
                fix="give the public key of the service that issued it",
            )
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, statement.to_bytes())
        except InvalidSignature as error:
            raise ReceiptInvalid(
                "the receipt is not what was signed: it was changed, or made up",
                field="signature",
                fix="ask whoever issued it for the original",
            ) from error


class ReceiptKey:
    """Signs receipts. `secret`: 32 bytes, those of the key store for this purpose."""

    def __init__(self, secret: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = PublicKey(self._private.public_key().public_bytes_raw())

    def sign(self, statement: Statement) -> bytes:
        """64 bytes, always the same for the same statement."""
        return self._private.sign(statement.to_bytes())

    def __repr__(self) -> str:
        return f"ReceiptKey({self.public.key_id})"


def key_of(store: TemplateStore) -> ReceiptKey | None:
    """What signs the receipts of a store; one that has no keys signs none."""
    return ReceiptKey(store.keys.secret(_SECRET)) if isinstance(store, SqlStore) else None


def find_entry(rows: Iterable[Row], statement: Statement, pseudonym: str) -> int:
    """The number of the audit log's entry that tells of this very erasure.

    Parameters
    ----------
    pseudonym : of the person, with the log's key.

    Raises
    ------
    ReceiptInvalid : no entry has the receipt's id, or it tells of something else. AuditBroken : an entry is not JSON.
    """
    for row in rows:
        told = told_by(row)
        if told.get("action") != Action.DELETE_PERSON.value or told.get("subject") != statement.receipt_id:
            continue
        wanted = {"collection": statement.collection, "person": pseudonym}
        models = {one.modality.value: one.model_digest for one in statement.templates}
        if {name: told.get(name) for name in wanted} != wanted or told.get("models") != models:
            raise ReceiptInvalid(
                f"entry {row.sequence} of the audit log has the receipt's id, and tells of another erasure",
                field="receipt_id",
                fix="check the log with `countersign audit verify`",
            )
        return row.sequence
    raise ReceiptInvalid(
        "the audit log tells of no erasure with this receipt",
        field="receipt_id",
        fix="check that it is the issuing service's database, and that no restore took its log back",
    )


def _no_key() -> FieldInvalid:
    return FieldInvalid(
        "this is no public key of Ed25519 in PEM", field="public_key", fix="write one with `countersign receipt key`"
    )
