"""Candidate search: of the people of a gallery, those whose references lie nearest to a probe.

A search proposes; the exact likelihood ratio of the identity model decides (`verify.identifier`). So a search may be
approximate, as long as the person that the model would rank first is among the candidates.

    add, remove    visible to the next search; neither waits for one, and no search waits for them
    search         references of the nearest, nearest first
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


WINDOW = 1.5
"""How many times the nearest candidate's squared distance another one's may be and still be compared exactly."""


class Near(NamedTuple):
    """A candidate: the store's reference of the person, and the squared distance from the probe."""

    ref: str
    distance: float


def worth_comparing(found: Sequence[Near], least: int) -> Sequence[Near]:
    """Those of `found`, nearest first, whose exact ratio may be the best: within the window, and `least` in any case.

    A probe of somebody enrolled lies far nearer to that person than to anybody else. What a person's own covariance
    adds to distance is a few directions of many, and does not make up for half the distance.
    """
    if not found:
        return found
    within = sum(one.distance <= WINDOW * found[0].distance for one in found)
    return found[: max(within, least)]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a gallery is searched.

    Attributes
    ----------
    kind : ``flat``, ``pq``, ``ivfpq``, or ``pgvector``.
    lists, probes : of ``ivfpq``: cells, and how many of them a search visits; else 0.
    seconds : a search is expected to take, on one processor.
    bytes : the gallery is expected to take in memory.
    within : whether both are within the bounds that were set.
    """

    kind: str
    lists: int = 0
    probes: int = 0
    seconds: float = 0.0
    bytes: int = 0
    within: bool = True


class CandidateSearch(Protocol):
    """The people of one collection with templates of one model; safe to use from several threads.

    A person is named by the store's reference, 32 hex digits (`enroll.stores.roll`).
    """

    def __len__(self) -> int:
        """How many people there are."""

    def add(self, refs: Sequence[str], vectors: Floats) -> None:
        """Put people in, or in another place: one row of `vectors`, float32 (n, d), each; no reference twice."""

    def remove(self, refs: Sequence[str]) -> int:
        """Take people out, those who are in; returns how many were."""

    def search(self, vector: Floats, count: int) -> list[Near]:
        """At most `count` people near `vector`, float32 (d,), nearest first."""

    def tend(self) -> None:
        """Do what makes later searches faster or smaller, where something is to be done; may take long."""

    @property
    def memory(self) -> int:
        """Bytes of this process's memory that the gallery takes."""

    @property
    def plan(self) -> Plan:
        """How it is searched now."""

    def close(self) -> None:
        """Release what is held."""
