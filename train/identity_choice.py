"""Which identity model a bundle gets: measured on background people, each corpus scored by what the others taught.

For every corpus in turn, W and the impostor density are fitted on the background people of the other corpora, and the
people of this one are enrolled and probed. That is the situation of a customer, whose camera no training corpus knows.
The candidate with the lowest cost over all corpora wins; its scores also give the calibration.

Where people of a corpus were forged, the trials are theirs alone and the impostors are their skilled forgeries: a
signature is asked to keep out those. A forgery is an impostor and nothing else, never a reference and never in W.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrainingError
from encode.manifest import CalibrationSpec, IdentitySpec
from enroll.identity import IdentityModel
from eval.measures.metrics import equal_error, frr_at, threshold_at_far
from train.background import fit_background
from train.calibration import fit_calibration
from train.embedding import Embedded

Array = NDArray[np.float64]

DRAWS = 5
REFERENCES = 5
WITHIN = (0.1, 0.5, 0.8)
TOTAL = (0.1, 0.5, 0.9)
"""Shrinkages of W and of the impostor density that are compared."""
LEAST_REFERENCES = 2
"""Whoever has fewer is left out for every candidate, also where one would do: all face the same trials."""


@dataclass(frozen=True)
class Candidate:
    """An identity model and the shrinkage of its background."""

    identity: IdentitySpec
    within_shrinkage: float
    total_shrinkage: float

    def background(self, embedded: Embedded) -> dict[str, Array]:
        """The background of these people, shrunk as the candidate asks."""
        return fit_background(
            *embedded.own, within_shrinkage=self.within_shrinkage, total_shrinkage=self.total_shrinkage
        )

    def describe(self) -> str:
        """One line for logs and cards."""
        spec = self.identity
        strength = f" ν={spec.strength:g}" if spec.kind == "map" else ""
        return f"{spec.kind}{strength}, W shrunk {self.within_shrinkage:g}, background {self.total_shrinkage:g}"


@dataclass(frozen=True)
class Measured:
    """What a candidate cost: EER and FRR at FAR 1 % over pooled left-out corpora; fractions, a posteriori."""

    candidate: Candidate
    eer: float
    frr_at_1: float
    genuine: Array
    impostor: Array
    skilled: bool = False

    @property
    def cost(self) -> float:
        """Mean of the two: accuracy in the middle of the curve and at its strict end."""
        return 0.5 * (self.eer + self.frr_at_1)


def default_candidates(recent: int = 5, anchors: int = 5) -> list[Candidate]:
    """Every covariance kind, with the shrinkages worth comparing."""
    specs = [
        IdentitySpec(kind="map", strength=strength, recent=recent, anchors=anchors) for strength in (5.0, 15.0, 50.0)
    ]
    specs.append(IdentitySpec(kind="pooled", recent=recent, anchors=anchors))
    found = [Candidate(spec, within, total) for within in WITHIN for total in TOTAL for spec in specs]
    for kind in ("spherical", "diagonal", "full_oas", "full_ledoit_wolf"):
        found += given_candidates(IdentitySpec(kind=kind, recent=recent, anchors=anchors))
    return found


def given_candidates(identity: IdentitySpec) -> list[Candidate]:
    """One identity model, with the shrinkages worth comparing for it; W's cannot matter to kinds that do not use it."""
    shrinkages = WITHIN if identity.kind in ("map", "pooled", "diagonal_map") else (0.5,)
    return [Candidate(identity, within, total) for within in shrinkages for total in TOTAL]


def choose_identity(embedded: Embedded, candidates: Sequence[Candidate], *, seed: int) -> list[Measured]:
    """Measure every candidate on the background people; best first."""
    measured = []
    for candidate in candidates:
        genuine, impostor = leave_one_corpus_out(embedded, candidate, seed=seed)
        eer, frr = equal_error(genuine, impostor).rate, frr_at(genuine, threshold_at_far(impostor, 0.01))
        measured.append(Measured(candidate, eer, frr, genuine, impostor, skilled=bool(embedded.forged.any())))
    return sorted(measured, key=lambda entry: entry.cost)


def calibrate(measured: Measured) -> CalibrationSpec:
    """The affine map from the winner's raw scores to natural-log likelihood ratios."""
    return fit_calibration(measured.genuine, measured.impostor)


def leave_one_corpus_out(embedded: Embedded, candidate: Candidate, *, seed: int) -> tuple[Array, Array]:
    """Raw genuine and impostor scores of every corpus under a background fitted on the others."""
    genuine: list[Array] = []
    impostor: list[Array] = []
    for number, group in enumerate(corpus_groups(embedded)):
        others = candidate.background(embedded.part(~group))
        model = IdentityModel(candidate.identity.model_copy(update={"calibration": CalibrationSpec()}), others)
        skilled = bool(embedded.forged.any())
        for own_scores, others_scores in _score_group(model, embedded.part(group), (seed, number), skilled=skilled):
            genuine.append(own_scores)
            impostor.append(others_scores)
    if not genuine or not impostor:
        raise TrainingError(
            "too few background people with several samples to choose an identity model",
            field="corpus",
            fix="add people with three samples or more",
        )
    return np.concatenate(genuine), np.concatenate(impostor)


def corpus_groups(embedded: Embedded) -> list[NDArray[np.bool_]]:
    """bool (N,) for each corpus, true at its samples; of a single corpus, for halves of its people."""
    names = np.asarray(embedded.corpora)
    groups = [names == name for name in sorted(set(embedded.corpora))]
    if len(groups) == 1:
        halves = embedded.labels % 2 == 0
        return [halves, ~halves]
    return groups


def _score_group(
    model: IdentityModel, group: Embedded, seed: tuple[int, int], *, skilled: bool
) -> Iterator[tuple[Array, Array]]:
    """Genuine and impostor scores of every person of the group and every draw of references."""
    generator = np.random.default_rng(seed)
    x, labels, forged = group.x, group.labels, group.forged
    for person in np.unique(labels):
        own = np.flatnonzero((labels == person) & ~forged)
        impostors = (labels == person) & forged if skilled else labels != person
        references = min(REFERENCES, len(own) - 1)
        if references < LEAST_REFERENCES or not impostors.any():
            continue
        for _ in range(DRAWS):
            order = generator.permutation(own)
            scores = model.llr(model.fit(x[order[:references]]), x)
            yield scores[order[references:]], scores[impostors]
