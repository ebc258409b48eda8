"""What enrolment and erasure answer, as plain data with a JSON form that the store remembers for repeated requests.

None of it is biometric: counts, times and reasons.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from encode.errors import StoreCorrupt
from encode.sample import Modality
from enroll.acquisition import Problem
from enroll.template import Template


@dataclass(frozen=True, slots=True)
class TemplateSummary:
    """What may be told of a template; `missing` is how many references it needs before it can answer a claim.

    The references behind a compact template count as anchors: none of them ever leaves it. `adapted` are learned from
    accepted probes; `quarantined` (0 or 1) wait to be, since `quarantined_since`. `samples_kept` is None where
    nobody asked how many there are, as in the answer to an enrolment.
    """

    modality: Modality
    model_digest: str
    anchors: int
    recent: int
    missing: int
    version: int
    created_at: datetime
    updated_at: datetime
    samples_kept: int | None = None
    adapted: int = 0
    quarantined: int = 0
    quarantined_since: datetime | None = None

    @classmethod
    def of(cls, template: Template, minimum: int) -> Self:
        recent, adapted = len(template.recent), template.adapted_count
        anchors = template.count - recent - adapted
        held = template.adapted
        return cls(
            modality=template.modality,
            model_digest=template.model_digest,
            anchors=anchors,
            recent=recent,
            missing=max(0, minimum - template.count),
            version=template.version,
            created_at=template.created_at,
            updated_at=template.updated_at,
            adapted=adapted,
            quarantined=int(template.quarantined),
            quarantined_since=held.candidate_at if held is not None and template.quarantined else None,
        )

    def to_json(self) -> bytes:
        return _SUMMARY.dump_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> "TemplateSummary":
        """Raises StoreCorrupt."""
        return _parse(_SUMMARY, data)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one sample: a reference, or the problem that kept it from being one."""

    modality: Modality
    problem: Problem | None = None

    @property
    def accepted(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Enrollment:
    """The person's templates after an enrolment, and one outcome a sample, in order."""

    templates: tuple[TemplateSummary, ...]
    outcomes: tuple[Outcome, ...]

    def to_json(self) -> bytes:
        return _ENROLLMENT.dump_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> "Enrollment":
        """Raises StoreCorrupt."""
        return _parse(_ENROLLMENT, data)


@dataclass(frozen=True, slots=True)
class ErasedTemplate:
    """A template that is no more, and how many references it held."""

    modality: Modality
    model_digest: str
    references: int


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What was erased and when. It does not name the person: the store remembers it after the person is gone."""

    receipt_id: str
    templates: tuple[ErasedTemplate, ...]
    erased_at: datetime

    def to_json(self) -> bytes:
        return _RECEIPT.dump_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> "ErasureReceipt":
        """Raises StoreCorrupt."""
        return _parse(_RECEIPT, data)


_Answer = TypeVar("_Answer")
_SUMMARY = TypeAdapter(TemplateSummary)
_ENROLLMENT = TypeAdapter(Enrollment)
_RECEIPT = TypeAdapter(ErasureReceipt)


def _parse(kind: TypeAdapter[_Answer], data: bytes) -> _Answer:
    try:
        return kind.validate_json(data)
    except ValidationError as error:
        raise StoreCorrupt("a remembered answer does not decode", fix="restore the database from a backup") from error
