"""1:N searches made of 1:1 trials: which probes met everybody enrolled, and how they fared.

`eval run` scores a probe against one claimed person at a time. Where it has been scored against all of those enrolled
with one draw of references, these trials together are a search of that gallery (ISO/IEC 19795-1). With

    mate   the score against the probe's own person, if enrolled      best   the highest score against anybody else

    rank = 1 + #{others whose score >= mate}

A draw's gallery is everybody claimed in it. Only draws count whose gallery holds at least `GALLERY_SHARE` of the
largest one: people with few samples have fewer draws, and a search among fewer people is an easier one.

A search is complete, and taken, only if nobody of the gallery is missing from it:

    mated       the probe was scored against its own person (a genuine trial) and all others (random trials)
    non-mated   the probe was scored against all others; its own person counts as taken out of the gallery

Every mated search is a non-mated one too, with the mate left out. A sample that enrolled its own person is no mated
probe of that draw, but a non-mated one. Limits on impostors (`--impostors-per-person`, `--impostor-samples`) leave
many searches incomplete, or all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.trials import KINDS, ScoreTable, TrialKind, Trials

GALLERY_SHARE = 0.9
"""Draws that enrolled fewer than this share of the largest gallery are left out."""


@dataclass(frozen=True)
class Searches:
    """Complete searches, one row each; columns of equal length S, ordered by draw, then by probe.

    Attributes
    ----------
    draw, probe : int32 (S,), which gallery was searched with which sample.
    owner : int32 (S,), who made the probe; a number of its own, from `len(people)` up, where nobody knows.
    mated : bool (S,), whether the probe was scored against its own person.
    mate : float64 (S,), score against its own person; -inf where it could not be acquired, NaN where not mated.
    best : float64 (S,), highest score against anybody else, -inf where it could not be acquired.
    rank : float64 (S,), from 1; ties count against the mate; +inf where not mated or not acquired.
    gallery : people enrolled in the largest gallery.
    smallest_gallery : people enrolled in the smallest of the galleries that count.
    """

    draw: NDArray[np.int32]
    probe: NDArray[np.int32]
    owner: NDArray[np.int32]
    mated: NDArray[np.bool_]
    mate: NDArray[np.float64]
    best: NDArray[np.float64]
    rank: NDArray[np.float64]
    gallery: int
    smallest_gallery: int

    def __len__(self) -> int:
        return len(self.probe)

    def mated_trials(self, scores: NDArray[np.float64]) -> Trials:
        """The mated searches as trials of their probes' owners; `scores`, float64 (S,), is what each one scored."""
        return self._trials(scores, self.mated)

    def non_mated_trials(self) -> Trials:
        """Every search without its mate, as trials of its probe's owner: the best score of anybody else."""
        return self._trials(self.best, np.ones(len(self), dtype=np.bool_))

    def _trials(self, scores: NDArray[np.float64], chosen: NDArray[np.bool_]) -> Trials:
        return Trials(scores, self.owner, self.draw, self.probe).where(chosen)


def complete_searches(table: ScoreTable) -> Searches | None:
    """The complete searches among the genuine and random trials of `table`, O(M log M) for M of them.

    None where the trials name no people, fewer than two are enrolled, or no search is complete.

    Raises
    ------
    TrialsError if a probe was scored twice against one person and draw: the table is then no record of searches.
    """
    rows = np.flatnonzero((table.kind != KINDS.index(TrialKind.SKILLED)) & (table.claim >= 0))
    if rows.size == 0:
        return None
    sizes = _gallery_sizes(table)
    counted = sizes >= max(2, GALLERY_SHARE * sizes.max())
    rows = rows[counted[table.draw[rows]]]
    if rows.size == 0:
        return None
    people, samples = len(table.people), len(table.samples)
    # One sort by (draw, probe, claim) makes every search a run of rows, and a repeated trial its neighbour.
    key = (table.draw[rows].astype(np.int64) * samples + table.probe[rows]) * people + table.claim[rows]
    order = np.argsort(key, kind="stable")
    key, rows = key[order], rows[order]
    if (key[1:] == key[:-1]).any():
        raise TrialsError("a probe was scored twice against one person and draw", field="probe")
    search = key // people
    first = np.flatnonzero(np.concatenate([[True], search[1:] != search[:-1]]))
    length = np.diff(np.append(first, len(rows)))

    genuine = table.kind[rows] == KINDS.index(TrialKind.GENUINE)
    scores = table.scores[rows]
    mates = np.add.reduceat(genuine.astype(np.int64), first)
    mate = np.maximum.reduceat(np.where(genuine, scores, -np.inf), first)
    best = np.maximum.reduceat(np.where(genuine, -np.inf, scores), first)
    ahead = np.add.reduceat((~genuine & (scores >= np.repeat(mate, length))).astype(np.int64), first)

    draw, probe = table.draw[rows[first]], table.probe[rows[first]]
    owner = _owners(table)[probe]
    enrolled = _is_enrolled(table, draw, owner)
    complete = length - mates == sizes[draw] - enrolled
    if not complete.any():
        return None
    mated = mates == 1
    found = mated & np.isfinite(mate)
    taken = np.unique(draw[complete])
    return Searches(
        draw=draw[complete],
        probe=probe[complete],
        owner=np.where(owner < 0, people + probe, owner)[complete].astype(np.int32),
        mated=mated[complete],
        mate=np.where(mated, mate, np.nan)[complete],
        best=best[complete],
        rank=np.where(found, 1.0 + ahead, np.inf)[complete],
        gallery=int(sizes[taken].max()),
        smallest_gallery=int(sizes[taken].min()),
    )


def _gallery_sizes(table: ScoreTable) -> NDArray[np.int64]:
    """int64 (draws,), how many people each draw enrolled: those whom any trial claims."""
    return np.bincount(_enrolments(table) // len(table.people))


def _enrolments(table: ScoreTable) -> NDArray[np.int64]:
    """Every (draw, person) enrolled as draw · people + person, ascending."""
    named = table.claim >= 0
    return np.unique(table.draw[named].astype(np.int64) * len(table.people) + table.claim[named])


def _is_enrolled(table: ScoreTable, draw: NDArray[np.int32], owner: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each search's gallery holds the probe's own person."""
    wanted = draw.astype(np.int64) * len(table.people) + owner
    return np.isin(wanted, _enrolments(table)) & (owner >= 0)


def _owners(table: ScoreTable) -> NDArray[np.int32]:
    """int32 (samples,), who made each sample: whoever it is a genuine probe of, or as the table records; -1 unknown.

    Where nobody knows, a probe that met the whole gallery is nobody's of it: random trials are against others only.
    """
    owner = np.full(len(table.samples), -1, dtype=np.int32)
    if table.source is not None:
        owner[table.probe] = table.source
    genuine = table.kind == KINDS.index(TrialKind.GENUINE)
    owner[table.probe[genuine]] = table.claim[genuine]
    return owner
