"""What keeps a token's row as it was written: a seal with a key that the key store holds and the database does not.

    seal = AES-256-GCM of nothing, for (id, name, hash of the secret, grants, created, expires)

Without it (see `enroll.keys.envelope`) whoever can write the database could write themselves a token. Every token has a
key of its own, destroyed when the token is revoked: a row put back from before that opens nothing either.
"""

from datetime import UTC, datetime

from enroll.keys.envelope import Cipher, NotSealedSo
from enroll.keys.store import KeyStore


def seal_token(
    keys: KeyStore,
    token_id: str,
    name: str,
    secret_hash: bytes,
    grants: str,
    created_at: datetime,
    expires_at: datetime | None,
) -> bytes:
    """The seal of a new row, with a new key, or that of a try which came to nothing. Raises StoreUnavailable."""
    key = keys.get(_ref(token_id)) or keys.create(_ref(token_id))
    return key.cipher.seal(b"", *_parts(token_id, name, secret_hash, grants, created_at, expires_at))


def token_is_intact(
    keys: KeyStore,
    seal: bytes | None,
    token_id: str,
    name: str,
    secret_hash: bytes,
    grants: str,
    created_at: datetime,
    expires_at: datetime | None,
) -> bool:
    """Whether a row is what was sealed, and not revoked since. Raises StoreUnavailable."""
    key = keys.get(_ref(token_id))
    return key is not None and _opens(
        key.cipher, seal, _parts(token_id, name, secret_hash, grants, created_at, expires_at)
    )


def destroy_seal(keys: KeyStore, token_id: str) -> None:
    """Let no row of this token be intact again. Raises StoreUnavailable."""
    keys.destroy([_ref(token_id)])


def _opens(cipher: Cipher, seal: bytes | None, parts: tuple[str, ...]) -> bool:
    try:
        cipher.open(seal or b"", *parts)
    except NotSealedSo:
        return False
    return True


def _ref(token_id: str) -> str:
    return f"token {token_id}"


def _parts(
    token_id: str, name: str, secret_hash: bytes, grants: str, created_at: datetime, expires_at: datetime | None
) -> tuple[str, ...]:
    expires = "never" if expires_at is None else _instant(expires_at)
    return "token", token_id, name, secret_hash.hex(), grants, _instant(created_at), expires


def _instant(moment: datetime) -> str:
    """The same for a moment however a database gives it back; SQLite does so without its zone."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat(timespec="microseconds")
