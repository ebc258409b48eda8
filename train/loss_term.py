"""One addend of the objective as a recipe names it: its kind, and the parameters that this kind has.

A key that a kind does not use is refused, so that nothing in a recipe is silently without effect. What is not given is
the kind's own default, in `KINDS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import Field

from train.losses.reducer import ReducerName

Kind = Literal[
    "bromley1993",
    "chopra2005",
    "hadsell2006",
    "triplet",
    "npair",
    "nce",
    "infonce",
    "ntxent",
    "supcon",
    "decoupled",
    "debiased",
    "multi_similarity",
    "cosface",
    "arcface",
]
DistanceName = Literal["euclidean", "squared_euclidean", "l1", "cosine"]
MinerName = Literal["all", "hard", "semihard", "easy", "hardest", "distance_weighted"]
Above0 = Annotated[float, Field(gt=0.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

_QUEUE = {"queue": 0, "keys": "past", "queue_after": 0.0}
_PAIRS = {"miner": None, "band": 0.2, "reducer": "balanced", **_QUEUE}
_SOFTMAX = {"temperature": 0.1, "reducer": "mean", **_QUEUE}

KINDS: Mapping[str, Mapping[str, Any]] = {
    "bromley1993": {"target": -1.0, **_PAIRS},
    "chopra2005": {"distance": "euclidean", **_PAIRS},
    "hadsell2006": {"distance": "euclidean", "margin": 1.0, "hard": False, "form": "squared_hinge", **_PAIRS},
    "triplet": {
        "distance": "squared_euclidean",
        "margin": 0.2,
        "miner": "semihard",
        "band": None,
        "reducer": "nonzero",
        **_QUEUE,
    },
    "npair": {"temperature": 1.0, "l2": 0.0, "reducer": "mean"},
    "nce": _SOFTMAX,
    "infonce": _SOFTMAX,
    "ntxent": _SOFTMAX,
    "supcon": {"form": "out", **_SOFTMAX},
    "decoupled": _SOFTMAX,
    "debiased": {**_SOFTMAX, "temperature": 0.5, "prior": 0.1},
    "multi_similarity": {
        "alpha": 2.0,
        "beta": 50.0,
        "base": 0.5,
        "epsilon": 0.1,
        "mined": True,
        "reducer": "mean",
        **_QUEUE,
    },
    "cosface": {"scale": 24.0, "margin": 0.3, "ramp": 0.3},
    "arcface": {"scale": 24.0, "margin": 0.5, "ramp": 0.3},
}
"""Kind → its parameters and their defaults."""

_FORMS = {"hadsell2006": ("squared_hinge", "hinge_of_square"), "supcon": ("out", "in")}
_UNBALANCED = ("mean", "nonzero", "sum")
_BANDS = ("semihard", "easy")


@dataclass(frozen=True)
class LossTerm:
    """One addend of the objective. `kind` selects the file in `train.losses`; None stands for the kind's default.

    Attributes
    ----------
    weight : of the addend.
    distance, margin, form, hard, temperature, target, scale, ramp, l2, prior, alpha, beta, base, epsilon : of the
        losses' formulas, documented there.
    miner, band : which triplets or pairs count (`train.miners`); `band` is the width of the semi-hard and the distance
        to the easy negatives, for a triplet loss its margin unless told.
    mined : whether multi_similarity counts mined pairs only.
    reducer : how the terms become one number (`train.losses.reducer`).
    queue, keys, queue_after : length of a memory of earlier embeddings, what it holds, and the share of the run before
        it takes part (`train.losses.memory`).
    """

    kind: Kind
    weight: float = 1.0
    distance: DistanceName | None = None
    margin: float | None = None
    form: Literal["squared_hinge", "hinge_of_square", "out", "in"] | None = None
    hard: bool | None = None
    temperature: Above0 | None = None
    target: Annotated[float, Field(ge=-1.0, le=-0.9)] | None = None
    scale: Above0 | None = None
    ramp: Share | None = None
    l2: Annotated[float, Field(ge=0.0)] | None = None
    prior: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    alpha: Above0 | None = None
    beta: Above0 | None = None
    base: float | None = None
    epsilon: float | None = None
    mined: bool | None = None
    miner: MinerName | None = None
    band: Annotated[float, Field(ge=0.0)] | None = None
    reducer: ReducerName | None = None
    queue: Annotated[int, Field(ge=0)] | None = None
    keys: Literal["past", "average"] | None = None
    queue_after: Share | None = None

    def __post_init__(self) -> None:
        # ValueError: the recipe's validation names the term.
        if self.kind not in KINDS:
            return  # validation names the kinds
        own = KINDS[self.kind]
        given = {entry.name for entry in fields(self) if getattr(self, entry.name) is not None} - {"kind", "weight"}
        unused = sorted(given - set(own))
        if unused:
            raise ValueError(f"{self.kind} does not use {unused[0]!r}; its keys are {', '.join(own)}")
        if self.form is not None and self.form not in _FORMS[self.kind]:
            raise ValueError(f"form of {self.kind} is {' or '.join(_FORMS[self.kind])}")
        if own.get("reducer") != "balanced" and self.reducer not in (None, *_UNBALANCED):
            raise ValueError(f"{self.kind} has one kind of term, and no {self.reducer!r} reducer")
        if self.band is not None and (self.miner or own["miner"]) not in _BANDS:
            raise ValueError(f"'band' is of the miners {' and '.join(_BANDS)}")
        if self.epsilon is not None and self.mined is False:
            raise ValueError("'epsilon' is of mined pairs")
        if self.kind == "triplet" and self.miner == "easy":
            raise ValueError("a triplet loss learns nothing from the miner 'easy'")
        if self.miner == "distance_weighted" and self.distance == "l1":
            raise ValueError("the miner 'distance_weighted' needs another distance than 'l1'")
        if not self.queue and (self.keys is not None or self.queue_after is not None):
            raise ValueError("'keys' and 'queue_after' are of a 'queue'")

    def settled(self) -> dict[str, Any]:
        """The parameters of the kind: as given, or their defaults."""
        return {
            name: default if getattr(self, name) is None else getattr(self, name)
            for name, default in KINDS[self.kind].items()
        }
