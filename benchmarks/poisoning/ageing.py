"""A person who changes: samples that move away from those enrolled, visit by visit.

    x_s = x + (s / S) · a · g,   scaled to unit length;   g ~ N(0, W) with √(gᵀ W⁻¹ g / d) = 1,   a in deviations

x is one of the person's other samples, drawn at random; W the bundle's within-class covariance.
"""

import numpy as np
from numpy.typing import NDArray

from enroll.identity import IdentityModel
from poisoning.people import unit
from poisoning.updates import Way


def rejected_visits(
    way: Way,
    identity: IdentityModel,
    samples: NDArray[np.float32],
    ageing: float,
    visits: int,
    generator: np.random.Generator,
) -> tuple[list[bool], int]:
    """Whether each of `visits` claims of the person, one a day, was rejected; and how many probes were taken in."""
    vectors = identity.vector
    direction = np.linalg.cholesky(identity.within) @ generator.standard_normal(vectors)
    direction /= identity.spread(direction, np.zeros(vectors))[0]
    rejected, taken = [], 0
    for visit in range(1, visits + 1):
        sample = samples[generator.integers(len(samples))]
        row = unit(sample + visit / visits * ageing * direction).astype(np.float32)
        accepted = bool(identity.llr(way.person(), row)[0] >= way.accept)
        rejected.append(not accepted)
        taken += way.learn(row, accepted=accepted)
    return rejected, taken
