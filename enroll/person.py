"""A person as an identity model sees one: a Gaussian and, where signatures are matched frame by frame, the references.

mutual_s[i, j] = warping distance between references i and j in feature set s
spread_s       = mean of mutual_s over i ≠ j: how far the person's own signatures lie apart
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from enroll.frames import Frames, frame_distances
from enroll.gaussian import Gaussian
from enroll.whitened import Density

Array = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Person:
    """What probes are compared with.

    Attributes
    ----------
    gaussian : the density of the person's embeddings; None where the model matches frames and does not weigh it.
    frames : the references' prepared traces; None where the model does not match frames.
    vectors : the references' embeddings, float64 (R, d), or None likewise.
    enrolled : the same person without the adapted references; None where there are none.
    gain : by how many nats the adapted references may raise a ratio above what `enrolled` gives, at most.
    """

    gaussian: Density | None
    frames: Frames | None = None
    vectors: Array | None = None
    enrolled: "Person | None" = None
    gain: float = 0.0

    def log_ratio(self, vectors: Array, background: Gaussian) -> Array:
        """log p(x | person) − log p(x | background) of embeddings (N, d): float64 (N,)."""
        if self.gaussian is None:
            raise ValueError("the person was fitted without a density")
        return self.gaussian.log_density(vectors) - background.log_density(vectors)

    @property
    def references(self) -> Frames:
        """The references' frames, of a person fitted by a model that matches them."""
        if self.frames is None:
            raise ValueError("the person was fitted without frames")
        return self.frames

    @property
    def embeddings(self) -> Array:
        """The references' embeddings, float64 (R, d), of a person fitted by a model that matches frames."""
        if self.vectors is None:
            raise ValueError("the person was fitted without embeddings to compare with")
        return self.vectors

    @property
    def measured(self) -> bool:
        """Whether every reference measured pressure: only then can pressure enter a comparison."""
        return bool(self.references.measured.all())

    def mutual(self, *, pressure: bool) -> Array:
        """Distances between the references: float64 (R, R, S), symmetric, zero on the diagonal; computed once."""
        return self._mutual_with_pressure if pressure else self._mutual_without_pressure

    def spread(self, *, pressure: bool) -> Array | None:
        """Mean distance between different references in each feature set: float64 (S,); None for one reference."""
        count = len(self.references)
        return None if count < 2 else self.mutual(pressure=pressure).sum((0, 1)) / (count * (count - 1))

    @cached_property
    def _mutual_with_pressure(self) -> Array:
        return self._mutual(pressure=True)

    @cached_property
    def _mutual_without_pressure(self) -> Array:
        return self._mutual(pressure=False)

    def _mutual(self, *, pressure: bool) -> Array:
        frames = self.references
        i, j = np.triu_indices(len(frames), 1)
        mutual = np.zeros((len(frames), len(frames), len(frames.sets)))
        mutual[i, j] = mutual[j, i] = frame_distances(frames, frames, (i, j), pressure=pressure)
        return mutual
