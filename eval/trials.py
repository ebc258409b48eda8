"""Scored trials as columns: who was claimed, with which draw of references, by which probe, and the score.

Genuine, zero-effort (`random`) and skilled impostor trials are three kinds in one table and are never pooled: every
rate takes the genuine trials and the impostor trials of exactly one kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError


class TrialKind(StrEnum):
    """What the probe is to the claim."""

    GENUINE = "genuine"
    RANDOM = "random"
    SKILLED = "skilled"


KINDS = tuple(TrialKind)
"""The order in which `ScoreTable.kind` numbers them."""

IMPOSTOR_KINDS = (TrialKind.RANDOM, TrialKind.SKILLED)


@dataclass(frozen=True)
class Trials:
    """The trials of one kind.

    Attributes
    ----------
    scores : float64 (M,), natural-log likelihood ratios, -inf where the probe could not be acquired.
    claim : int32 (M,), index of the claimed person.
    draw : int32 (M,), which draw of references the claim was enrolled with.
    probe : int32 (M,), index of the probe sample.
    source : int32 (M,), index of the person who made the probe, -1 where nobody knows (forgers); None: not recorded.
    """

    scores: NDArray[np.float64]
    claim: NDArray[np.int32]
    draw: NDArray[np.int32]
    probe: NDArray[np.int32]
    source: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def anonymous(cls, scores: NDArray[np.float64]) -> "Trials":
        """Trials of which nothing but the scores is known; their people and probes count as none known."""
        unknown = np.broadcast_to(np.int32(-1), scores.shape)
        return cls(scores, unknown, np.broadcast_to(np.int32(0), scores.shape), unknown)

    @cached_property
    def is_anonymous(self) -> bool:
        """Whether nobody knows who was claimed, so that trials can only be taken as independent."""
        return len(self) > 0 and bool(self.claim[0] < 0)

    @cached_property
    def failures(self) -> int:
        """How many trials' probes could not be acquired."""
        return int(np.isneginf(self.scores).sum())

    @cached_property
    def comparisons(self) -> int:
        """Distinct pairs of claimed person and probe: further draws repeat them and add no new probe."""
        if self.is_anonymous:
            return len(self)
        return _distinct(self.claim.astype(np.int64) << 32 | self.probe)

    @cached_property
    def probes(self) -> int:
        """Distinct probe samples."""
        return len(self) if self.is_anonymous else _distinct(self.probe)

    @cached_property
    def claimed(self) -> NDArray[np.int32]:
        """Indices of the people claimed, ascending."""
        return np.unique(self.claim)

    def of_draw(self, draw: int) -> "Trials":
        """The trials against one draw of references."""
        return self.where(self.draw == draw)

    def where(self, chosen: NDArray[np.bool_]) -> "Trials":
        """The trials that the mask, bool (M,), is true for."""
        rows = np.flatnonzero(chosen)
        source = None if self.source is None else self.source[rows]
        return Trials(self.scores[rows], self.claim[rows], self.draw[rows], self.probe[rows], source)

    def by_person(self, people: NDArray[np.int32]) -> list[NDArray[np.float64]]:
        """The scores against each of `people`, ascending; empty where a person has none of this kind."""
        claimed, ends, scores = self._by_claim
        found = [scores[start:stop] for start, stop in pairwise(ends)]
        nobody = np.empty(0)
        own = dict(zip(claimed.tolist(), found, strict=True))
        return [own.get(person, nobody) for person in people.tolist()]

    @cached_property
    def _by_claim(self) -> tuple[NDArray[np.int32], NDArray[np.intp], NDArray[np.float64]]:
        """People claimed (P,), where their scores begin and end (P + 1,), all scores (M,), each person's ascending."""
        in_order = bool((self.claim[1:] >= self.claim[:-1]).all())
        order = slice(None) if in_order else np.argsort(self.claim, kind="stable")
        claim, scores = self.claim[order], self.scores[order].copy()
        starts = np.flatnonzero(np.diff(claim, prepend=claim[:1] - 1))
        ends = np.append(starts, len(claim))
        # Person by person: sorting plain numbers is many times faster than ordering rows by two columns.
        for start, stop in pairwise(ends):
            scores[start:stop].sort()
        scores.setflags(write=False)
        return claim[starts], ends, scores


def _distinct(values: NDArray[np.integer]) -> int:
    """How many different values there are."""
    # Sorted here, as numpy's `unique` hashes: fifty times slower where nearly every value is distinct.
    ordered = np.sort(values)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(len(values), 1)


@dataclass(frozen=True)
class ScoreTable:
    """Every trial of one run, one row each; columns of equal length M.

    Attributes
    ----------
    people, samples : the identifiers that `claim` and `probe` index.
    kind : int8 (M,), index into `KINDS`.
    scores : float64 (M,), -inf marks a failure to acquire.
    claim, draw, probe : int32 (M,); claim and probe are -1 where a score file does not tell.
    model_digest : the model that scored them; any name where a score file is not of ours.
    source : int32 (M,), index into `people` of whoever made the probe, -1 where unknown; None: not recorded.
    groups : column (`group_age`, …) → value of each of `people`, empty where unknown.
    splits : the part of a split that each of `people` is in (`development`, `test`, `fold 3`); None: not split.
    protocol : how the trials came about, in words; empty where `eval.results.results.ProtocolFacts` tells.
    """

    people: tuple[str, ...]
    samples: tuple[str, ...]
    kind: NDArray[np.int8]
    scores: NDArray[np.float64]
    claim: NDArray[np.int32]
    draw: NDArray[np.int32]
    probe: NDArray[np.int32]
    model_digest: str
    source: NDArray[np.int32] | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    splits: tuple[str, ...] | None = None
    protocol: str = ""

    def __post_init__(self) -> None:
        if np.isnan(self.scores).any() or np.isposinf(self.scores).any():
            raise TrialsError("scores hold NaN or +inf", fix="check the bundle's background and embeddings")

    def __len__(self) -> int:
        return len(self.scores)

    def of(self, kind: TrialKind) -> Trials:
        """The trials of one kind; possibly none."""
        rows = self.kind == KINDS.index(kind)
        return Trials(self.scores, self.claim, self.draw, self.probe, self.source).where(rows)

    @property
    def counts(self) -> Mapping[TrialKind, int]:
        """Number of trials by kind."""
        found = np.bincount(self.kind, minlength=len(KINDS))
        return {kind: int(found[index]) for index, kind in enumerate(KINDS)}
