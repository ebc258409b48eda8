"""The sigma-lognormal model of handwriting: a pen's path as a sum of overlapping strokes.

Stroke j covers an arc of length D_j whose direction turns steadily from θs_j to θe_j; its speed over time is a
lognormal bell that starts at t0_j. With z = (ln(t − t0) − μ) / σ and Φ the normal distribution function,

    |v_j(t)| = D / (σ √(2π) (t − t0)) · exp(−z² / 2)
    φ_j(t)   = θs + (θe − θs) Φ(z)
    v(t)     = Σ_j |v_j(t)| (cos φ_j(t), sin φ_j(t)),        position = start + ∫ v dt

Velocities add as vectors, so strokes that overlap in time round off the corner between them. The integral has a closed
form, because φ_j is linear in the distance that stroke j has covered: D Φ(z) along a circular arc.

Plamondon 1995, *A kinematic theory of rapid human movements*; O'Reilly & Plamondon 2009, *Development of a
Sigma-Lognormal representation for on-line signatures*.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

FloatArray = NDArray[np.float64]

_SOON = 1e-9  # seconds after an onset: nothing has moved yet, and dividing by it is safe


def arc_length(chord: FloatArray, turn: FloatArray) -> FloatArray:
    """Chords (J, 2) and turns Δ (J,) of arcs → their lengths, chord · (Δ/2) / sin(Δ/2): float64 (J,)."""
    length: FloatArray = np.hypot(*chord.T) / np.sinc(turn / (2 * np.pi))
    return length


@dataclass(frozen=True)
class Strokes:
    """J strokes, in the order of their onsets; lengths in any unit, times in seconds, angles in radians.

    Attributes
    ----------
    start : float64 (2,), where the pen begins.
    chord : float64 (J, 2), from the beginning to the end of each stroke's arc.
    turn : float64 (J,), θe − θs in (−2π, 2π), counter-clockwise positive; 0 is a straight line.
    onset : float64 (J,), t0.
    mu, sigma : float64 (J,), mean and standard deviation of ln(t − t0); sigma > 0.
    lifted : bool (J,), strokes made with the pen in the air.
    """

    start: FloatArray
    chord: FloatArray
    turn: FloatArray
    onset: FloatArray
    mu: FloatArray
    sigma: FloatArray
    lifted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.turn)

    @property
    def length(self) -> FloatArray:
        """D: float64 (J,), the length of each arc."""
        return arc_length(self.chord, self.turn)

    @property
    def start_angle(self) -> FloatArray:
        """θs: float64 (J,); an arc leaves its chord by half of its turn."""
        return np.arctan2(self.chord[:, 1], self.chord[:, 0]) - self.turn / 2

    def time_at(self, share: float) -> FloatArray:
        """float64 (J,), when each stroke has covered `share`, in (0, 1), of its length."""
        time: FloatArray = self.onset + np.exp(self.mu + self.sigma * ndtri(share))
        return time


def position(strokes: Strokes, t: FloatArray) -> FloatArray:
    """Where the pen is at times `t`, float64 (n,): float64 (n, 2)."""
    covered = ndtr(_z(strokes, t))  # (n, J)
    # The chord of an arc of which a part is covered: direction θs + Δ·part/2, length D·part·sin(Δ·part/2)/(Δ·part/2).
    half = strokes.turn * covered / 2
    reach = strokes.length * covered * np.sinc(half / np.pi)
    angle = strokes.start_angle + half
    path: FloatArray = np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=-1).sum(axis=1)
    return strokes.start + path


def velocity(strokes: Strokes, t: FloatArray) -> FloatArray:
    """The pen's velocity at times `t`, float64 (n,): float64 (n, 2), length unit per second."""
    z = _z(strokes, t)
    since = np.maximum(t[:, None] - strokes.onset, _SOON)
    speed = strokes.length / (strokes.sigma * np.sqrt(2 * np.pi) * since) * np.exp(-(z**2) / 2)
    angle = strokes.start_angle + strokes.turn * ndtr(z)
    moved: FloatArray = np.stack([speed * np.cos(angle), speed * np.sin(angle)], axis=-1).sum(axis=1)
    return moved


def _z(strokes: Strokes, t: FloatArray) -> FloatArray:
    """float64 (n, J); −inf before a stroke's onset, where nothing of it is covered."""
    with np.errstate(divide="ignore"):
        since = np.log(np.maximum(t[:, None] - strokes.onset, 0.0))
    z: FloatArray = (since - strokes.mu) / strokes.sigma
    return z
