"""Who trains the network, who fits background and calibration, who sets thresholds: decided by name, for good.

A fixed hash of the person's name puts everyone in one of twenty buckets, so that the split does not depend on which
corpora are used together, on their order, or on a seed, and so that nobody changes sides between two runs.
"""

import hashlib
from enum import StrEnum

from encode.errors import CorpusOverlap
from eval.corpora.corpus import Corpus


class Role(StrEnum):
    """What a person's samples are used for."""

    TRAINING = "training"
    BACKGROUND = "background"
    POLICY = "policy"


_BACKGROUND_BUCKETS = frozenset({0})
_POLICY_BUCKETS = frozenset({1})
BUCKETS = 20


def role_of(person: str) -> Role:
    """The person's role: 1 in 20 background, 1 in 20 policy, the rest training; development people are 1 in 10."""
    bucket = int.from_bytes(hashlib.sha256(person.encode()).digest()[:8]) % BUCKETS
    if bucket in _BACKGROUND_BUCKETS:
        return Role.BACKGROUND
    return Role.POLICY if bucket in _POLICY_BUCKETS else Role.TRAINING


def split_people(people: tuple[str, ...]) -> dict[Role, tuple[str, ...]]:
    """Every role → its people, in the order given."""
    return {role: tuple(person for person in people if role_of(person) is role) for role in Role}


def require_disjoint(first: Corpus, second: Corpus) -> None:
    """Raise CorpusOverlap if a person is in both."""
    shared = set(first.people) & set(second.people)
    if shared:
        raise CorpusOverlap(
            f"{len(shared)} people are in both {first.name} and {second.name}",
            fix="keep people on one side of the split",
        )
