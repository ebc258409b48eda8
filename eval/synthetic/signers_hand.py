"""The hand of a synthetic signer: habits, and how a planned shape becomes strokes of a pen, never twice the same.

    onset_j − onset_{j−1} = pace · rhythm_j · (length_j / mean length)^⅓

Long strokes take longer, though by less than they are long (isochrony: Viviani & Terzuolo 1982, *Trajectory determines
movement dynamics*). A hand's tremor is a sum of a few sinusoids of 7 to 12 Hz, the band of physiological tremor.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from eval.synthetic.signers_motion import FloatArray, Strokes, arc_length
from eval.synthetic.signers_shape import Shape

_ISOCHRONY = 1 / 3
_TREMOR_HZ = (7.0, 12.0)
_TREMOR_TONES = 4


@dataclass(frozen=True)
class Hand:
    """How somebody moves a pen.

    Attributes
    ----------
    size : mm, the x-height.
    slant, incline : radians; letters lean to the right by `slant`, the base line rises by `incline`.
    pace : seconds from one stroke's onset to the next one's, on average.
    delay : seconds from a stroke's onset until half of it is done, exp(μ).
    spread : σ of the strokes; 2.4 σ · delay is about the width of a peak of speed.
    tremor : mm, root mean square.
    press : mean pressure, a fraction of the device's range.
    press_down : how much harder strokes downwards press, a fraction.
    press_slow : how much harder slow parts press, a fraction.
    attack : seconds in which the pressure rises after a touch and falls before a lift.
    looseness : factor on all variation from one signature to the next; 1 is usual.
    """

    size: float
    slant: float
    incline: float
    pace: float
    delay: float
    spread: float
    tremor: float
    press: float
    press_down: float
    press_slow: float
    attack: float
    looseness: float

    @classmethod
    def draw(cls, generator: np.random.Generator) -> Self:
        """Anybody's hand."""
        pace = generator.uniform(0.085, 0.13)
        return cls(
            size=float(np.exp(generator.normal(np.log(6.0), 0.25))),
            slant=generator.normal(0.15, 0.2),
            incline=generator.normal(0.04, 0.06),
            pace=pace,
            delay=pace * generator.uniform(1.4, 1.9),
            spread=generator.uniform(0.18, 0.28),
            tremor=generator.uniform(0.01, 0.04),
            press=generator.uniform(0.3, 0.75),
            press_down=generator.uniform(0.0, 0.35),
            press_slow=generator.uniform(-0.1, 0.35),
            attack=generator.uniform(0.02, 0.08),
            looseness=float(np.exp(generator.normal(0.0, 0.25))),
        )

    def today(self, generator: np.random.Generator) -> Self:
        """The same hand at one occasion: size, lean, pace, pressure and care differ a little."""
        loose = self.looseness * float(np.exp(generator.normal(0.0, 0.25)))
        slower, larger = np.exp(loose * generator.normal(0.0, [0.07, 0.06]))
        return replace(
            self,
            looseness=loose,
            size=self.size * larger,
            slant=self.slant + loose * generator.normal(0.0, 0.03),
            incline=self.incline + loose * generator.normal(0.0, 0.025),
            pace=self.pace * slower,
            delay=self.delay * slower,
            press=float(np.clip(self.press * np.exp(loose * generator.normal(0.0, 0.08)), 0.05, 0.95)),
        )


def draw_rhythm(strokes: int, generator: np.random.Generator) -> FloatArray:
    """A signer's own rhythm, float64 (J,): how much earlier or later than the pace each stroke begins."""
    return np.exp(generator.normal(0.0, 0.15, strokes))


def vary(shape: Shape, looseness: float, generator: np.random.Generator) -> Shape:
    """The shape as it comes out once: every via-point off by itself, and all later ones drifting along."""
    count = len(shape) + 1
    alone = generator.normal(0.0, 0.1 * looseness, (count, 2))
    drift = generator.normal(0.0, 0.04 * looseness, (count, 2)).cumsum(axis=0)
    wider = np.exp(generator.normal(0.0, [0.04 * looseness, 0.02 * looseness]))
    turn = shape.turn + generator.normal(0.0, 0.16 * looseness, len(shape))
    return Shape(shape.points * wider + alone + drift, turn, shape.lifted)


def vary_rhythm(rhythm: FloatArray, looseness: float, generator: np.random.Generator) -> FloatArray:
    """The rhythm as it comes out once, float64 (J,)."""
    varied: FloatArray = rhythm * np.exp(generator.normal(0.0, 0.1 * looseness, len(rhythm)))
    return varied


def perform(shape: Shape, rhythm: FloatArray, hand: Hand, generator: np.random.Generator) -> Strokes:
    """Plan → motion: strokes in mm and seconds."""
    lean = np.array([[1.0, np.tan(hand.slant)], [0.0, 1.0]])
    cos, sin = np.cos(hand.incline), np.sin(hand.incline)
    points = hand.size * shape.points @ (np.array([[cos, -sin], [sin, cos]]) @ lean).T
    chord = np.diff(points, axis=0)
    longer = arc_length(chord, shape.turn)
    slower = np.maximum(longer / longer.mean(), 0.05) ** _ISOCHRONY
    gaps = hand.pace * rhythm * slower
    each = np.exp(generator.normal(0.0, 0.04 * hand.looseness, len(shape)))
    return Strokes(
        start=points[0],
        chord=chord,
        turn=shape.turn,
        onset=np.cumsum(gaps) - gaps[0],
        mu=np.log(hand.delay * slower**0.5) + np.log(each),
        sigma=hand.spread * np.exp(generator.normal(0.0, 0.08, len(shape))),
        lifted=shape.lifted,
    )


def tremble(hand: Hand, t: FloatArray, generator: np.random.Generator) -> FloatArray:
    """The tremor of `hand` at times `t`, float64 (n,) seconds: float64 (n, 2) mm."""
    hertz = generator.uniform(*_TREMOR_HZ, (_TREMOR_TONES, 1, 2))
    phase = generator.uniform(0, 2 * np.pi, (_TREMOR_TONES, 1, 2))
    tones = np.sin(2 * np.pi * hertz * t[None, :, None] + phase)
    shaken: FloatArray = hand.tremor * np.sqrt(2 / _TREMOR_TONES) * tones.sum(axis=0)
    return shaken
