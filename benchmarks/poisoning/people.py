"""Whose templates are attacked: drawn with a bundle's own covariances, or real people of a corpus.

    synthetic      μ_p ~ N(m, a² B),  x ~ N(μ_p, s² W),  scaled to unit length;  B = total − within of the bundle, and
                   log s normal by person and by sample: photographs are not equally good
    real           the bundle's embeddings of a corpus's samples

Thresholds of the real people are the bundle's policy; those of the synthetic ones are measured on other synthetic
people drawn first, at the same target FARs, as a policy is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.bundle import open_bundle
from encode.errors import SampleError
from enroll.identity import IdentityModel
from eval.corpora.spec import open_corpus
from verify.model import Model, load_model
from verify.policy import DEFAULT_TARGET_FAR, GAIN_SHARE, Policy

Array = NDArray[np.float64]

REFERENCES = 5
_APART, _PEOPLE_VARY, _SAMPLES_VARY = 0.5, 0.2, 0.3
"""Share of the deviation between people, and log deviations of a person's and a sample's own spread. With these the
bundle `face` rejects as many synthetic people at a target FAR of 0.1 % as real ones: about one in seven."""
_DEVELOPMENT_PEOPLE = 400
_IMPOSTORS_EACH = 400
_GENUINE_EACH = 10


@dataclass(frozen=True)
class People:
    """Embeddings (n_p, d) of each person, float32; thresholds, natural-log ratios, by target FAR; the policy's gain."""

    name: str
    identity: IdentityModel
    samples: list[NDArray[np.float32]]
    thresholds: dict[float, float]
    gain: float


def synthetic_people(bundle: str, count: int, samples: int, generator: np.random.Generator) -> People:
    """`count` people with `samples` embeddings each, of the bundle's covariances."""
    opened = open_bundle(bundle)
    identity = IdentityModel.from_bundle(opened)
    background = opened.background
    between = _root(background["total"] - background["within"])
    within = _root(background["within"])
    fars = [row.target_far for row in _policy(load_model(bundle)).table]

    def draw(people: int, each: int) -> list[NDArray[np.float32]]:
        means = background["mean"] + _APART * generator.standard_normal((people, len(between))) @ between
        spread = np.exp(
            _PEOPLE_VARY * generator.standard_normal((people, 1, 1))
            + _SAMPLES_VARY * generator.standard_normal((people, each, 1))
        )
        noise = spread * (generator.standard_normal((people, each, len(within))) @ within)
        return list(unit(means[:, np.newaxis] + noise).astype(np.float32))

    thresholds = _measured(identity, draw(_DEVELOPMENT_PEOPLE, REFERENCES + _GENUINE_EACH), fars)
    gain = GAIN_SHARE * (thresholds[DEFAULT_TARGET_FAR] - thresholds[10 * DEFAULT_TARGET_FAR])
    return People(f"{count} synthetic people", identity, draw(count, samples), thresholds, gain)


def real_people(bundle: str, specs: list[str], least: int, most: int, generator: np.random.Generator) -> People:
    """Everybody in the corpora with at least `least` usable samples, at most `most` of them drawn, in random order."""
    model = load_model(bundle)
    found = []
    for spec in specs:
        corpus = open_corpus(spec)
        for person in corpus.people:
            rows = corpus.genuine(person)
            chosen = [rows[index] for index in generator.permutation(len(rows))[:most]]
            prepared = []
            for row in chosen:
                try:
                    prepared.append(model.encoder.prepare(row.load()))
                except SampleError:
                    continue
            if len(prepared) >= least:
                found.append(model.encoder.embed_prepared(np.stack(prepared)))
    thresholds = {row.target_far: row.threshold for row in _policy(model).table}
    names = ", ".join(spec.partition(":")[0] for spec in specs)
    return People(f"{len(found)} people of {names}", model.identity, found, thresholds, model.gain)


def _policy(model: Model) -> Policy:
    if model.policy is None:
        raise SystemExit("the bundle has no policy: there are no thresholds to attack")
    return model.policy


def unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows scaled to unit length."""
    scaled: NDArray[np.floating] = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return scaled


def _root(covariance: Array) -> Array:
    """A factor R with RᵀR = covariance, its negative directions left out."""
    values, vectors = np.linalg.eigh(covariance)
    root: Array = np.sqrt(np.maximum(values, 0.0))[:, np.newaxis] * vectors.T
    return root


def _measured(identity: IdentityModel, development: list[NDArray[np.float32]], fars: list[float]) -> dict[float, float]:
    """The least thresholds that let in at most each share of random impostors."""
    probes = np.concatenate([rows[REFERENCES : REFERENCES + 1] for rows in development])
    scores = []
    for index, rows in enumerate(development):
        others = np.delete(probes, index, axis=0)[:_IMPOSTORS_EACH]
        scores.append(identity.llr(identity.fit(rows[:REFERENCES]), others))
    ordered = np.sort(np.concatenate(scores))[::-1]
    return {far: float(ordered[int(far * len(ordered))]) for far in fars}
