"""Frame matching as a score: named parts of the comparison of a probe with a person, added up with a bundle's weights.

    raw = Σ over parts of weight · part(person, probe)

A part is a small function of a :class:`Comparison`, registered under its name in `PARTS`, or, for those that exist once
a feature set, in `SET_PARTS`, where it is named ``set.part``. With d_r the warping distance between probe and reference
r in that set, and R references:

    set.log_mean     log ( Σ_r d_r / R )
    set.log_min      log min_r d_r
    set.log_middle   log ( ½ mean_r d_r + ½ min_r d_r )
    set.log_spread   log of the mean distance between the person's references, those apart from each other
    log_length       log of the mean number of points of the references
    length_change    | log (points of the probe / mean points of the references) |
    path_change      | log of the pen's way, in sizes of the signature, minus its mean over the references |
    aspect_change    | log (width / height) minus its mean over the references |
    learned.…        the same of the encoder's own frames (`enroll.frames`), where the bundle has them
    embedding.log_mean, embedding.log_min, embedding.log_spread
                     the same of Euclidean distances between the embeddings, as if they were one more feature set
    gaussian         log p(x | person) − log p(x | everyone else) of the embeddings

Distances are sums along a path, so that they grow with the length of a signature and with how freely the person writes;
weights on log_length and log_spread take that out. Of one reference there is no spread: its logarithm is then
log_length plus a mean log ratio that the bundle brings (:func:`lone_spread` measures it).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encode.errors import BundleCorrupt
from encode.manifest import MatchingSpec
from enroll.frames import LEARNED, SETS, Frames, frame_distances, prepare_frames
from enroll.gaussian import Gaussian
from enroll.person import Person

Array = NDArray[np.float64]

EMBEDDING = "embedding"
"""What the parts of the embeddings' distances, and their lone spread, are called by."""

DISTANCE_FLOOR = 1e-3
"""Least distance whose logarithm is taken where the bundle does not say how far signatures lie apart."""

NEAREST = 0.25
"""A distance below this share of the mean spread of people counts as that share: no two goes of one hand come nearer.
So a replayed reference scores like a very good signature and not without bound, and a file that was enrolled twice does
not pass for a hand without any variation."""


@dataclass(frozen=True)
class Comparison:
    """N probes beside one person, with or without pressure.

    Attributes
    ----------
    vectors : float64 (N, d), the probes' embeddings.
    background : the density of everybody's embeddings.
    pressure : whether pressure counts: the probes and all references measured it.
    lone_spread : mean log (spread / length) by feature set, ``set`` without and ``set+pressure`` with pressure; of the
        embeddings the mean log spread.
    """

    person: Person
    probes: Frames
    vectors: Array
    background: Gaussian
    pressure: bool
    lone_spread: Mapping[str, float]

    @cached_property
    def _warped(self) -> Array:
        references = self.person.references
        shape = len(self.probes), len(references)
        pairs = np.indices(shape).reshape(2, -1)
        found = frame_distances(self.probes, references, (pairs[0], pairs[1]), pressure=self.pressure)
        return found.reshape(*shape, -1)

    @property
    def length(self) -> float:
        """Mean points of the references."""
        return float(self.person.references.lengths.mean())

    def distances(self, name: str) -> Array:
        """Distances of the probes to the references in the set `name`, none below the floor: float64 (N, R)."""
        if name == EMBEDDING:
            found = _euclidean(self.vectors, self.person.embeddings)
        else:
            found = self._warped[..., self.probes.sets.index(name)]
        floored: Array = np.maximum(found, self._floor(name))
        return floored

    def log_spread(self, name: str) -> float:
        """Log of the mean distance between references that lie apart in the set `name`, or what stands in for it."""
        if name == EMBEDDING:
            mutual = _euclidean(self.person.embeddings, self.person.embeddings)
        else:
            mutual = self.person.mutual(pressure=self.pressure)[..., self.probes.sets.index(name)]
        floor = self._floor(name)
        if (apart := _log_apart(mutual, floor)) is not None:
            return apart
        usual = self._usual_log_spread(name)
        return float(np.log(floor)) if usual is None else usual

    def _floor(self, name: str) -> float:
        """Least distance that counts in the set `name`."""
        usual = self._usual_log_spread(name)
        return DISTANCE_FLOOR if usual is None else NEAREST * float(np.exp(usual))

    def _usual_log_spread(self, name: str) -> float | None:
        """Of people whose signatures are as long, where the bundle says it."""
        if name == EMBEDDING:
            return self.lone_spread.get(EMBEDDING)
        ratio = self.lone_spread.get(spread_key(name, self.pressure))
        return None if ratio is None else ratio + float(np.log(self.length))


def _log_apart(mutual: Array, floor: float) -> float | None:
    """Log of the mean of the distances (R, R) between different references that lie apart; None if none do."""
    pairs = mutual[np.triu_indices(len(mutual), 1)]
    apart = pairs[pairs > floor]
    return float(np.log(apart.mean())) if len(apart) else None


def _euclidean(a: Array, b: Array) -> Array:
    distances: Array = np.sqrt(((a[:, np.newaxis] - b) ** 2).sum(2))
    return distances


def _log(distances: Array) -> Array:
    logarithm: Array = np.log(np.maximum(distances, DISTANCE_FLOOR))
    return logarithm


def _log_mean(one: Comparison, name: str) -> Array:
    return _log(one.distances(name).mean(1))


def _log_min(one: Comparison, name: str) -> Array:
    return _log(one.distances(name).min(1))


def _log_middle(one: Comparison, name: str) -> Array:
    distances = one.distances(name)
    return _log(0.5 * distances.mean(1) + 0.5 * distances.min(1))


def _log_spread(one: Comparison, name: str) -> Array:
    return np.full(len(one.probes), one.log_spread(name))


def _gaussian(one: Comparison) -> Array:
    return one.person.log_ratio(one.vectors, one.background)


def _log_length(one: Comparison) -> Array:
    return np.full(len(one.probes), np.log(one.length))


def _length_change(one: Comparison) -> Array:
    change: Array = np.abs(np.log(one.probes.lengths / one.length))
    return change


def _path_change(one: Comparison) -> Array:
    change: Array = np.abs(one.probes.paths - one.person.references.paths.mean())
    return change


def _aspect_change(one: Comparison) -> Array:
    change: Array = np.abs(one.probes.aspects - one.person.references.aspects.mean())
    return change


SET_PARTS: Mapping[str, Callable[[Comparison, str], Array]] = {
    "log_mean": _log_mean,
    "log_min": _log_min,
    "log_middle": _log_middle,
    "log_spread": _log_spread,
}
"""Part of every feature set → its function of the comparison and the set's name, float64 (N,)."""

EMBEDDING_PARTS = ("log_mean", "log_min", "log_spread")
"""Those of them that the embeddings have too."""

PARTS: Mapping[str, Callable[[Comparison], Array]] = {
    "gaussian": _gaussian,
    "log_length": _log_length,
    "length_change": _length_change,
    "path_change": _path_change,
    "aspect_change": _aspect_change,
}
"""Part → its function of the comparison, float64 (N,). A further part is one more function and line here."""


def part_names() -> tuple[str, ...]:
    """Every name that a bundle's weights may use."""
    embedded = (f"{EMBEDDING}.{part}" for part in EMBEDDING_PARTS)
    return (*PARTS, *embedded, *(f"{name}.{part}" for name in (*SETS, LEARNED) for part in SET_PARTS))


def spread_key(name: str, pressure: bool) -> str:
    """How the feature set `name` is called in `MatchingSpec.lone_spread`."""
    return f"{name}+pressure" if pressure else name


class Matcher:
    """Takes the parts that one bundle's :class:`~encode.manifest.MatchingSpec` weighs.

    Raises BundleCorrupt for a weight of an unknown part, or for channels that lack one that is needed.
    """

    def __init__(self, spec: MatchingSpec) -> None:
        self.spec = spec
        if unknown := sorted(set(spec.weights) - set(part_names())):
            raise BundleCorrupt(f"there is no part {unknown[0]!r} to weigh", field="manifest.json:identity.matching")
        named = {part.partition(".")[0] for part in spec.weights}
        if LEARNED in named and spec.learned is None:
            raise BundleCorrupt("there are no learned frames to weigh", field="manifest.json:identity.matching")
        self.sets = tuple(name for name in (*SETS, LEARNED) if name in named)
        spreads = [name for name in self.sets if f"{name}.log_spread" in spec.weights]
        needed = {spread_key(name, pressure) for name in spreads for pressure in (False, True)}
        if f"{EMBEDDING}.log_spread" in spec.weights:
            needed.add(EMBEDDING)
        self.weighs_gaussian = "gaussian" in spec.weights
        self.minimum = 1 if needed <= set(spec.lone_spread) else 2
        """Fewest references that can be matched: two, unless the bundle says what stands in for a spread."""

    def prepare(self, traces: Array, *, field: str) -> Frames:
        """Flattened traces and the learned frames behind them, float64 (N, ·), → frames. Raises FieldInvalid naming
        `field`."""
        return prepare_frames(traces, self.spec.channels, self.sets, field=field, learned=self.spec.learned)

    def parts(self, person: Person, probes: Frames, vectors: Array, background: Gaussian) -> dict[str, Array]:
        """Every weighted part, float64 (N,) each; `vectors` and `background` as in :class:`Comparison`."""
        found = {name: np.empty(len(probes)) for name in self.spec.weights}
        counts = probes.measured & person.measured
        for pressure in (False, True):
            chosen = np.flatnonzero(counts == pressure)
            if len(chosen):
                one = Comparison(
                    person,
                    probes.rows(chosen),
                    vectors[chosen],
                    background,
                    pressure,
                    self.spec.lone_spread,
                )
                for name, values in found.items():
                    values[chosen] = _part(one, name)
        return found


def _part(one: Comparison, name: str) -> Array:
    if name in PARTS:
        return PARTS[name](one)
    feature_set, part = name.split(".")
    return SET_PARTS[part](one, feature_set)


def lone_spread(people: Iterable[Person]) -> dict[str, float]:
    """Mean over people with two or more references of log (spread / mean length), for `MatchingSpec.lone_spread`; of
    the embeddings, the mean log spread.

    With pressure it is measured on those whose references all measured it; where nobody's did, it is as without.
    """
    several = [person for person in people if len(person.references) > 1]
    ratios: dict[str, float] = {}
    for pressure in (False, True):
        measured = [person for person in several if person.measured] if pressure else several
        values = [
            _log(spread) - np.log(person.references.lengths.mean())
            for person in measured
            if (spread := person.spread(pressure=pressure)) is not None
        ]
        if values:
            mean = np.mean(values, 0)
            ratios |= {
                spread_key(name, pressure): float(value)
                for name, value in zip(measured[0].references.sets, mean, strict=True)
            }
        elif pressure:
            ratios |= {spread_key(name, True): value for name, value in ratios.items()}
    between = [_euclidean(person.embeddings, person.embeddings) for person in several]
    apart = [found for mutual in between if (found := _log_apart(mutual, DISTANCE_FLOOR)) is not None]
    return ratios | ({EMBEDDING: float(np.mean(apart))} if apart else {})
