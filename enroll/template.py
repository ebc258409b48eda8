"""What is kept of a person in one modality: the embeddings of the references, never the samples.

    references = anchors (the first A enrolled, for good) + recent (a ring of the R enrolled last)

Anchors hold the template to the person who was enrolled under supervision; the ring lets it follow a face or a hand
that changes. Both are bound to the model that made them.

Stored form (no pickle): ``b"CSTM"``, format byte, header length (uint32), header (canonical JSON), anchors then recent
as little-endian float32, and the SHA-256 of all before it.
"""

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from encode.errors import StoreCorrupt
from encode.sample import Modality

_MAGIC = b"CSTM"
_FORMAT = 1
_PREFIX = struct.Struct("<4sBI")
_DIGEST_BYTES = 32


@dataclass(frozen=True, eq=False)
class Template:
    """One person's references in one modality.

    Attributes
    ----------
    template_id : 32 hex digits, drawn when the person is first enrolled; a person erased and enrolled again gets
        another, so that a writer who read the erased template can never bring it back.
    model_digest : the model whose embedding space the references live in.
    anchors, recent : float32 (A, D) and (R, D), oldest first, read-only.
    version : 0 for a template never stored, then one more with every change.
    """

    collection: str
    person: str
    modality: Modality
    model_digest: str
    template_id: str
    anchors: NDArray[np.float32]
    recent: NDArray[np.float32]
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def empty(
        cls, collection: str, person: str, modality: Modality, model_digest: str, *, size: int, now: datetime
    ) -> Self:
        """A template without references, for embeddings of `size` values; `now` is in UTC."""
        none = _read_only(np.empty((0, size), np.float32))
        return cls(collection, person, modality, model_digest, secrets.token_hex(16), none, none, 0, now, now)

    @property
    def references(self) -> NDArray[np.float32]:
        """All references, float32 (A + R, D): anchors, then the ring from oldest to newest."""
        return np.concatenate([self.anchors, self.recent])

    @property
    def size(self) -> int:
        """D, the values of an embedding."""
        return int(self.anchors.shape[1])

    def with_references(
        self, new: NDArray[np.float32], *, anchors_capacity: int, recent_capacity: int, now: datetime
    ) -> Self:
        """This template with `new` (n, D) added, in order, and the version raised by one.

        The first references ever enrolled become anchors until `anchors_capacity` is reached; later ones enter the
        ring, which keeps the newest `recent_capacity`.
        """
        if new.ndim != 2 or new.shape[1] != self.size:
            raise ValueError(f"references of shape (n, {self.size}) expected, not {new.shape}")
        free = max(0, anchors_capacity - len(self.anchors))
        anchors = np.concatenate([self.anchors, new[:free]])
        ring = np.concatenate([self.recent, new[free:]])
        recent = ring[max(0, len(ring) - recent_capacity) :]
        return replace(
            self,
            anchors=_read_only(anchors),
            recent=_read_only(recent),
            version=self.version + 1,
            updated_at=now,
        )

    def to_bytes(self) -> bytes:
        """The stored form; the same for equal templates."""
        header = json.dumps(
            {
                "collection": self.collection,
                "person": self.person,
                "modality": self.modality.value,
                "model_digest": self.model_digest,
                "template_id": self.template_id,
                "version": self.version,
                "created_at": self.created_at.isoformat(),
                "updated_at": self.updated_at.isoformat(),
                "anchors": len(self.anchors),
                "recent": len(self.recent),
                "size": self.size,
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        values = self.references.astype("<f4", copy=False).tobytes()
        body = _PREFIX.pack(_MAGIC, _FORMAT, len(header)) + header + values
        return body + hashlib.sha256(body).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the stored form.

        Raises
        ------
        StoreCorrupt : the bytes are not a template of this format, or were changed since they were written.
        """
        body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
        if len(body) < _PREFIX.size or hashlib.sha256(body).digest() != digest:
            raise _corrupt("its checksum does not agree")
        magic, version, header_bytes = _PREFIX.unpack_from(body)
        if magic != _MAGIC or version != _FORMAT:
            raise _corrupt(f"it is not in template format {_FORMAT}")
        try:
            header = json.loads(body[_PREFIX.size : _PREFIX.size + header_bytes])
            count, size = header["anchors"] + header["recent"], header["size"]
            values = np.frombuffer(body, dtype="<f4", offset=_PREFIX.size + header_bytes).astype(np.float32)
            references = values.reshape(count, size)
            return cls(
                collection=header["collection"],
                person=header["person"],
                modality=Modality(header["modality"]),
                model_digest=header["model_digest"],
                template_id=header["template_id"],
                anchors=_read_only(references[: header["anchors"]]),
                recent=_read_only(references[header["anchors"] :]),
                version=header["version"],
                created_at=datetime.fromisoformat(header["created_at"]),
                updated_at=datetime.fromisoformat(header["updated_at"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise _corrupt("its header and its content disagree") from error

    def __repr__(self) -> str:
        """Names neither the person nor a value, so that a template cannot reach a log through a format string."""
        count = len(self.anchors) + len(self.recent)
        return f"Template(modality={self.modality.value}, references={count}, version={self.version})"


def _read_only(values: NDArray[np.float32]) -> NDArray[np.float32]:
    copy = np.array(values, dtype=np.float32, copy=True)
    copy.setflags(write=False)
    return copy


def _corrupt(why: str) -> StoreCorrupt:
    return StoreCorrupt(f"a stored template does not decode: {why}", fix="restore the database from a backup")
