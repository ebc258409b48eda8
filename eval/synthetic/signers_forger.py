"""An imitation: somebody else's shape, drawn with one's own hand.

A forger sees what a signature looks like, not how it was moved. He gets the via-points and arcs right but for a
misreading that stays the same and an error that changes; the rhythm, the tremor and the pressure are his own. He is
slower, breaks long strokes into sub-movements and hesitates, all the more the less skilled he is (van Galen & van
Gemmert 1996, *Kinematic and dynamic features of forging another person's handwriting*).
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from eval.synthetic.signers_hand import Hand, draw_rhythm
from eval.synthetic.signers_motion import FloatArray
from eval.synthetic.signers_shape import Shape


@dataclass(frozen=True)
class Forger:
    """Somebody who has practised one signature.

    Attributes
    ----------
    hand : his own.
    skill : in [0, 1]; scales what is misread, how much slower he is, and how often he hesitates.
    misread_points : float64 (J + 1, 2), x-heights, and misread_turn : float64 (J,), radians: errors of every attempt.
    rhythm : float64 (J,), his own.
    """

    hand: Hand
    skill: float
    misread_points: FloatArray
    misread_turn: FloatArray
    rhythm: FloatArray

    @classmethod
    def draw(cls, victim: Hand, shape: Shape, rhythm: FloatArray, generator: np.random.Generator) -> Self:
        """A forger of `shape`, who also sees how large and how leaning the victim writes."""
        own, skill = Hand.draw(generator), generator.uniform(0.0, 1.0)
        clumsy = 1.0 - skill
        slower = np.exp(generator.normal(0.05 + 0.3 * clumsy, 0.1))
        pace = victim.pace**0.5 * own.pace**0.5 * slower
        hand = replace(
            own,
            size=victim.size * np.exp(generator.normal(0.0, 0.06 + 0.06 * clumsy)),
            slant=victim.slant + generator.normal(0.0, 0.04 + 0.06 * clumsy),
            incline=victim.incline + generator.normal(0.0, 0.03),
            pace=pace,
            delay=pace * own.delay / own.pace,
            tremor=own.tremor * generator.uniform(1.5, 4.0),
        )
        seen = 0.4 + 0.4 * skill  # of the victim's rhythm, from watching or from the length of strokes
        return cls(
            hand=hand,
            skill=skill,
            misread_points=generator.normal(0.0, 0.05 + 0.11 * clumsy, shape.points.shape),
            misread_turn=generator.normal(0.0, 0.1 + 0.25 * clumsy, len(shape)),
            rhythm=rhythm**seen * draw_rhythm(len(shape), generator) ** (1.0 - seen),
        )

    def plan(self, shape: Shape, generator: np.random.Generator) -> tuple[Shape, FloatArray]:
        """What he sets out to draw once, sub-movements included, and the rhythm of it."""
        read = Shape(
            shape.points + self.misread_points,
            np.clip(shape.turn + self.misread_turn, -2.6, 2.6),
            shape.lifted,
        )
        clumsy = 1.0 - self.skill
        length = np.hypot(*read.chord.T)
        broken = generator.random(len(read)) < (0.04 + 0.16 * clumsy) * np.minimum(length / length.mean(), 2.0)
        waits = generator.random(len(read)) < 0.01 + 0.05 * clumsy
        rhythm = self.rhythm * np.where(waits, generator.uniform(1.5, 3.0, len(read)), 1.0)
        return _broken(read, rhythm, broken & ~read.lifted, generator)


def _broken(
    shape: Shape, rhythm: FloatArray, broken: np.ndarray, generator: np.random.Generator
) -> tuple[Shape, FloatArray]:
    """Arcs marked `broken` (J,) become two: a via-point near the arc's middle, half of the turn on either side."""
    chord, middle = shape.chord, (shape.points[:-1] + shape.points[1:]) / 2
    # The middle of an arc lies off its chord by |chord| / 2 · tan(Δ/4), to the right of the way for a left turn.
    aside = np.stack([chord[:, 1], -chord[:, 0]], axis=1) * np.tan(shape.turn / 4)[:, None] / 2
    between = middle + aside + generator.normal(0.0, 0.05, middle.shape)
    times = np.where(broken, 2, 1)
    last = np.cumsum(times)  # index of each arc's end among the new via-points
    points = np.empty((last[-1] + 1, 2))
    points[0], points[last] = shape.points[0], shape.points[1:]
    points[last[broken] - 1] = between[broken]
    halves = np.repeat(np.where(broken, 0.5, 1.0), times)
    # Two sub-movements take longer than the one stroke they replace.
    slower = np.repeat(np.where(broken, 0.85, 1.0), times)
    whole = Shape(points, np.repeat(shape.turn, times) * halves, np.repeat(shape.lifted, times))
    return whole, np.repeat(rhythm, times) * slower
