"""What samples say, one by one and by modality, and their score: the same for a claim and for a search.

score = Σ over modalities ( mean LLR of its samples )
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from encode.errors import SampleError
from encode.sample import Modality, Sample
from enroll.acquisition import Acquired, Problem
from verify.decision import SampleEvidence


def stated(
    samples: Sequence[Sample], acquired: Sequence[Acquired], llrs: Sequence[float | None]
) -> tuple[SampleEvidence, ...]:
    """Each sample's ratio, or why it could not be read."""
    return tuple(
        SampleEvidence(sample.modality, llr, Problem.of(result) if isinstance(result, SampleError) else None)
        for sample, llr, result in zip(samples, llrs, acquired, strict=True)
    )


def by_modality(samples: Sequence[Sample], llrs: Sequence[float | None]) -> dict[Modality, list[float]]:
    """The ratios of each modality that has any."""
    found: dict[Modality, list[float]] = {}
    for sample, llr in zip(samples, llrs, strict=True):
        if llr is not None:
            found.setdefault(sample.modality, []).append(llr)
    return found


def shares(evidence: Mapping[Modality, Sequence[float]]) -> dict[Modality, float]:
    """What each modality adds to the score, in the modalities' order; `evidence` holds at least one ratio of each."""
    return {modality: math.fsum(llrs) / len(llrs) for modality, llrs in sorted(evidence.items())}


def usable(samples: Sequence[Sample], acquired: Sequence[Acquired]) -> dict[Modality, NDArray[np.float32]]:
    """The embeddings of each modality that has any, float32 (n, D), in the modalities' order."""
    rows: dict[Modality, list[NDArray[np.float32]]] = {}
    for sample, result in zip(samples, acquired, strict=True):
        if not isinstance(result, SampleError):
            rows.setdefault(sample.modality, []).append(result)
    return {modality: np.stack(found) for modality, found in sorted(rows.items())}
