"""The identity model of a bundle: reference embeddings → Gaussian, probe → calibrated log-likelihood ratio.

    raw = log p(x | person) − log p(x | everyone else)        llr = scale · raw + offset

"Everyone else" is the bundle's background, a Gaussian fitted on training people; never the impostors under test. The
affine calibration makes the natural-log ratio honest (logistic regression on training people, Brümmer & du Preez 2006).
Higher is more genuine.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from encode.bundle import Bundle
from encode.manifest import IdentitySpec
from enroll.gaussian import (
    Gaussian,
    fit_diagonal,
    fit_full_ledoit_wolf,
    fit_full_oas,
    fit_map,
    fit_pooled,
    fit_spherical,
)

Array = NDArray[np.float64]


class IdentityModel:
    """Fits people and scores probes as one bundle says.

    Parameters
    ----------
    spec : kind of covariance, its parameters, calibration, and how many references are kept.
    background : `mean` (D,), `total` (D, D), `within` (D, D), float64.
    """

    def __init__(self, spec: IdentitySpec, background: Mapping[str, Array]) -> None:
        self.spec = spec
        self.background = Gaussian.from_covariance(background["mean"], background["total"])
        self._within = background["within"]

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> "IdentityModel":
        """The model an opened bundle carries."""
        return cls(bundle.manifest.identity, bundle.background)

    @property
    def recent(self) -> int:
        """How many of the most recent references are kept."""
        return self.spec.recent

    @property
    def anchors(self) -> int:
        """How many of the first references are kept for good."""
        return self.spec.anchors

    @property
    def minimum(self) -> int:
        """Fewest references a person can be enrolled with."""
        needed = 2 if self.spec.kind in ("spherical", "diagonal", "full_oas", "full_ledoit_wolf") else 1
        return max(needed, self.spec.minimum)

    def fit(self, references: ArrayLike) -> Gaussian:
        """references (n, D) → the person's Gaussian. Raises TooFewReferences, FieldInvalid."""
        spec = self.spec
        if spec.kind == "map":
            return fit_map(references, self._within, strength=spec.strength, mean_correction=spec.mean_correction)
        if spec.kind == "pooled":
            return fit_pooled(references, self._within, mean_correction=spec.mean_correction)
        plain = {
            "spherical": fit_spherical,
            "diagonal": fit_diagonal,
            "full_oas": fit_full_oas,
            "full_ledoit_wolf": fit_full_ledoit_wolf,
        }
        return plain[spec.kind](references)

    def llr(self, person: Gaussian, probes: ArrayLike) -> Array:
        """probes (N, D) → natural-log likelihood ratios float64 (N,)."""
        raw = person.log_density(probes) - self.background.log_density(probes)
        return self.spec.calibration.scale * raw + self.spec.calibration.offset
