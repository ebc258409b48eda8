"""Sealing stored bytes: AES-256-GCM (NIST SP 800-38D) with all that names a record as associated data.

    sealed = format ‖ nonce (12 random bytes) ‖ ciphertext ‖ tag (16 bytes)
    associated data = format ‖ JSON list of the parts

A sealed record opens only under its own key and with the very parts it was sealed with: moved to another person, to
another version or to another kind of record, or changed in one bit, it does not open. Random nonces allow 2³² seals a
key (SP 800-38D, 8.3); a person's key makes a few an enrolment.
"""

import json
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
OVERHEAD = 1 + 12 + 16
"""Bytes that sealing adds."""

_FORMAT = b"\x01"
_NONCE_BYTES = 12

Part = str | int


class NotSealedSo(Exception):
    """The bytes were not sealed with this key and these parts, or have been changed since."""


class Cipher:
    """Seals and opens with one key of 32 bytes, which shows in no representation."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._aead = AESGCM(key)

    def seal(self, plain: bytes, *parts: Part) -> bytes:
        """`plain` sealed for the record that `parts` name, the kind of the record first."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, plain, _associated(parts))

    def open(self, sealed: bytes, *parts: Part) -> bytes:
        """What was sealed for `parts`. Raises NotSealedSo."""
        if len(sealed) < OVERHEAD or sealed[:1] != _FORMAT:
            raise NotSealedSo
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, rest, _associated(parts))
        except InvalidTag as error:
            raise NotSealedSo from error


def _associated(parts: tuple[Part, ...]) -> bytes:
    return _FORMAT + json.dumps(parts, separators=(",", ":"), ensure_ascii=True).encode()
