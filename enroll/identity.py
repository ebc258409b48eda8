"""The identity model of a bundle: references → person, probe → calibrated log-likelihood ratio.

    raw = log p(x | person) − log p(x | everyone else)        llr = scale · raw + offset

"Everyone else" is the bundle's background, a Gaussian fitted on training people; never the impostors under test. The
affine calibration makes the natural-log ratio honest (logistic regression on training people, Brümmer & du Preez 2006).
Higher is more genuine.

Where the bundle matches frames, a row is an embedding followed by a flattened trace, and raw is the weighted sum of
`enroll.matching`, in which the ratio above is one part.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from encode.bundle import Bundle
from encode.errors import FieldInvalid, TooFewReferences
from encode.manifest import IdentitySpec
from enroll.gaussian import Gaussian
from enroll.kinds import LEAST_REFERENCES, fit_moments, fit_references
from enroll.matching import Matcher
from enroll.moments import Moments
from enroll.person import Person
from enroll.template import Template
from enroll.whitened import Within

Array = NDArray[np.float64]


class IdentityModel:
    """Fits people and scores probes as one bundle says.

    Parameters
    ----------
    spec : kind of covariance, its parameters, calibration, and what a template keeps.
    background : `mean` (d,), `total` (d, d), `within` (d, d), float64; d values of a row are the embedding.

    Raises
    ------
    BundleCorrupt : the matching names a part or a channel that does not exist.
    """

    def __init__(self, spec: IdentitySpec, background: Mapping[str, Array]) -> None:
        self.spec = spec
        self.background = Gaussian.from_covariance(background["mean"], background["total"])
        self._within = Within(background["within"])
        self._matcher = None if spec.matching is None else Matcher(spec.matching)

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
    def limit(self) -> int | None:
        """How many references may enter a template of moments; None where templates keep references."""
        return self.spec.limit

    @property
    def vector(self) -> int:
        """d, how many values of a row are the embedding."""
        return len(self.background.mean)

    @property
    def within(self) -> Array:
        """The bundle's within-class covariance, float64 (d, d)."""
        return self._within.covariance

    def spread(self, vectors: ArrayLike, about: ArrayLike) -> Array:
        """How far embeddings (N, d) lie from `about` (d,), in standard deviations within people: float64 (N,).

        √( (x − a)ᵀ W⁻¹ (x − a) / d ): the root mean square over all d directions, about 1 for samples of one person
        around that person's mean.
        """
        shifted = np.atleast_2d(np.asarray(vectors, np.float64)) - np.asarray(about, np.float64)
        spread: Array = np.sqrt(self._within.gaussian.squared_distance(shifted) / self.vector)
        return spread

    @property
    def minimum(self) -> int:
        """Fewest references a person can be enrolled with."""
        return max(self._least, self.spec.minimum)

    @property
    def _least(self) -> int:
        """Fewest references that can be fitted at all."""
        return max(LEAST_REFERENCES.get(self.spec.kind, 1), 1 if self._matcher is None else self._matcher.minimum)

    def fit(self, references: ArrayLike) -> Person:
        """References (n, D) → the person, as enrolling them all into an empty template would give.

        Raises TooFewReferences, FieldInvalid.
        """
        rows = self._rows(np.asarray(references, np.float64), "references")
        if not np.isfinite(rows).all():
            raise FieldInvalid("references hold values that are not finite", field="references")
        self._require(len(rows))
        vectors = rows[:, : self.vector]
        if self.spec.storage == "moments":
            return self.fit_moments(Moments.of(vectors))
        if self._matcher is None:
            return Person(fit_references(self.spec, self._within, vectors))
        # A density of hundreds of dimensions costs more than the matching: it is fitted where it has a weight.
        gaussian = fit_references(self.spec, self._within, vectors) if self._matcher.weighs_gaussian else None
        return Person(gaussian, self._matcher.prepare(rows[:, self.vector :], field="references"), vectors)

    def fit_moments(self, moments: Moments) -> Person:
        """The moments of references' embeddings → the person. Raises TooFewReferences."""
        self._require(moments.count)
        return Person(fit_moments(self.spec, self._within, moments))

    def fit_template(self, template: Template, *, gain: float = 0.0) -> Person:
        """The person a template is of, whose adapted references may raise a ratio by `gain` nats at most.

        Raises TooFewReferences, FieldInvalid.
        """
        if template.moments is not None:
            return self.fit_moments(template.moments)
        if not template.adapted_count:
            return self.fit(template.enrolled)
        return replace(self.fit(template.references), enrolled=self.fit(template.enrolled), gain=gain)

    def llr(self, person: Person, probes: ArrayLike) -> Array:
        """Probes (N, D) → natural-log likelihood ratios float64 (N,). Raises FieldInvalid.

        min( llr of all references, llr of the enrolled ones + gain ) where some references were adapted.
        """
        llrs = self._llr(person, probes)
        if person.enrolled is None:
            return llrs
        bounded: Array = np.minimum(llrs, self._llr(person.enrolled, probes) + person.gain)
        return bounded

    def _llr(self, person: Person, probes: ArrayLike) -> Array:
        matching, parts = self.spec.matching, self.parts(person, probes)
        if matching is None:
            raw = parts["gaussian"]
        else:
            raw = np.sum([weight * parts[name] for name, weight in matching.weights.items()], axis=0)
        return self.spec.calibration.scale * raw + self.spec.calibration.offset

    def parts(self, person: Person, probes: ArrayLike) -> dict[str, Array]:
        """What the raw score of each probe (N, D) is added up from, unweighted: part → float64 (N,)."""
        rows = self._rows(np.atleast_2d(np.asarray(probes, np.float64)), "probes")
        vectors = rows[:, : self.vector]
        if self._matcher is None:
            return {"gaussian": person.log_ratio(vectors, self.background)}
        frames = self._matcher.prepare(rows[:, self.vector :], field="probes")
        return self._matcher.parts(person, frames, vectors, self.background)

    def _rows(self, rows: Array, field: str) -> Array:
        if rows.ndim != 2 or rows.shape[1] < self.vector:
            raise FieldInvalid(f"rows of {self.vector} values or more expected, got shape {rows.shape}", field=field)
        return rows

    def _require(self, count: int) -> None:
        if count < self._least:
            raise TooFewReferences(
                f"this identity model needs {self._least} references, {count} given",
                field="references",
                fix="enroll more samples of the person",
            )
