"""Somebody to compare with where nobody is enrolled, so that an answer does not tell whether the person exists.

The work is that of a real comparison: a sealed template is opened, read, fitted and scored against. Its score is thrown
away; the one that is told follows from the probe and a key,

    u = Φ( w · z / ‖z‖ ),   z = L⁻¹ (x − μ)          x the probe's embedding, (μ, L Lᵀ) the bundle's background
    score = Q(u)                                     Q the quantiles of the policy's own impostor scores

with w drawn from N(0, I) by HMAC-SHA-256(key, collection, person, modality, model). So a name that is not enrolled gets
the scores that impostors get, always the same one for the same sample, nearly the same for a similar one, and each name
others. With one probe and many names u is uniform, whatever the probe.
"""

import hashlib
import hmac
import math
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from encode.sample import Modality
from enroll.keys.envelope import KEY_BYTES, Cipher
from enroll.person import Person
from enroll.stores.sealed import Held, open_person, seal_state, seal_template
from enroll.template import Template
from verify.model import Model
from verify.policy import Policy

_REFERENCES = 5
_TRACE_MEDIAN, _TRACE_SPREAD = 110.0, 0.42
"""Points of a signature's trace: median, and standard deviation of the natural logarithm, as of SVC2004 at 50 Hz."""

_VARIANTS = 16
"""Lengths of traces that names are spread over: comparing with a longer one takes longer, for real people too."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_ALONE_DEVIATION = 1.0
"""Standard deviation of impostor scores, in nats, where a policy of one row tells nothing of it."""


class Decoys:
    """Stand-ins for people who are not enrolled, one model a modality. Safe to use from several threads.

    `key` (32 bytes) must be the same in every replica and after every restart: a name whose score changes when the
    service starts anew is nobody's.
    """

    def __init__(self, models: Mapping[Modality, Model], key: bytes) -> None:
        self._key = key
        self._cipher = Cipher(secrets.token_bytes(KEY_BYTES))
        self._decoys = {modality: _Decoy(model) for modality, model in models.items()}
        self._rows: dict[tuple[object, ...], list[SimpleNamespace]] = {}

    def people(
        self, collection: str, person: str, modalities: Iterable[Modality]
    ) -> dict[Modality, tuple[Template, Person]]:
        """Somebody to compare with in each of the modalities, opened, read and fitted as one stored person is."""
        wanted = tuple(sorted(modalities))
        if not wanted:
            return {}
        variant = self._drawn(collection, person, "variant")[0] % _VARIANTS
        rows = self._rows.get((variant, *wanted))
        if rows is None:
            rows = self._rows.setdefault((variant, *wanted), self._sealed(wanted, variant))
        return {
            template.modality: (template, self._decoys[template.modality].model.identity.fit_template(template))
            for template in open_person(self._cipher, rows)
        }

    def llr(self, collection: str, person: str, modality: Modality, probe: NDArray[np.float32]) -> float:
        """The natural-log likelihood ratio to tell for a probe (D,) and a name nobody has."""
        decoy = self._decoys[modality]
        seed = int.from_bytes(self._drawn(collection, person, modality.value, decoy.model.model_digest), "big")
        return decoy.score(np.random.default_rng(seed), probe)

    def _drawn(self, *parts: str) -> bytes:
        """32 bytes that follow from the parts and the key."""
        hashed = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            encoded = part.encode()
            hashed.update(len(encoded).to_bytes(4, "big") + encoded)
        return hashed.digest()

    def _sealed(self, modalities: tuple[Modality, ...], variant: int) -> list[SimpleNamespace]:
        """What the store reads of somebody who is enrolled in these, sealed with a key of this process's own."""
        points = round(_TRACE_MEDIAN * math.exp(_TRACE_SPREAD * float(ndtri((variant + 0.5) / _VARIANTS))))
        templates = [self._decoys[modality].template(points) for modality in modalities]
        held = {one.modality: Held.only(one.template_id, one.version) for one in templates}
        state = seal_state(self._cipher, "", "", 1, held)
        return [
            SimpleNamespace(
                collection="",
                person="",
                revision=1,
                state=state,
                modality=one.modality.value,
                template_id=one.template_id,
                version=one.version,
                model_digest=one.model_digest,
                reason="",
                payload=seal_template(self._cipher, one),
            )
            for one in templates
        ]


class _Decoy:
    """The decoy of one model."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def score(self, generator: np.random.Generator, probe: NDArray[np.float32]) -> float:
        identity = self.model.identity
        (white,) = identity.background.whitened(probe[: identity.vector])
        size = float(np.linalg.norm(white))
        along = float(generator.standard_normal(len(white)) @ white) / size if size > 0.0 else 0.0
        at, scores = self._quantiles
        return float(np.interp(ndtr(along), at, scores))

    @cached_property
    def _quantiles(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return impostor_quantiles(self.model.policy)

    def template(self, points: int) -> Template:
        """A template with as many references as people are often enrolled with, of so many points if they have any."""
        identity, generator = self.model.identity, np.random.default_rng(0)
        size = self.model.encoder.embedding_size
        capacity = identity.anchors + identity.recent
        count = max(identity.minimum, min(_REFERENCES, capacity or _REFERENCES))
        vectors = identity.background.mean + 0.1 * generator.standard_normal((count, identity.vector))
        rows = np.hstack([vectors, self._traces(count, size - identity.vector, points)]).astype(np.float32)
        compact = identity.limit is not None
        template = Template.empty(
            "",
            "",
            self.model.modality,
            self.model.model_digest,
            size=identity.vector if compact else size,
            now=_EPOCH,
            compact=compact,
        )
        if compact:
            return template.with_moments_of(rows[:, : identity.vector], now=_EPOCH)
        return template.with_references(rows, anchors_capacity=count, recent_capacity=0, now=_EPOCH)

    def _traces(self, count: int, values: int, points: int) -> NDArray[np.float64]:
        """Pen traces (count, values) of a signature, as rows of models that match frames hold them."""
        matching = self.model.identity.spec.matching
        if matching is None or not values:
            return np.zeros((count, values))
        frames = values // len(matching.channels)
        points = min(points, frames)
        t = np.linspace(0.0, 1.0, points)
        traces = np.zeros((count, len(matching.channels), frames))
        for row in range(count):
            phase = 0.1 * row
            shape = {
                "x": 3.0 * t + 0.4 * np.sin(40.0 * t + phase),
                "y": np.sin(50.0 * t + phase),
                "pressure": np.sin(9.0 * t + phase),
                "mask": np.ones(points),
            }
            for index, name in enumerate(matching.channels):
                traces[row, index, :points] = shape.get(name, 0.0)
        return traces.reshape(count, -1)


def impostor_quantiles(policy: Policy | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where between 0 and 1 which impostor score lies: two float64 (K,), ascending, for linear interpolation.

    A policy that carries no scores has thresholds, which are quantiles too: the normal distribution through the
    outermost two is taken then.
    """
    if policy is not None and policy.scores is not None:
        masses = policy.scores.impostor.rounded_up()
        return np.cumsum(masses.counts) / masses.counts.sum(), masses.values
    rows = () if policy is None else policy.table
    high = [(float(ndtri(1.0 - row.target_far)), row.threshold) for row in (rows[:1] + rows[-1:])] or [(0.0, 0.0)]
    (z0, t0), (z1, t1) = high[0], high[-1]
    deviation = (t1 - t0) / (z1 - z0) if z1 > z0 and t1 > t0 else _ALONE_DEVIATION
    at = np.linspace(0.001, 0.999, 257)
    return at, t0 + deviation * (ndtri(at) - z0)
