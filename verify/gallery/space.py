"""The space that candidates are searched in: where plain distance ranks people as the likelihood ratio does.

For the kinds of identity model that rest on W, the within-class covariance,

    LLR(x, person) = −½ (x − m)ᵀ Σ⁻¹ (x − m) − ½ log det Σ + a term of x alone,      Σ near c·W

ranks people by the distance of x and m in whitened coordinates: z = Q L⁻¹ (x − μ), with W = L Lᵀ, and Q a rotation that
spreads every direction over all coordinates, so that the codes of each cost alike. What Σ keeps of the person alone is
what the candidates' exact ratios make up for. Ratios of several samples of one modality are averaged, and the mean of
squared distances to m is the squared distance of the samples' mean, plus a constant: one search serves them all.

Models that match frames compare embeddings by their plain distance: there z = Q (x − μ) / s.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enroll.gaussian import Gaussian
from enroll.identity import IdentityModel
from enroll.template import Template

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

_MULTIPLE = 4
_SEED = 20_060_601
_DEVIATIONS = 5.0


@dataclass(frozen=True)
class SearchSpace:
    """The map from embeddings to search vectors of one model.

    Attributes
    ----------
    embedding : d, values of a row that are the embedding.
    mean : float64 (d,); `matrix` : float64 (d, D), with z = (x − mean) · matrix, D the next multiple of 4.
    limit : five standard deviations of a coordinate over everybody, at least; what lies beyond is clipped in codes.
    """

    embedding: int
    mean: Array
    matrix: Array
    limit: float

    @classmethod
    def of(cls, identity: IdentityModel, *, seed: int | None = None) -> "SearchSpace":
        """The space of an identity model; `seed` draws the rotation, None a fixed one."""
        d = identity.vector
        background = identity.background
        if identity.spec.matching is None:
            whitening = Gaussian.from_covariance(np.zeros(d), identity.within).whitened(np.eye(d))
        else:
            whitening = np.eye(d) / np.sqrt(np.trace(identity.within) / d)
        size = -(-d // _MULTIPLE) * _MULTIPLE
        rotation = np.linalg.qr(np.random.default_rng(_SEED if seed is None else seed).normal(size=(size, size))).Q[:d]
        matrix: Array = whitening @ rotation
        variances = np.einsum("ij,ij->j", matrix, background.covariance() @ matrix)
        return cls(d, background.mean, matrix, _DEVIATIONS * float(np.sqrt(variances.max())))

    @property
    def dimensions(self) -> int:
        """D, how many coordinates a search vector has."""
        return int(self.matrix.shape[1])

    def of_template(self, template: Template) -> Floats:
        """Where a person lies: the mean of the references, float32 (D,)."""
        mean = template.moments.mean if template.moments is not None else template.references.mean(0, dtype=np.float64)
        return self._mapped(np.asarray(mean, np.float64))

    def of_probes(self, probes: NDArray[np.float32]) -> Floats:
        """Where the samples of one person lie: the mean of probe rows (N, at least d), float32 (D,)."""
        return self._mapped(probes.mean(0, dtype=np.float64))

    def of_each(self, rows: NDArray[np.float32]) -> Floats:
        """Where each of N rows (N, at least d) lies: float32 (N, D)."""
        return self._mapped(np.asarray(rows, np.float64))

    def _mapped(self, rows: Array) -> Floats:
        return ((rows[..., : self.embedding] - self.mean) @ self.matrix).astype(np.float32)
