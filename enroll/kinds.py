"""Which density each kind of identity model fits: of the references themselves, or of their moments alone."""

import numpy as np
from numpy.typing import NDArray

from encode.manifest import IdentitySpec
from enroll.gaussian import (
    Gaussian,
    diagonal,
    diagonal_map,
    fit_diagonal,
    fit_diagonal_map,
    fit_full_ledoit_wolf,
    fit_full_oas,
    fit_map,
    fit_pooled,
    fit_spherical,
    pooled,
    spherical,
)
from enroll.moments import Moments
from enroll.whitened import KINDS as WHITENED
from enroll.whitened import Density, Within, fit_whitened

Array = NDArray[np.float64]

LEAST_REFERENCES = {"spherical": 2, "diagonal": 2, "full_oas": 2, "full_ledoit_wolf": 2}
"""Kinds that need more than one reference, as nothing but the references tells how far a person varies."""


def fit_references(spec: IdentitySpec, prior: Within, references: Array) -> Density:
    """References (n, d) → the Gaussian of the spec's kind. Raises TooFewReferences, FieldInvalid."""
    if spec.kind in WHITENED and (fitted := fit_whitened(spec, prior, references)) is not None:
        return fitted
    within = prior.covariance
    correction, strength = spec.mean_correction, spec.strength
    match spec.kind:
        case "spherical":
            return fit_spherical(references, mean_correction=correction)
        case "diagonal":
            return fit_diagonal(references, mean_correction=correction)
        case "diagonal_map":
            return fit_diagonal_map(references, within, strength=strength, mean_correction=correction)
        case "full_oas":
            return fit_full_oas(references, mean_correction=correction)
        case "full_ledoit_wolf":
            return fit_full_ledoit_wolf(references, mean_correction=correction)
        case "pooled":
            return fit_pooled(references, within, mean_correction=correction)
        case "map":
            return fit_map(references, within, strength=strength, mean_correction=correction)


def fit_moments(spec: IdentitySpec, prior: Within, moments: Moments) -> Gaussian:
    """Moments of d values, of enough references → the Gaussian that the references have, up to rounding."""
    within = prior.covariance
    n, mean = moments.count, moments.mean.astype(np.float64)
    variances = moments.squares.astype(np.float64) / n
    correction, strength = spec.mean_correction, spec.strength
    match spec.kind:
        case "spherical":
            return spherical(n, mean, variances, mean_correction=correction)
        case "diagonal":
            return diagonal(n, mean, variances, mean_correction=correction)
        case "diagonal_map":
            return diagonal_map(n, mean, variances, within, strength=strength, mean_correction=correction)
        case "pooled":
            return pooled(n, mean, within, mean_correction=correction)
        case _:
            raise ValueError(f"moments hold no correlations, which {spec.kind} needs")
