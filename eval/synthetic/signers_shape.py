"""What a synthetic signature looks like before anybody moves: via-points, arcs between them, and pen lifts.

    signature = capital · joined letters · [lift · capital · letters] · [lift · cross or dot] · [flourish]

Joined letters go up and down between a base line and the top of small letters (one x-height), with ascenders and
descenders, garlands (turning counter-clockwise) and arcades (clockwise). Units are x-heights, y points up.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.synthetic.signers_motion import FloatArray

_LEAST_TURN, _MOST_TURN = 0.1, 2.6  # radians a stroke: straighter than a ruler, rounder than a loop never occurs


@dataclass(frozen=True)
class Shape:
    """J arcs between J + 1 via-points.

    Attributes
    ----------
    points : float64 (J + 1, 2), x-heights.
    turn : float64 (J,), how far each arc turns, radians, counter-clockwise positive.
    lifted : bool (J,), arcs made in the air.
    """

    points: FloatArray
    turn: FloatArray
    lifted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.turn)

    @property
    def chord(self) -> FloatArray:
        """float64 (J, 2)."""
        return np.diff(self.points, axis=0)


class _Sketch:
    """A shape that grows by one arc at a time."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        self._points = [np.zeros(2)]
        self._turn: list[float] = []
        self._lifted: list[bool] = []

    @property
    def x(self) -> float:
        return float(self._points[-1][0])

    @property
    def rightmost(self) -> float:
        return float(max(point[0] for point in self._points))

    def to(self, x: float, y: float, turn: float, *, lifted: bool = False) -> None:
        self._points.append(np.array([x, y]))
        bent = np.sign(turn) * np.clip(abs(turn), _LEAST_TURN, _MOST_TURN)
        self._turn.append(float(bent))
        self._lifted.append(lifted)

    def shape(self) -> Shape:
        return Shape(np.stack(self._points), np.array(self._turn), np.array(self._lifted))


def draw_shape(generator: np.random.Generator) -> Shape:
    """A signature's shape, of some 12 to 45 arcs."""
    sketch = _Sketch(generator)
    loops = generator.uniform(0.2, 0.9)  # how much of a loop this hand's letters are
    fade = generator.choice([1.0, 1.0, 0.88, 0.75])  # letters that shrink towards the end of a name
    _capital(sketch)
    if generator.random() < 0.4:
        _lift(sketch, generator.uniform(0.1, 0.5), generator.uniform(0.2, 0.8))
    _letters(sketch, int(generator.integers(2, 7)), loops, fade)
    if generator.random() < 0.45:
        _lift(sketch, generator.uniform(0.5, 1.2), generator.uniform(1.2, 2.2))
        _capital(sketch)
        _letters(sketch, int(generator.integers(1, 5)), loops, fade)
    if generator.random() < 0.4:
        _cross_or_dot(sketch)
    if generator.random() < 0.65:
        _flourish(sketch)
    return sketch.shape()


def _capital(sketch: _Sketch) -> None:
    """Three to six large arcs, up and down by turns, that end on the base line."""
    generator, left = sketch.generator, sketch.x
    way = generator.choice([-1.0, 1.0])
    arcs = int(generator.integers(3, 6))
    for arc in range(arcs):
        high = arc % 2 == 0
        y = generator.uniform(1.7, 2.9) if high else generator.uniform(-0.4, 0.5)
        x = left + generator.uniform(-0.5, 0.9) + 0.45 * arc
        if generator.random() < 0.3:
            way = -way
        sketch.to(x, y, way * generator.uniform(0.5, 2.2))
    if arcs % 2:
        sketch.to(sketch.x + generator.uniform(0.2, 0.7), generator.uniform(-0.1, 0.2), generator.uniform(0.4, 1.4))


def _letters(sketch: _Sketch, count: int, loops: float, fade: float) -> None:
    """Joined letters, two arcs each."""
    generator, height = sketch.generator, 1.0
    spacing = generator.uniform(0.45, 0.8)
    for _ in range(count):
        kind = generator.random()
        top = height * (generator.uniform(1.7, 2.4) if kind < 0.22 else generator.uniform(0.75, 1.15))
        bottom = -height * generator.uniform(0.8, 1.5) if kind > 0.88 else generator.uniform(-0.08, 0.08)
        way = -1.0 if generator.random() < 0.3 else 1.0
        sketch.to(sketch.x + spacing * generator.uniform(0.5, 1.1), top, way * loops * generator.uniform(0.6, 1.8))
        back = spacing * generator.uniform(-0.35, 0.4)
        sketch.to(sketch.x + back, bottom, way * loops * generator.uniform(0.6, 2.0))
        height = max(0.25, height * fade)


def _lift(sketch: _Sketch, right: float, y: float) -> None:
    sketch.to(sketch.x + right, y, sketch.generator.uniform(-1.2, 1.2), lifted=True)


def _cross_or_dot(sketch: _Sketch) -> None:
    generator = sketch.generator
    x, y = generator.uniform(0.3, 0.9) * sketch.rightmost, generator.uniform(1.4, 2.2)
    long = generator.choice([0.25, generator.uniform(0.8, 2.0)])
    sketch.to(x, y, generator.uniform(-1.0, 1.0), lifted=True)
    sketch.to(x + long, y + generator.uniform(-0.1, 0.35), generator.uniform(-0.5, 0.5))


def _flourish(sketch: _Sketch) -> None:
    """A tail, an underline, or large loops under the name."""
    generator, right = sketch.generator, sketch.rightmost
    kind = generator.integers(3)
    if kind == 0:
        sketch.to(right + generator.uniform(0.8, 2.5), generator.uniform(-0.3, 1.2), generator.uniform(-1.2, 1.2))
        return
    left = generator.uniform(-0.3, 0.5) * right
    lifted = bool(generator.random() < 0.4)
    sketch.to(left, generator.uniform(-1.6, -0.7), -generator.uniform(0.5, 1.8), lifted=lifted)
    sketch.to(right + generator.uniform(-0.6, 1.5), generator.uniform(-1.1, -0.2), generator.uniform(-0.5, 0.9))
    if kind == 2:
        for _ in range(int(generator.integers(1, 3))):
            sketch.to(generator.uniform(0.3, 0.6) * right, generator.uniform(-1.4, -0.6), generator.uniform(1.6, 2.5))
            sketch.to(right * generator.uniform(0.8, 1.15), generator.uniform(-0.7, 0.2), generator.uniform(1.2, 2.2))
