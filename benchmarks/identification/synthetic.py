"""Synthetic people of an identity model of kind `map`, and their exact ranking, a chunk of people at a time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from enroll.identity import IdentityModel

Floats = NDArray[np.float32]

REFERENCES = 5
CHUNK = 20_000


class People:
    """`count` synthetic people of an identity model, made again from their seed whenever they are needed."""

    def __init__(self, identity: IdentityModel, count: int) -> None:
        self.identity, self.count = identity, count
        within, total = identity.within, identity.background.covariance()
        self._mean = identity.background.mean
        self._sample = np.linalg.cholesky(within).astype(np.float32)
        values, vectors = np.linalg.eigh(total - within)
        self._person = (vectors * np.sqrt(np.maximum(values, 0.0))).astype(np.float32)

    def chunk(self, number: int) -> tuple[Floats, Floats]:
        """True means (n, d) and references (n, 5, d) of one chunk."""
        rng = np.random.default_rng((1993, number))
        size = min(CHUNK, self.count - number * CHUNK)
        means = self.means(rng, size)
        return means, means[:, np.newaxis] + self.noise(rng, size, REFERENCES)

    def means(self, rng: np.random.Generator, size: int) -> Floats:
        white = rng.standard_normal((size, len(self._mean)), dtype=np.float32)
        return (white @ self._person.T + self._mean).astype(np.float32)

    def noise(self, rng: np.random.Generator, *shape: int) -> Floats:
        white = rng.standard_normal((*shape, len(self._mean)), dtype=np.float32)
        return white @ self._sample.T

    def chunks(self) -> Iterator[tuple[int, Floats, Floats]]:
        for number in range(-(-self.count // CHUNK)):
            yield (number * CHUNK, *self.chunk(number))

    def references(self, person: int) -> Floats:
        """The five references of one person; the chunk last asked for is at hand."""
        return np.asarray(self._references[person])

    def hold(self, people: set[int]) -> None:
        """Keep the references of these people, as a store would."""
        self._references = {
            begin + one: references[one].copy()
            for begin, _, references in self.chunks()
            for one in (person - begin for person in people if begin <= person < begin + len(references))
        }


def exact_scores(identity: IdentityModel, references: Floats, probes: Floats) -> Floats:
    """Raw ratios of probes (Q, d) against people (n, 5, d), up to a term of the probe: float32 (Q, n).

    `map`: Σ = (S + ν W) / (n − 1 + ν) has, in the coordinates in which W = I, the precision a·I − Σ_k γ_k v_k v_kᵀ with
    v_k the principal axes of the references and a = (n − 1 + ν) / ν.
    """
    spec, d = identity.spec, identity.vector
    assert spec.kind == "map"
    assert not spec.mean_correction
    nu, n = spec.strength, references.shape[1]
    whiten = np.linalg.inv(np.linalg.cholesky(identity.within)).astype(np.float32)
    x = (probes - identity.background.mean.astype(np.float32)) @ whiten.T
    z = (references - identity.background.mean.astype(np.float32)) @ whiten.T
    mean = z.mean(1)
    apart = z - mean[:, np.newaxis]
    values, axes = np.linalg.eigh(np.einsum("pid,pjd->pij", apart, apart, dtype=np.float64))
    values, axes = np.maximum(values[:, 1:], 1e-9), axes[:, :, 1:]
    v = (np.einsum("pid,pik->pkd", apart, axes) / np.sqrt(values)[:, :, np.newaxis]).astype(np.float32)
    a = (n - 1 + nu) / nu
    gamma = a - (n - 1 + nu) / (values + nu)
    log_determinant = np.log((values + nu) / (n - 1 + nu)).sum(1) + (d - n + 1) * np.log(nu / (n - 1 + nu))
    distance = (x**2).sum(1)[:, np.newaxis] + (mean**2).sum(1) - 2.0 * x @ mean.T
    scores = -0.5 * (a * distance + log_determinant)
    for k in range(n - 1):
        scores += 0.5 * gamma[:, k] * (x @ v[:, k].T - (mean * v[:, k]).sum(1)) ** 2
    return scores.astype(np.float32)


def check(identity: IdentityModel, references: Floats, probes: Floats, scores: Floats) -> None:
    """The batched scores rank as the identity model itself does: differences of two people, for some probes."""
    some = [identity.llr(identity.fit(references[one]), probes[:20]) for one in range(6)]
    raw = np.diff(np.stack(some), axis=0) / identity.spec.calibration.scale
    np.testing.assert_allclose(raw, np.diff(scores[:20, :6].T, axis=0), atol=0.05)
