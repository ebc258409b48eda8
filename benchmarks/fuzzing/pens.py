"""Strokes to be hostile with: one list a field of ``verify.v1.Strokes``, true to a pen or not at all."""

import math
import random

POINTS = 80
Lists = dict[str, list[float]]

_NO_NUMBERS = (math.nan, math.inf, -math.inf, 3.4e38, -3.4e38, 1e-45, 1e9, -1e10, -0.0)
_COUNTS = (0, 1, 2, 15, 16, 17, 200, 20_000, 20_001)
HUGE = 1_000_000
HUGE_SHARE = 0.002


def signature(person: int, shot: int = 0) -> Lists:
    """Person number `person`, a second long; each shot waves a little otherwise."""
    draw = random.Random(person)
    phases = [draw.uniform(0, 2 * math.pi) for _ in range(6)]
    shaken = random.Random(f"{person} {shot}")
    moved = [phase + shaken.gauss(0, 0.02) for phase in phases]
    t = [step / (POINTS - 1) for step in range(POINTS)]
    return {
        "x": [100 * at + sum(9 * math.sin(2 * math.pi * (k + 1) * at + moved[k]) for k in range(3)) for at in t],
        "y": [sum(12 * math.sin(2 * math.pi * (k + 1) * at + moved[k + 3]) for k in range(3)) for at in t],
        "t_ms": [1_000 * at for at in t],
        "pressure": [0.5 + 0.4 * math.sin(9 * at) for at in t],
        "pen_down": [0.0, *[1.0] * (POINTS - 1)],
    }


def strokes(draw: random.Random) -> Lists:
    """Strokes as no device sends them."""
    lists = signature(draw.randrange(50))
    if draw.random() < HUGE_SHARE:
        return {name: [0.5] * HUGE for name in ("x", "y", "t_ms")}
    for _ in range(draw.randint(1, 3)):
        name = draw.choice(list(lists))
        values = lists[name]
        how = draw.randrange(9)
        if how == 0 and values:
            values[draw.randrange(len(values))] = draw.choice(_NO_NUMBERS)
        elif how == 1:
            lists[name] = [draw.choice(_NO_NUMBERS)] * len(values)
        elif how == 2:
            lists[name] = (values * (1 + draw.choice(_COUNTS) // max(1, len(values))))[: draw.choice(_COUNTS)]
        elif how == 3:
            lists["t_ms"] = list(reversed(lists["t_ms"]))
        elif how == 4:
            lists["t_ms"] = [draw.choice((0.0, 1e12, -1e12)) + at * draw.choice((1, 1e6, 1e-6)) for at in lists["t_ms"]]
        elif how == 5:
            draw.shuffle(lists["t_ms"])
        elif how == 6:
            lists[name] = [values[0] if values else 0.0] * len(values)
        elif how == 7:
            scale = draw.choice((1e-30, 1e-6, 1e8, 1e30))
            lists[name] = [value * scale for value in values]
        else:
            count = draw.choice(_COUNTS)
            lists = {each: (listed * (1 + count // max(1, len(listed))))[:count] for each, listed in lists.items()}
    return lists
