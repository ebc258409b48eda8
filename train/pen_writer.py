"""A writer who does not exist: one shared change of everything of a writer, so that few writers become many.

Mirrored, turned, slanted, stretched, quicker, or with only part of the signature, a writer's signatures and the
forgeries of them keep their relation to each other, and look like somebody else's to a network. Pressure, or the time
the pen is away, may be taken from all of them, as tablets do that measure neither.
"""

from dataclasses import dataclass

import numpy as np

from train.pen_variation import LEAST_FRAMES, MOST_FRAMES, Distortion, Trace, distorted, repaced, resampled, stretched

_LEAST_TO_CUT = 60
"""Frames a signature must have for a part of it to be taken."""


@dataclass(frozen=True)
class PenVariation:
    """What is drawn for writers and for single signatures; shares are probabilities.

    Attributes
    ----------
    own_hand : strength of the strokewise distortion that half of all signatures get.
    quickened : share of the real forgeries that are made as quick as the writer.
    without_pressure, without_gaps : share of the writers that lose them.
    longest : frames a signature has at most; longer ones are written quicker.
    made : share of the forgeries in a batch without episodes that are distortions of genuine signatures, below 1.
    """

    own_hand: float = 0.12
    pace: float = 0.05
    quickened: float = 0.65
    without_pressure: float = 0.45
    without_gaps: float = 0.5
    longest: int = 320
    made: float = 0.4

    def __post_init__(self) -> None:
        # ValueError: the recipe's validation names the key.
        if not 0.0 <= self.made < 1.0:
            raise ValueError("made must be 0 or more, and below 1")


@dataclass(frozen=True)
class InventedWriter:
    """The change one writer's signatures share; `part` is the share of the frames that is kept, from where to where."""

    mirrored: bool
    upside_down: bool
    reversed: bool
    turn: float
    aspect: float
    shear: float
    speed: float
    pressure: bool
    gaps: bool
    part: tuple[float, float]

    @classmethod
    def drawn(cls, config: PenVariation, generator: np.random.Generator) -> "InventedWriter":
        """A writer at random; one in five is left about as he is."""
        part = (0.0, 1.0)
        if generator.random() < 0.25:
            kept = generator.uniform(0.55, 0.9)
            start = generator.uniform(0.0, 1.0 - kept)
            part = (start, start + kept)
        return cls(
            mirrored=bool(generator.random() < 0.25),
            upside_down=bool(generator.random() < 0.2),
            reversed=bool(generator.random() < 0.15),
            turn=generator.normal(0.0, 0.25),
            aspect=float(np.exp(generator.normal(0.0, 0.2))),
            shear=generator.normal(0.0, 0.15),
            speed=float(np.exp(generator.normal(0.0, 0.15))),
            pressure=bool(generator.random() >= config.without_pressure),
            gaps=bool(generator.random() >= config.without_gaps),
            part=part,
        )

    def written(self, trace: Trace, generator: np.random.Generator) -> Trace:
        """One signature of the writer's, or a forgery, (4, n) → as the invented writer would have it."""
        trace = trace.copy()
        if not self.gaps:
            trace[3] = 0.0
        n = trace.shape[1]
        if n > _LEAST_TO_CUT:
            trace = trace[:, int(self.part[0] * n) : int(self.part[1] * n)].copy()
            trace[3, 0] = 0.0
        if self.reversed:
            # The gap ahead of frame i is, backwards, the gap ahead of the frame before it.
            gaps = np.concatenate([[0.0], trace[3, :0:-1]])
            trace = trace[:, ::-1].copy()
            trace[3] = gaps
        x = trace[0] * (-self.aspect if self.mirrored else self.aspect)
        y = -trace[1] if self.upside_down else trace[1]
        x = x + self.shear * y
        turn = self.turn + generator.normal(0.0, 0.05)
        trace[0] = (np.cos(turn) * x - np.sin(turn) * y) * np.exp(generator.normal(0.0, 0.03))
        trace[1] = np.sin(turn) * x + np.cos(turn) * y
        return stretched(trace, int(np.clip(trace.shape[1] * self.speed, LEAST_FRAMES, MOST_FRAMES)))


def once_more(trace: Trace, config: PenVariation, generator: np.random.Generator) -> Trace:
    """Another go at the same signature, by the same hand."""
    if generator.random() < 0.5:
        trace = distorted(trace, Distortion.own_hand(config.own_hand), generator)
    return repaced(trace, config.pace, generator)


def finished(trace: Trace, writer: InventedWriter, config: PenVariation, generator: np.random.Generator) -> Trace:
    """Noise, ends cut by chance, no more than the longest, and normalised again as `encode.pen_frames` does."""
    trace = trace.copy()
    trace[:2] += generator.normal(0.0, 0.006, trace[:2].shape)
    if generator.random() < 0.3:
        first, last = generator.integers(0, 4, 2)
        trace = trace[:, first : trace.shape[1] - last]
    n = trace.shape[1]
    if n > config.longest:
        trace = resampled(trace, np.linspace(0.0, config.longest - 1.0, n), config.longest)
    position = trace[:2] - trace[:2].mean(1, keepdims=True)
    size = np.sqrt((position * position).mean()) + 1e-6
    pressure = trace[2] if writer.pressure else np.zeros_like(trace[2])
    spread = pressure.std()
    if spread > 1e-6:
        pressure = (pressure - pressure.mean()) / spread
    return np.concatenate([position / size, pressure[np.newaxis], trace[3:]])
