"""What a template learned by itself, kept apart from what was enrolled under supervision.

    adapted references   accepted probes that passed the rule of `enroll.adaptation` twice: when they came, and again
                         after their quarantine
    candidate            one accepted probe in quarantine; compared with nobody's probes

Dropping all of this gives back the template that enrolment alone made.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Adapted:
    """Adapted references and the quarantine of one template.

    Attributes
    ----------
    references : float32 (P, D), oldest first, read-only.
    candidate : float32 (D,), read-only, or None where nothing is in quarantine.
    candidate_at : when the last candidate entered, in UTC, whether or not it is still there: it bounds the rate.
    """

    references: Array = field(repr=False)
    candidate: Array | None = field(default=None, repr=False)
    candidate_at: datetime | None = None

    @classmethod
    def none(cls, size: int) -> Self:
        """Nothing learned, for rows of `size` values."""
        return cls(_read_only(np.empty((0, size))))

    def __post_init__(self) -> None:
        if self.references.ndim != 2 or (self.candidate is not None and self.candidate_at is None):
            raise ValueError("references (P, D) expected, and a time for a candidate")
        if self.candidate is not None and self.candidate.shape != self.references.shape[1:]:
            raise ValueError(f"a candidate of {self.references.shape[1]} values expected")

    def with_candidate(self, row: NDArray[np.floating], at: datetime) -> Self:
        """With `row` (D,) in quarantine since `at`, in place of any candidate before."""
        return replace(self, candidate=_read_only(row), candidate_at=at)

    def promoted(self, capacity: int) -> Self:
        """With the candidate as the newest of at most `capacity` adapted references; the oldest make room."""
        if self.candidate is None:
            raise ValueError("nothing is in quarantine")
        ring = np.concatenate([self.references, self.candidate[np.newaxis]])
        return replace(self, references=_read_only(ring[max(0, len(ring) - capacity) :]), candidate=None)

    def without_candidate(self) -> Self:
        """With an empty quarantine; when the last candidate entered is remembered."""
        return replace(self, candidate=None)

    @property
    def rows(self) -> Array:
        """Adapted references, then the candidate if there is one: float32 (P or P + 1, D)."""
        if self.candidate is None:
            return self.references
        return np.concatenate([self.references, self.candidate[np.newaxis]])

    @classmethod
    def of_rows(cls, rows: Array, *, candidate: bool, candidate_at: datetime | None) -> Self:
        """The inverse of :attr:`rows`; `candidate` says whether the last row is one. Raises ValueError."""
        if not candidate:
            return cls(_read_only(rows), None, candidate_at)
        if not len(rows):
            raise ValueError("a candidate expected")
        return cls(_read_only(rows[:-1]), _read_only(rows[-1]), candidate_at)


def _read_only(values: NDArray[np.floating]) -> Array:
    copy = np.array(values, dtype=np.float32, copy=True)
    copy.setflags(write=False)
    return copy
