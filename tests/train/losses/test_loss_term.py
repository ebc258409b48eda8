"""A term of a recipe takes the keys of its kind and no others, and none without effect."""

from dataclasses import fields
from typing import Any

import pytest

from train.loss_term import KINDS, LossTerm

EVERY_KEY: dict[str, Any] = {
    "distance": "l1",
    "margin": 0.4,
    "form": "out",
    "hard": True,
    "temperature": 0.2,
    "target": -0.95,
    "scale": 9.0,
    "ramp": 0.1,
    "l2": 0.3,
    "prior": 0.2,
    "alpha": 3.0,
    "beta": 30.0,
    "base": 0.4,
    "epsilon": 0.2,
    "mined": False,
    "miner": "hard",
    "band": 0.7,
    "reducer": "sum",
    "queue": 9,
    "keys": "average",
    "queue_after": 0.2,
}
REFUSED = [(kind, key) for kind, own in KINDS.items() for key in EVERY_KEY if key not in own]


def test_every_key_is_tried() -> None:
    assert {entry.name for entry in fields(LossTerm)} == {"kind", "weight", *EVERY_KEY}
    assert set().union(*KINDS.values()) == set(EVERY_KEY)


@pytest.mark.parametrize(("kind", "key"), REFUSED)
def test_a_key_that_a_kind_does_not_use_is_refused_by_name(kind: Any, key: str) -> None:
    with pytest.raises(ValueError, match=f"{kind} does not use '{key}'; its keys are {next(iter(KINDS[kind]))}"):
        LossTerm(kind, **{key: EVERY_KEY[key]})


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_given_is_the_kinds_default(kind: Any) -> None:
    assert LossTerm(kind).settled() == KINDS[kind]
    assert LossTerm(kind, weight=3.0).settled() == KINDS[kind]
    changed = "temperature" if "temperature" in KINDS[kind] else "reducer" if "reducer" in KINDS[kind] else "scale"
    term = LossTerm(kind, **{changed: EVERY_KEY[changed]})
    assert term.settled() == {**KINDS[kind], changed: EVERY_KEY[changed]}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "supcon", "form": "squared_hinge"}, "form of supcon is out or in"),
        ({"kind": "hadsell2006", "form": "in"}, "form of hadsell2006 is squared_hinge or hinge_of_square"),
        ({"kind": "triplet", "reducer": "balanced"}, "triplet has one kind of term"),
        ({"kind": "infonce", "reducer": "balanced_nonzero"}, "infonce has one kind of term"),
        ({"kind": "triplet", "miner": "easy"}, "learns nothing from the miner 'easy'"),
        ({"kind": "chopra2005", "miner": "distance_weighted", "distance": "l1"}, "needs another distance than 'l1'"),
        ({"kind": "infonce", "keys": "past"}, "are of a 'queue'"),
        ({"kind": "infonce", "queue": 0, "queue_after": 0.1}, "are of a 'queue'"),
        ({"kind": "hadsell2006", "band": 0.1}, "'band' is of the miners semihard and easy"),
        ({"kind": "triplet", "miner": "hardest", "band": 0.1}, "'band' is of the miners semihard and easy"),
        ({"kind": "multi_similarity", "mined": False, "epsilon": 0.2}, "'epsilon' is of mined pairs"),
    ],
)
def test_what_would_be_without_effect_or_sense_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossTerm(**keys)
