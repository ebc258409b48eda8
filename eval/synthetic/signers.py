"""Synthetic signers for demonstrations and tests: nobody's signatures, moved as hands move.

    signer = shape + rhythm + hand        who: drawn once a person
    genuine = the same, varied a little   each signature is another performance of it
    forgery = the shape as somebody else reads it, with his own rhythm, tremor and pressure

Motion follows Plamondon's sigma-lognormal model (`eval.synthetic.signers_motion`). No recording of anybody went into
it: every figure is chosen by hand so that lengths, speeds and variability are those of handwriting.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from encode.errors import FieldInvalid
from encode.sample import StrokesSample
from eval.synthetic.signers_forger import Forger
from eval.synthetic.signers_hand import Hand, draw_rhythm, perform, vary, vary_rhythm
from eval.synthetic.signers_motion import FloatArray
from eval.synthetic.signers_shape import Shape, draw_shape
from eval.synthetic.signers_tablet import Tablet

DEFAULT_TABLET = Tablet()
FORGERS = 4
"""Different forgers who imitate one person; their attempts take turns."""

_PERSON, _GENUINE, _FORGER, _FORGERY = range(4)  # streams of random numbers that never meet


@dataclass(frozen=True)
class Signer:
    """One synthetic person's signature.

    Attributes
    ----------
    seed, person : what everything follows from.
    shape, rhythm, hand : what it looks like, when its strokes begin, and how the pen is moved.
    """

    seed: int
    person: int
    shape: Shape
    rhythm: FloatArray
    hand: Hand

    @classmethod
    def draw(cls, person: int, *, seed: int = 0) -> Self:
        """Synthetic person number `person`, counted from 0. Raises FieldInvalid for negative numbers."""
        if person < 0 or seed < 0:
            raise FieldInvalid("person and seed are counted from 0", field="person")
        generator = np.random.default_rng([seed, person, _PERSON])
        shape = draw_shape(generator)
        return cls(seed, person, shape, draw_rhythm(len(shape), generator), Hand.draw(generator))

    def genuine(self, samples: int, *, tablet: Tablet = DEFAULT_TABLET) -> list[StrokesSample]:
        """The person's own signatures; the first ones stay the same however many are drawn."""
        return [self._sign(self._stream(_GENUINE, number), tablet) for number in _counted(samples)]

    def forgeries(self, samples: int, *, tablet: Tablet = DEFAULT_TABLET) -> list[StrokesSample]:
        """Imitations by `FORGERS` other people in turn; the first ones stay the same however many are drawn."""
        forgers = [
            Forger.draw(self.hand, self.shape, self.rhythm, self._stream(_FORGER, number))
            for number in range(min(FORGERS, samples))
        ]
        return [
            self._forge(forgers[number % FORGERS], self._stream(_FORGERY, number), tablet)
            for number in _counted(samples)
        ]

    def _sign(self, generator: np.random.Generator, tablet: Tablet) -> StrokesSample:
        hand = self.hand.today(generator)
        shape = vary(self.shape, hand.looseness, generator)
        rhythm = vary_rhythm(self.rhythm, hand.looseness, generator)
        return tablet.record(perform(shape, rhythm, hand, generator), hand, generator)

    def _forge(self, forger: Forger, generator: np.random.Generator, tablet: Tablet) -> StrokesSample:
        planned, rhythm = forger.plan(self.shape, generator)
        hand = forger.hand.today(generator)
        shape = vary(planned, hand.looseness, generator)
        return tablet.record(perform(shape, rhythm, hand, generator), hand, generator)

    def _stream(self, use: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.person, use, number])


def _counted(samples: int) -> range:
    if samples < 0:
        raise FieldInvalid("samples are counted from 0", field="samples")
    return range(samples)
