"""Who trains the network, who fits background and calibration, who sets thresholds: decided by name, for good.

A fixed hash of the person's name puts everyone in one of twenty buckets, so that the split does not depend on which
corpora are used together, on their order, or on a seed, and so that nobody changes sides between two runs.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from encode.errors import CorpusOverlap
from eval.corpora.corpus import Corpus


class Role(StrEnum):
    """What a person's samples are used for."""

    TRAINING = "training"
    BACKGROUND = "background"
    POLICY = "policy"
    HELD_OUT = "held out"


BUCKETS = 20
_SHARES = 1 << 64


@dataclass(frozen=True)
class SplitShares:
    """How many of the twenty buckets go where; the rest is training.

    Attributes
    ----------
    background : buckets for background and calibration: 0, then 2, 3 and on.
    policy : buckets for thresholds: 1, then 19, 18 and down.
    policy_of : corpus, or part of one, → buckets for thresholds there; where it names any, others have none.
    """

    background: int = 1
    policy: int = 1
    policy_of: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # ValueError: the recipe's validation names the key.
        for policy in (self.policy, *self.policy_of.values()):
            if self.background < 1 or policy < 0 or self.background + policy >= BUCKETS:
                raise ValueError(f"background and policy must leave some of the {BUCKETS} buckets for training")

    def policy_for(self, person: str) -> int:
        """Buckets for thresholds among people of this one's corpus."""
        return int(share_of(person, self.policy_of)) if self.policy_of else self.policy


def role_of(person: str, hold_out: float = 0.0, shares: SplitShares = SplitShares()) -> Role:
    """The person's role. With the default shares 1 in 20 is background, 1 in 20 policy.

    More buckets only ever take people away from training. Before all that, a share `hold_out` of people, 0 … 1, is
    used for nothing, by a hash of its own: whoever is held out at one share is so at every larger one.
    """
    if _number(f"held out\0{person}") < hold_out * _SHARES:
        return Role.HELD_OUT
    bucket = _number(person) % BUCKETS
    policy = shares.policy_for(person)
    # Policy's order is 1, 19, 18, …; background's 0, 2, 3, …: they meet only if nothing is left between.
    if (policy > 0 and bucket == 1) or bucket > BUCKETS - policy:
        return Role.POLICY
    if bucket == 0 or 1 < bucket <= shares.background:
        return Role.BACKGROUND
    return Role.TRAINING


def split_people(
    people: tuple[str, ...],
    hold_out: Mapping[str, float] | None = None,
    shares: SplitShares = SplitShares(),
) -> dict[Role, tuple[str, ...]]:
    """Every role → its people, in the order given.

    `hold_out` gives the shares of people held out: of a corpus ("susig"), or of a part of one ("susig/visual"), which
    goes before the corpus's own. A person's name begins with the corpus, then "/", and parts end at a "-".
    """
    roles = {person: role_of(person, share_of(person, hold_out or {}), shares) for person in people}
    return {role: tuple(person for person in people if roles[person] is role) for role in Role}


def share_of(person: str, shares: Mapping[str, float], *, otherwise: float = 0.0) -> float:
    """What `shares` gives for the person's corpus or, going before it, the part of a corpus; else `otherwise`."""
    named = [group for group in shares if person.startswith((f"{group}/", f"{group}-"))]
    return shares[max(named, key=len)] if named else otherwise


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


def require_disjoint(first: Corpus, second: Corpus) -> None:
    """Raise CorpusOverlap if a person is in both."""
    shared = set(first.people) & set(second.people)
    if shared:
        raise CorpusOverlap(
            f"{len(shared)} people are in both {first.name} and {second.name}",
            fix="keep people on one side of the split",
        )
