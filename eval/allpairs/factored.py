"""Scores of everybody against everybody as matrix products.

The calibrated log-likelihood ratio of probe x against the template p is, for every kind of Gaussian,

    llr(x, p) = Φ(x)·w_p + Σ_k (Φ(x)·v_pk)²

    Φ(x) = (z, |z|², log p(x | everyone else), 1)      with z² in place of |z|² for the diagonal kinds

where z is x about the background's mean, in the coordinates of `enroll.low_rank`; the squares are those of the
low-rank part of Σ⁻¹, r ≤ references − 1 of them. With −½ scale·(z − m)ᵀ(α⁻¹ I − V diag(γ) Vᵀ)(z − m) written out,

    w_p  = scale · (m/α, −1/(2α), −1, −|m|²/(2α) − ½ (d log 2π + log det Σ)) + (0, 0, 0, offset)
    v_pk = √(½ scale γ_k) · (V_k, 0, 0, −V_k·m)

so that pooled scores are one product of K = d + 3 columns. Features are centred, weights are made in float64 and both
are rounded to float32 once. The rounding of template p is at most about

    2⁻²² · (Σ_j max|Φ_j| |w_pj| + 2 Σ_k (Σ_j max|Φ_j| |v_pkj|)²)

Where that exceeds `TOLERANCE`, or the variance floor of `enroll.gaussian` bites, the template is marked dense: it is to
be scored by the identity model itself, in float64.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import FieldInvalid, TooFewReferences
from enroll.gaussian import LOG_2PI, VARIANCE_FLOOR, Gaussian
from enroll.identity import IdentityModel
from enroll.low_rank import low_rank
from enroll.whitened import Density, Within
from eval.allpairs.ragged import Ragged

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

TOLERANCE = 0.1
"""Highest bound of a score's rounding, in nats, that float32 is trusted with; what is found is a hundredth of it."""

_ROUNDING = 2.0**-22
_ROWS = 4096
_DIAGONAL = ("diagonal", "diagonal_map")
_WHITENED = ("pooled", "map")


@dataclass(frozen=True)
class Factored:
    """Factors of all scores.

    Attributes
    ----------
    features : float32 (N, K), Φ of every sample.
    weights : float32 (1 + r, T, K), w of every template, then v; zeros for a template that is dense.
    dense : bool (T,), templates to be scored by the identity model.
    highest : no score is above it.
    rounding : the largest bound of a factored score's rounding, in the unit of the scores.
    """

    features: Floats
    weights: Floats
    dense: NDArray[np.bool_]
    highest: float
    rounding: float


def require_factorable(model: IdentityModel, references: int) -> None:
    """Raise FieldInvalid for a model that no matrix product scores, TooFewReferences for one that needs more."""
    if model.spec.matching is not None:
        raise FieldInvalid(
            "this bundle matches signatures frame by frame, which is a comparison of two traces and no matrix product",
            field="bundle",
            fix="measure it with `countersign eval run`, or use a bundle without frame matching",
        )
    if references < model.minimum:
        raise TooFewReferences(
            f"this bundle enrolls people with {model.minimum} references or more, {references} given",
            field="references",
            fix=f"give --references {model.minimum} or more",
        )


def factor(model: IdentityModel, embeddings: Floats, references: Ragged) -> Factored:
    """Embeddings (N, d) and the samples that each of T templates is made of → factors of all N · T scores."""
    basis = _Basis(model)
    features, shift = basis.features(embeddings)
    rank = 0 if model.spec.kind not in ("map", "full_oas", "full_ledoit_wolf") else int(references.lengths.max()) - 1
    rank = min(rank, model.vector)
    peak, least = np.abs(features).max(axis=0).astype(np.float64), basis.least_density
    weights = np.zeros((1 + rank, len(references), features.shape[1]), np.float32)
    dense = np.zeros(len(references), np.bool_)
    highest, rounding = -np.inf, 0.0
    for index in range(len(references)):
        found = basis.weights(embeddings[references[index]], rank)
        bound = np.inf
        if found is not None:
            rows, log_determinant = found
            rows[0, -1] += rows[0, :-1] @ shift[:-1]  # features are centred; the last one is 1
            rows[1:, -1] += rows[1:, :-1] @ shift[:-1]
            sizes = np.abs(rows) @ peak
            bound = _ROUNDING * (sizes[0] + 2.0 * float((sizes[1:] ** 2).sum()))
        if bound > TOLERANCE:
            dense[index] = True
            log_determinant = basis.fitted(embeddings[references[index]]).log_determinant
        else:
            weights[:, index] = rows
            rounding = max(rounding, bound)
        highest = max(highest, basis.scale * (-0.5 * (model.vector * LOG_2PI + log_determinant) - least))
    return Factored(features, weights, dense, highest + basis.offset, rounding)


class _Basis:
    """The coordinates of a kind of Gaussian, its features and its weights."""

    def __init__(self, model: IdentityModel) -> None:
        self.model, self.kind = model, model.spec.kind
        self.scale, self.offset = model.spec.calibration.scale, model.spec.calibration.offset
        self.centre = model.background.mean
        self.least_density = np.inf
        d = model.vector
        self.whitening: Array = np.eye(d)
        self.log_determinant, self.least_variance = 0.0, 1.0
        if self.kind in _WHITENED:
            within = Within(model.within)
            self.whitening = np.asarray(np.linalg.inv(within.gaussian.factor), np.float64)
            self.log_determinant = within.gaussian.log_determinant
            self.least_variance = within.least

    def features(self, embeddings: Floats) -> tuple[Floats, Array]:
        """Φ centred, float32 (N, K), and what was taken off each column, float64 (K,)."""
        d, squares = self.model.vector, self.model.vector if self.kind in _DIAGONAL else 1
        features = np.ones((len(embeddings), d + squares + 2), np.float32)
        shift = np.zeros(features.shape[1])
        for start in range(0, len(embeddings), _ROWS):
            x = embeddings[start : start + _ROWS].astype(np.float64)
            z = (x - self.centre) @ self.whitening.T
            density = self.model.background.log_density(x)
            quadratic = z * z if self.kind in _DIAGONAL else (z * z).sum(axis=1, keepdims=True)
            columns = np.hstack([quadratic, density[:, None]])
            if start == 0:
                # Any constant would do: that of the first rows takes off what is common to all.
                shift[d:-1] = columns.mean(axis=0)
            features[start : start + _ROWS, :d] = z
            features[start : start + _ROWS, d:-1] = columns - shift[d:-1]
            self.least_density = min(self.least_density, float(density.min()))
        return features, shift

    def weights(self, references: Floats, rank: int) -> tuple[Array, float] | None:
        """w and v of one template, float64 (1 + rank, K), and log det Σ; None where the variance floor bites."""
        d, scale = self.model.vector, self.scale
        if self.kind in _DIAGONAL or self.kind == "spherical":
            fitted = self.fitted(references)
            if not isinstance(fitted, Gaussian):
                raise TypeError("these kinds have a diagonal covariance")
            return self._of_fitted(fitted)
        z = (references.astype(np.float64) - self.centre) @ self.whitening.T
        found, mean = low_rank(self.model.spec, z), z.mean(0)
        if found.alpha * self.least_variance < VARIANCE_FLOOR:
            return None
        determinant = found.log_determinant + self.log_determinant
        rows = np.zeros((1 + rank, d + 3))
        rows[0] = self._linear(mean, np.full(1, found.alpha), determinant)
        directions = np.sqrt(0.5 * scale * found.gains)[:, None] * found.directions
        rows[1 : 1 + len(directions), :d] = directions
        rows[1 : 1 + len(directions), -1] = -directions @ mean
        return rows, determinant

    def fitted(self, references: Floats) -> Density:
        """The identity model's own Gaussian of references (n, d)."""
        gaussian = self.model.fit(references).gaussian
        if gaussian is None:
            raise ValueError("a model without frame matching fits a density")
        return gaussian

    def _of_fitted(self, gaussian: Gaussian) -> tuple[Array, float]:
        variances = gaussian.factor**2
        if self.kind == "spherical":
            variances = variances[:1]
        return self._linear(gaussian.mean - self.centre, variances, gaussian.log_determinant)[None], (
            gaussian.log_determinant
        )

    def _linear(self, mean: Array, variances: Array, log_determinant: float) -> Array:
        """w of a diagonal covariance: `variances` (d,), or (1,) for a multiple of the identity."""
        constant = float((mean * mean / variances).sum()) + len(mean) * LOG_2PI + log_determinant
        row = np.concatenate([mean / variances, -0.5 / variances, [-1.0, -0.5 * constant]]) * self.scale
        row[-1] += self.offset
        return row
