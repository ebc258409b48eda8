"""The arithmetic of the audit log: what ties an entry to those before it, and what seals the end.

    link(0) = SHA-256("countersign audit log, format 1")
    link(n) = SHA-256( link(n−1) ‖ n as 8 bytes, big-endian ‖ entry(n) )
    seal(n) = HMAC-SHA-256( head key, n as 8 bytes ‖ link(n) )
    pseudonym = first 16 bytes of HMAC-SHA-256( pseudonym key, length of collection as 4 bytes ‖ collection ‖ person )

Links need no key, so that whoever holds an exported log and one head kept elsewhere can check it alone. Whoever can
write the database can compute them all anew: the seal tells. Whoever can put the log and its head back together to an
earlier state is told by a head kept elsewhere only.

Both keys come from one secret by HKDF-Expand (RFC 5869, one block).
"""

import hashlib
import hmac
import re
import struct
from dataclasses import dataclass, field
from typing import Self

from encode.errors import FieldInvalid

SECRET_BYTES = 32
_PREFIX = struct.Struct(">32sQ")
_SEALED = struct.Struct(">Q32s")
_UINT64 = 2**64 - 1
"""A number that was tampered with may be negative: it must give another link, not an error."""
_LENGTH = struct.Struct(">I")
_PSEUDONYM_BYTES = 16
_HEAD = re.compile(r"([1-9][0-9]{0,18}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log ends, or one place it has been through: the last entry's number and its link (32 bytes)."""

    sequence: int
    link: bytes

    @classmethod
    def parse(cls, text: str, field: str = "head") -> Self:
        """Read ``SEQUENCE:LINK``, the link in 64 hex digits. Raises FieldInvalid."""
        found = _HEAD.fullmatch(text.strip().lower())
        if not found:
            raise FieldInvalid(
                "a head is a number, a colon and 64 hex digits",
                field=field,
                fix="copy it from the service's log (`audit_head`) or from an earlier `countersign audit verify`",
            )
        return cls(int(found[1]), bytes.fromhex(found[2]))

    def __str__(self) -> str:
        return f"{self.sequence}:{self.link.hex()}"


START = Head(0, hashlib.sha256(b"countersign audit log, format 1").digest())
"""What stands before the first entry."""


def following(head: Head, entry: bytes) -> Head:
    """The head after `entry` has been added to a log that ended in `head`."""
    sequence = head.sequence + 1
    return Head(sequence, hashlib.sha256(_PREFIX.pack(head.link, sequence & _UINT64) + entry).digest())


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """The two keys of a log, 32 bytes each; they show in no representation."""

    head: bytes = field(repr=False)
    pseudonym: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes) -> Self:
        """Both keys from one uniformly random secret of 32 bytes, which must outlive every rotation of other keys.

        With another secret people get other pseudonyms and no older seal can be checked.
        """
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"the audit secret has {SECRET_BYTES} bytes")
        return cls(
            head=hmac.digest(secret, b"countersign audit head\x01", "sha256"),
            pseudonym=hmac.digest(secret, b"countersign audit pseudonym\x01", "sha256"),
        )

    def seal(self, head: Head) -> bytes:
        """The seal of a head, 32 bytes."""
        return hmac.digest(self.head, _SEALED.pack(head.sequence & _UINT64, head.link), "sha256")

    def sealed(self, head: Head, seal: bytes) -> bool:
        """Whether `seal` is that of `head`, compared in constant time."""
        return hmac.compare_digest(self.seal(head), seal)

    def pseudonym_of(self, collection: str, person: str) -> str:
        """What stands for a person in the log, 32 hex digits: the same for every entry, of use only with the key."""
        named = collection.encode()
        told = _LENGTH.pack(len(named)) + named + person.encode()
        return hmac.digest(self.pseudonym, told, "sha256")[:_PSEUDONYM_BYTES].hex()
