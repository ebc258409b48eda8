"""Attackers who want a victim's template to accept themselves, one accepted probe a day.

white-box     knows model, template and rule; builds embeddings on the way from victim to self, each as far along as
              the template still takes (Lovisotto, Eberz & Martinovic 2020, section IV, without their physical limits)
captures      has photographs alone: of themselves and of accomplices; shows the one most like themselves that the
              template takes
"""

import numpy as np
from numpy.typing import NDArray

from enroll.identity import IdentityModel
from poisoning.people import unit
from poisoning.updates import Way

Row = NDArray[np.float32]
Point = NDArray[np.floating]

_STEPS = 200


def between(way: Way, identity: IdentityModel, victim: Point, attacker: Point) -> Row | None:
    """The embedding farthest on the way from `victim` to `attacker`, both (d,), that is accepted and taken, or None."""
    shares = np.linspace(1.0, 0.0, _STEPS + 1)[:, np.newaxis]
    path = unit((1.0 - shares) * victim + shares * attacker).astype(np.float32)
    return _first(way, path[identity.llr(way.person(), path) >= way.accept])


def captured(way: Way, identity: IdentityModel, captures: Row, attacker: Point) -> Row | None:
    """Of `captures` (n, d) the nearest to `attacker` (d,) that is accepted and taken, or None."""
    nearest = captures[np.argsort(identity.spread(captures, attacker))]
    accepted = nearest[identity.llr(way.person(), nearest) >= way.accept]
    return next((row for row in accepted if way.takes(row)), None)


def _first(way: Way, rows: Row) -> Row | None:
    """The first of `rows`, each nearer to the person than the one before, that the template takes."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if way.takes(rows[middle]) else (middle + 1, high)
    return None if low == len(rows) else rows[low]
