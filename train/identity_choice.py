"""Which identity model a bundle gets: measured on background people, each corpus scored by what the others taught.

For every corpus in turn, W and the impostor density are fitted on the background people of the other corpora, and the
people of this one are enrolled and probed. That is the situation of a customer, whose camera no training corpus knows.
The candidate with the lowest cost over all corpora wins; its scores also give the calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrainingError
from encode.manifest import CalibrationSpec, IdentitySpec
from enroll.identity import IdentityModel
from eval.metrics import equal_error, frr_at, threshold_at_far
from train.background import fit_background
from train.calibration import fit_calibration

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

DRAWS = 5
REFERENCES = 5
LEAST_REFERENCES = 2
"""Whoever has fewer is left out for every candidate, also where one would do: all face the same trials."""


@dataclass(frozen=True)
class Candidate:
    """An identity model and the shrinkage of its background."""

    identity: IdentitySpec
    within_shrinkage: float
    total_shrinkage: float

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

    @property
    def cost(self) -> float:
        """Mean of the two: accuracy in the middle of the curve and at its strict end."""
        return 0.5 * (self.eer + self.frr_at_1)


def default_candidates(recent: int = 5, anchors: int = 5) -> list[Candidate]:
    """Every covariance kind, with the shrinkages worth comparing."""
    found = []
    for within in (0.1, 0.5, 0.8):
        for total in (0.1, 0.5, 0.9):
            for strength in (5.0, 15.0, 50.0):
                identity = IdentitySpec(kind="map", strength=strength, recent=recent, anchors=anchors)
                found.append(Candidate(identity, within, total))
            found.append(Candidate(IdentitySpec(kind="pooled", recent=recent, anchors=anchors), within, total))
    for kind in ("spherical", "diagonal", "full_oas", "full_ledoit_wolf"):
        found += [
            Candidate(IdentitySpec(kind=kind, recent=recent, anchors=anchors), 0.5, total) for total in (0.1, 0.5, 0.9)
        ]
    return found


def choose_identity(
    embeddings: Array, labels: Labels, corpora: Sequence[str], candidates: Sequence[Candidate], *, seed: int
) -> list[Measured]:
    """Measure every candidate; best first.

    embeddings (N, D), labels (N,) person index, corpora: name of the corpus of each sample (N,).
    """
    measured = []
    for candidate in candidates:
        genuine, impostor = leave_one_corpus_out(embeddings, labels, corpora, candidate, seed=seed)
        eer, frr = equal_error(genuine, impostor).rate, frr_at(genuine, threshold_at_far(impostor, 0.01))
        measured.append(Measured(candidate, eer, frr, genuine, impostor))
    return sorted(measured, key=lambda entry: entry.cost)


def calibrate(measured: Measured) -> CalibrationSpec:
    """The affine map from the winner's raw scores to natural-log likelihood ratios."""
    return fit_calibration(measured.genuine, measured.impostor)


def leave_one_corpus_out(
    embeddings: Array, labels: Labels, corpora: Sequence[str], candidate: Candidate, *, seed: int
) -> tuple[Array, Array]:
    """Raw genuine and impostor scores of every corpus under a background fitted on the others."""
    names = np.asarray(corpora)
    groups = [names == name for name in sorted(set(corpora))]
    if len(groups) == 1:
        # One corpus only: halves of its people take the place of corpora.
        halves = labels % 2 == 0
        groups = [halves, ~halves]
    genuine: list[Array] = []
    impostor: list[Array] = []
    for number, group in enumerate(groups):
        others = fit_background(
            embeddings[~group],
            labels[~group],
            within_shrinkage=candidate.within_shrinkage,
            total_shrinkage=candidate.total_shrinkage,
        )
        model = IdentityModel(candidate.identity.model_copy(update={"calibration": CalibrationSpec()}), others)
        _score_group(model, embeddings[group], labels[group], (seed, number), genuine, impostor)
    if not genuine or not impostor:
        raise TrainingError("too few background people with several samples to choose an identity model")
    return np.concatenate(genuine), np.concatenate(impostor)


def _score_group(
    model: IdentityModel,
    x: Array,
    labels: Labels,
    seed: tuple[int, int],
    genuine: list[Array],
    impostor: list[Array],
) -> None:
    generator = np.random.default_rng(seed)
    people = np.unique(labels)
    if len(people) < 2:
        return
    for person in people:
        own = np.flatnonzero(labels == person)
        references = min(REFERENCES, len(own) - 1)
        if references < LEAST_REFERENCES:
            continue
        for _ in range(DRAWS):
            order = generator.permutation(own)
            scores = model.llr(model.fit(x[order[:references]]), x)
            genuine.append(scores[order[references:]])
            impostor.append(scores[labels != person])
