"""What is kept of a person in one modality: the embeddings of the references, never the samples.

    references = anchors (the first A enrolled, for good) + recent (a ring of the R enrolled last) + adapted

Anchors hold the template to the person who was enrolled under supervision; the ring lets it follow a face or a hand
that changes. What it learned from accepted probes is kept apart (see `enroll.adapted`). All are bound to the model that
made them. A compact template keeps the references' moments instead (see `enroll.moments`), and no reference.

Stored form (no pickle): ``b"CSTM"``, format byte, header length (uint32), header (canonical JSON), values as
little-endian float32, and the SHA-256 of all before it. The values are anchors then recent in format 1, mean then
squares in format 2, that of compact templates; format 3 is format 1 with the values packed (see `enroll.packing`), for
rows of more values than any embedding has. Formats 4 and 5 are 1 and 3 with adapted references, and a candidate if
there is one, behind the ring; templates that never adapted keep the bytes they always had.
"""

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from encode.errors import StoreCorrupt
from encode.sample import Modality
from enroll.adapted import Adapted
from enroll.moments import Moments
from enroll.packing import packed, unpacked

_MAGIC = b"CSTM"
_REFERENCES_FORMAT = 1
_MOMENTS_FORMAT = 2
_PACKED_FORMAT = 3
_ADAPTED_FORMAT = 4
_ADAPTED_PACKED_FORMAT = 5
_PACKED = (_PACKED_FORMAT, _ADAPTED_PACKED_FORMAT)
_ADAPTING = (_ADAPTED_FORMAT, _ADAPTED_PACKED_FORMAT)
_PACKED_FROM = 1024
"""Values of a row from which on it is packed: such rows hold a trace, mostly padding."""
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
    moments : of a compact template, whose anchors and recent are empty; else None.
    adapted : what was learned from accepted probes; None for a template that never adapted, as every compact one.
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
    moments: Moments | None = None
    adapted: Adapted | None = None

    @classmethod
    def empty(
        cls,
        collection: str,
        person: str,
        modality: Modality,
        model_digest: str,
        *,
        size: int,
        now: datetime,
        compact: bool = False,
    ) -> Self:
        """A template without references, for rows of `size` values; `now` is in UTC."""
        none = _read_only(np.empty((0, size), np.float32))
        moments = Moments.none(size) if compact else None
        return cls(collection, person, modality, model_digest, secrets.token_hex(16), none, none, 0, now, now, moments)

    @property
    def enrolled(self) -> NDArray[np.float32]:
        """The references of supervised enrolment, float32 (A + R, D): anchors, then the ring from oldest to newest."""
        return np.concatenate([self.anchors, self.recent])

    @property
    def references(self) -> NDArray[np.float32]:
        """All references kept, float32 (A + R + P, D): those enrolled, then the adapted ones, oldest first."""
        return self.enrolled if self.adapted is None else np.concatenate([self.enrolled, self.adapted.references])

    @property
    def adapted_count(self) -> int:
        """P, how many references were learned from accepted probes."""
        return 0 if self.adapted is None else len(self.adapted.references)

    @property
    def quarantined(self) -> bool:
        """Whether a candidate is in quarantine."""
        return self.adapted is not None and self.adapted.candidate is not None

    @property
    def count(self) -> int:
        """How many references stand behind the template: those kept, or those that entered its moments."""
        if self.moments is not None:
            return self.moments.count
        return len(self.anchors) + len(self.recent) + self.adapted_count

    @property
    def size(self) -> int:
        """D, the values of a reference."""
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
        if self.moments is not None:
            raise ValueError("a compact template keeps no references")
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

    def with_adapted(self, adapted: Adapted | None, *, now: datetime) -> Self:
        """This template with `adapted` in place of what it learned before, and the version raised by one."""
        if self.moments is not None:
            raise ValueError("a compact template does not adapt")
        return replace(self, adapted=adapted, version=self.version + 1, updated_at=now)

    def with_moments_of(self, new: NDArray[np.float32], *, now: datetime) -> Self:
        """This compact template with `new` (n, D) merged into its moments, and the version raised by one."""
        if self.moments is None:
            raise ValueError("the template keeps references, not moments")
        moments = self.moments.with_references(new)
        return replace(self, moments=moments, version=self.version + 1, updated_at=now)

    def to_bytes(self) -> bytes:
        """The stored form; the same for equal templates."""
        held: dict[str, int | bool | str | None]
        wide = self.size >= _PACKED_FROM
        if self.moments is not None:
            layout, values, held = _MOMENTS_FORMAT, self.moments.to_array(), {"count": self.moments.count}
        else:
            layout, values = _PACKED_FORMAT if wide else _REFERENCES_FORMAT, self.enrolled
            held = {"anchors": len(self.anchors), "recent": len(self.recent)}
            if self.adapted is not None:
                layout = _ADAPTED_PACKED_FORMAT if wide else _ADAPTED_FORMAT
                values = np.concatenate([values, self.adapted.rows])
                at = self.adapted.candidate_at
                held |= {"adapted": self.adapted_count, "candidate": self.quarantined}
                held |= {"candidate_at": None if at is None else at.isoformat()}
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
                "size": self.size,
                **held,
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        stored = packed(values) if layout in _PACKED else values.astype("<f4", copy=False).tobytes()
        body = _PREFIX.pack(_MAGIC, layout, len(header)) + header + stored
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
        magic, layout, header_bytes = _PREFIX.unpack_from(body)
        if magic != _MAGIC or not _REFERENCES_FORMAT <= layout <= _ADAPTED_PACKED_FORMAT:
            raise _corrupt(f"it is in none of the template formats 1 to {_ADAPTED_PACKED_FORMAT}")
        try:
            header = json.loads(body[_PREFIX.size : _PREFIX.size + header_bytes])
            size, anchors, recent, moments, adapted = header["size"], 0, 0, None, None
            stored = body[_PREFIX.size + header_bytes :]
            if layout == _MOMENTS_FORMAT:
                moments = Moments.from_array(header["count"], _plain(stored).reshape(2, size))
                references = np.empty((0, size), np.float32)
            else:
                anchors, recent = header["anchors"], header["recent"]
                enrolled, learned = anchors + recent, _learned(header) if layout in _ADAPTING else 0
                count = (enrolled + learned) * size
                values = unpacked(stored, count) if layout in _PACKED else _plain(stored)
                references = values.reshape(enrolled + learned, size)
                if layout in _ADAPTING:
                    adapted = _adapted(header, references[enrolled:])
                references = references[:enrolled]
            return cls(
                collection=header["collection"],
                person=header["person"],
                modality=Modality(header["modality"]),
                model_digest=header["model_digest"],
                template_id=header["template_id"],
                anchors=_read_only(references[:anchors]),
                recent=_read_only(references[anchors:]),
                version=header["version"],
                created_at=datetime.fromisoformat(header["created_at"]),
                updated_at=datetime.fromisoformat(header["updated_at"]),
                moments=moments,
                adapted=adapted,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise _corrupt("its header and its content disagree") from error

    def __repr__(self) -> str:
        """Names neither the person nor a value, so that a template cannot reach a log through a format string."""
        return f"Template(modality={self.modality.value}, references={self.count}, version={self.version})"


def _learned(header: dict[str, Any]) -> int:
    """How many rows stand behind those enrolled."""
    return int(header["adapted"]) + int(header["candidate"])


def _adapted(header: dict[str, Any], rows: NDArray[np.float32]) -> Adapted:
    at = header["candidate_at"]
    return Adapted.of_rows(
        rows, candidate=header["candidate"], candidate_at=None if at is None else datetime.fromisoformat(at)
    )


def _plain(stored: bytes) -> NDArray[np.float32]:
    return np.frombuffer(stored, dtype="<f4").astype(np.float32)


def _read_only(values: NDArray[np.float32]) -> NDArray[np.float32]:
    copy = np.array(values, dtype=np.float32, copy=True)
    copy.setflags(write=False)
    return copy


def _corrupt(why: str) -> StoreCorrupt:
    return StoreCorrupt(f"a stored template does not decode: {why}", fix="restore the database from a backup")
