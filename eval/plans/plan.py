"""What is to be compared with what: claims, each a template and the probes against it, over the samples of a corpus.

One claim is one enrolment of one person, called a draw. Every derivation gives the same `Plan`, so that scoring and
everything after it is the same:

    eval.plans.protocol        references drawn by seed, several draws a person
    eval.plans.leave_one_out   every sample probed against a template of the person's other samples
    eval.plans.trial_list      templates and probes listed in a file
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.corpora.corpus import Row

Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Claim:
    """One person enrolled with one draw, and the probes against that template; indices into `Plan.samples`, int32."""

    person: int
    draw: int
    references: Indices
    genuine: Indices
    random: Indices
    skilled: Indices


@dataclass(frozen=True)
class Plan:
    """All claims of a run.

    Attributes
    ----------
    people, samples : identifiers, sorted; `Claim` holds indices into them.
    owners : int32 (len(samples),), index of each sample's person; of a forgery's, the person it imitates.
    sources : int32 (len(samples),), index of the person who made each sample, -1 for forgeries.
    claims : ordered by person, then by draw.
    too_few_samples : people with too few genuine samples to be claimed; their samples still act as impostors.
    failed_to_enroll : people with enough samples of which too few could be acquired. Of a trial list: people with a
        template that could not be made; their other templates are claimed all the same.
    """

    people: tuple[str, ...]
    samples: tuple[str, ...]
    owners: Indices
    sources: Indices
    claims: tuple[Claim, ...]
    too_few_samples: tuple[str, ...]
    failed_to_enroll: tuple[str, ...]


class Roster:
    """The rows of a corpus by ascending id, and who made each: what every derivation starts from.

    Attributes
    ----------
    people, samples : identifiers, sorted.
    owner : int32 (N,), index of each sample's person; of a forgery's, the person it imitates.
    is_genuine : bool (N,).
    usable : bool (N,), whether the sample could be acquired.
    """

    def __init__(self, rows: Sequence[Row], usable: NDArray[np.bool_]) -> None:
        by_id = sorted(range(len(rows)), key=lambda index: rows[index].id)
        self.rows = [rows[index] for index in by_id]
        self.usable: NDArray[np.bool_] = np.asarray(usable, dtype=np.bool_)[by_id]
        self.people = tuple(sorted({row.person for row in rows}))
        self.samples = tuple(row.id for row in self.rows)
        number = {person: index for index, person in enumerate(self.people)}
        self.owner: Indices = np.array([number[row.person] for row in self.rows], dtype=np.int32)
        self.is_genuine = np.array([row.kind == "genuine" for row in self.rows], dtype=np.bool_)

    def own(self, person: int) -> Indices:
        """The person's genuine samples, ascending."""
        return np.flatnonzero((self.owner == person) & self.is_genuine).astype(np.int32)

    def others(self, person: int) -> Indices:
        """Everybody else's genuine samples, ascending."""
        return np.flatnonzero((self.owner != person) & self.is_genuine).astype(np.int32)

    def forgeries(self, person: int) -> Indices:
        """The forgeries that imitate the person, ascending."""
        return np.flatnonzero((self.owner == person) & ~self.is_genuine).astype(np.int32)

    def plan(
        self, claims: Sequence[Claim], *, too_few: Sequence[str] = (), failed_to_enroll: Sequence[str] = ()
    ) -> Plan:
        """The plan of `claims` over these samples."""
        sources = np.where(self.is_genuine, self.owner, np.int32(-1))
        return Plan(
            *(self.people, self.samples, self.owner, sources, tuple(claims), tuple(too_few)), tuple(failed_to_enroll)
        )
