"""Who fits the head, who fits the background behind it, and who is tested: decided by name and seed.

Nobody is in two parts. With folds, everybody is tested once, by a head and a background that were fitted on other
people; what ships is then fitted on everybody.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from encode.errors import TrainingError

BACKGROUND = 0.4
"""Share of the people who are not tested: they choose the head, and fit background and calibration."""
TESTED = 0.3
"""Share of all people who are tested where there are no folds."""
LEAST = 4
"""Fewest people of each part that anything can be fitted on."""


@dataclass(frozen=True)
class Parts:
    """People by what they are used for; `tested` is empty where nobody is."""

    head: tuple[str, ...]
    background: tuple[str, ...]
    tested: tuple[str, ...] = ()


def parts_to_test(people: Sequence[str], *, folds: int, seed: int) -> list[Parts]:
    """One division for each fold; with one fold, `TESTED` of the people. Raises TrainingError for too few people."""
    ordered = _ordered(people, seed)
    one = [ordered[: round(TESTED * len(ordered))]]
    tested = one if folds == 1 else [ordered[fold::folds] for fold in range(folds)]
    return [_divided([person for person in ordered if person not in set(held)], held) for held in tested]


def parts_to_ship(people: Sequence[str], *, folds: int, seed: int) -> Parts:
    """What the bundle is fitted on: with folds everybody, otherwise those who are not tested, as they were."""
    if folds == 1:
        return parts_to_test(people, folds=1, seed=seed)[0]
    return _divided(_ordered(people, seed), [])


def _divided(rest: list[str], tested: list[str]) -> Parts:
    number = round(BACKGROUND * len(rest))
    parts = Parts(tuple(rest[number:]), tuple(rest[:number]), tuple(tested))
    if min(len(parts.head), len(parts.background)) < LEAST or (tested and len(tested) < 2):
        raise TrainingError(
            f"{len(rest) + len(tested)} people are too few to divide: {len(parts.head)} for the head, "
            f"{len(parts.background)} for the background, {len(tested)} to test",
            field="corpus",
            fix="bring 20 people or more, or fewer folds",
        )
    return parts


def _ordered(people: Sequence[str], seed: int) -> list[str]:
    return sorted(people, key=lambda person: hashlib.sha256(f"{seed}\0adapt\0{person}".encode()).digest())
