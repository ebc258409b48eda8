"""How frame matching and the network are weighed: logistic regression on background people, and shares by design.

    raw = w · (parts of the warping) + learned · u · (parts of learned frames) + share · v · (parts of the embedding)

w is fitted by ridge logistic regression of genuine against impostor on the parts of the warping alone, u on those of
the network's own frames, warped, v on those of the embeddings' distances alone. All logits are then log-odds of their
own, and those of the network enter with fixed shares: it was trained on the corpora that the weights would be fitted
on, so a joint fit would trust it more than other tablets and other forgers justify, where the warping of plain
features, which was never trained, does not know one from the other.

Half of the trials may be of signatures whose pressure was taken away (`unpressed`), as tablets give them that measure
none. Impostors are real forgeries, the same made as quick as the writer
(`train.pen_variation.quickened`), and other people. Everybody is scored under a background of the other corpora, as in
`train.identity_choice`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from encode.errors import TrainingError
from encode.manifest import CalibrationSpec, IdentitySpec, MatchingSpec
from encode.pen_frames import CHANNELS, normalised_path, padded, unpadded
from enroll.frames import LEARNED, SETS
from enroll.identity import IdentityModel
from enroll.matching import EMBEDDING, lone_spread, part_names
from train.calibration import fit_calibration
from train.embedding import Embedded, Prepared
from train.identity_choice import REFERENCES, Candidate, corpus_groups
from train.pen_variation import quickened

Array = NDArray[np.float64]

DRAWS = 3
OTHERS = 20
"""Other people's signatures each person is probed with."""
GENUINE, FORGED, QUICKENED, RANDOM = 0.5, 0.16, 0.24, 0.1
"""What each kind of trial weighs in the regression, whatever its number."""
RIDGE = 0.1
"""Inverse strength of the ridge, in scikit-learn's sense, on standardised parts and weights that add up to people."""
_WEIGHED = ("log_mean", "log_min", "log_spread")
_EMBEDDED = tuple(f"{EMBEDDING}.{part}" for part in _WEIGHED)
_LEARNED = (*(f"{LEARNED}.{part}" for part in _WEIGHED), "log_length")
"""Parts of the network's; the length, which stands beside the plain features' distances too, adds to its weight."""


@dataclass(frozen=True)
class Trials:
    """Parts of every trial: name → float64 (N,); kind of each, 0 genuine, 1 forged, 2 quickened, 3 of other
    people; person and draw as one key."""

    parts: dict[str, Array]
    kind: NDArray[np.int64]
    enrolment: NDArray[np.int64]


@dataclass(frozen=True)
class Fused:
    """The spec with weights and calibration, and the raw scores they were fitted on."""

    identity: IdentitySpec
    genuine: Array
    impostor: Array


@dataclass(frozen=True)
class Matching:
    """What of a comparison is weighed: the embedding's log-odds by `share`, those of the network's frames by `learned`
    (0: rows do not hold them), parts of these feature sets, and more; with `unpressed` every trial counts once more
    with the pressure taken away."""

    share: float = 0.3
    sets: tuple[str, ...] = tuple(SETS)
    parts: tuple[str, ...] = ()
    learned: float = 0.0
    unpressed: bool = False

    def __post_init__(self) -> None:
        # ValueError: the recipe's validation names the key.
        if not 0.0 <= self.share <= 1.0 or not self.sets:
            raise ValueError("share must be 0 … 1, and at least one feature set named")
        if not 0.0 <= self.learned <= 1.0:
            raise ValueError("learned must be 0 … 1")
        if LEARNED in self.sets:
            raise ValueError("the learned frames are weighed by their share, learned, and are no set of sets")
        if unknown := sorted(set(self.unweighted().weights) - set(part_names())):
            raise ValueError(f"there is no part {unknown[0]!r}")

    def unweighted(self, channels: int | None = None) -> MatchingSpec:
        """Every part at 1; `channels` of learned frames, None where rows do not hold them."""
        names = [f"{name}.{part}" for name in self.sets for part in _WEIGHED]
        own = () if channels is None else _LEARNED
        every = ["log_length", *self.parts, *names, *own, *_EMBEDDED]
        return MatchingSpec(weights=dict.fromkeys(every, 1.0), learned=channels)


def fuse(
    embedded: Embedded,
    hurried: Embedded,
    candidate: Candidate,
    matching: Matching,
    *,
    seed: int,
    channels: int | None = None,
    unpressed: tuple[Embedded, Embedded] | None = None,
) -> Fused:
    """Weigh the parts on background people.

    Parameters
    ----------
    embedded : rows with traces, of background people. hurried : the forgeries among them, quickened.
    candidate : the identity model without matching, and the shrinkage of its background.
    matching : what is weighed.
    channels : of the learned frames behind the traces, if the rows hold any.
    unpressed : the same two as a tablet without pressure would have given them; they count as much.

    Raises
    ------
    TrainingError : nobody has enough signatures to be enrolled and probed, or was forged.
    """
    every = matching.unweighted(channels)
    spec = candidate.identity.model_copy(update={"matching": every, "calibration": CalibrationSpec()})
    # First of all: distances have a floor by it, in the fit as in service.
    alone = _lone_spread(embedded, candidate, spec)
    spec = spec.model_copy(update={"matching": every.model_copy(update={"lone_spread": alone})})
    found = [_trials(*rows, candidate, spec, seed) for rows in ((embedded, hurried), unpressed) if rows is not None]
    trials = found[0] if len(found) == 1 else _together(*found)
    warped = [name for name in trials.parts if name == "log_length" or name not in (*_EMBEDDED, *_LEARNED)]
    weights = _logistic(trials, warped)
    shares = [(_EMBEDDED, matching.share)] + ([(_LEARNED, matching.learned)] if channels is not None else [])
    for names, share in shares:
        for name, weight in _logistic(trials, names).items():
            weights[name] = weights.get(name, 0.0) + share * weight
    raw = np.sum([weight * trials.parts[name] for name, weight in weights.items()], axis=0)
    genuine, impostor = raw[trials.kind == 0], raw[(trials.kind == 1) | (trials.kind == 2)]
    if not len(impostor):
        raise TrainingError("no background person who can be enrolled was forged", field="corpus")
    fitted = spec.model_copy(
        update={
            "matching": every.model_copy(update={"weights": weights, "lone_spread": alone}),
            "calibration": fit_calibration(genuine, impostor),
        }
    )
    return Fused(fitted, genuine, impostor)


def without_pressure(prepared: Prepared) -> Prepared:
    """Prepared frames (N, 5, T) as a tablet that measures no pressure would have given them."""
    inputs = prepared.inputs.copy()
    inputs[:, CHANNELS.index("pressure")] = 0.0
    return replace(prepared, inputs=inputs)


def quickened_forgeries(prepared: Prepared, *, seed: int) -> Prepared:
    """The forgeries among prepared frames (N, 5, T), each made as quick as the person it imitates.

    Raises TrainingError where there are none: nothing else shows what the parts should keep out.
    """
    if not prepared.forged.any():
        raise TrainingError("no background person was forged", field="corpus", fix="add a corpus with forgeries")
    lengths = (prepared.inputs[:, 4] > 0.5).sum(1)
    rows = np.flatnonzero(prepared.forged)
    inputs = np.zeros((len(rows), *prepared.inputs.shape[1:]), np.float32)
    for number, row in enumerate(rows):
        own = (prepared.labels == prepared.labels[row]) & ~prepared.forged
        wanted = float(np.median(lengths[own])) if own.any() else float(lengths[row])
        generator = np.random.default_rng((seed, int(row)))
        trace = quickened(unpadded(prepared.inputs[row]), wanted, generator)
        trace[:2] = normalised_path(trace[:2])
        inputs[number] = padded(trace[:, : inputs.shape[2]], inputs.shape[2])
    corpora = tuple(prepared.corpora[row] for row in rows)
    return Prepared(inputs, prepared.labels[rows], corpora, np.ones(len(rows), np.bool_))


def _trials(embedded: Embedded, hurried: Embedded, candidate: Candidate, spec: IdentitySpec, seed: int) -> Trials:
    generator = np.random.default_rng((seed, 1))
    found: list[tuple[dict[str, Array], NDArray[np.int64]]] = []
    for group in corpus_groups(embedded):
        model = IdentityModel(spec, candidate.background(embedded.part(~group)))
        x, labels, forged = embedded.x[group], embedded.labels[group], embedded.forged[group]
        for person in np.unique(labels):
            own = np.flatnonzero((labels == person) & ~forged)
            others = np.flatnonzero((labels != person) & ~forged)
            if len(own) <= REFERENCES or not len(others):
                continue
            for _ in range(DRAWS):
                order = generator.permutation(own)
                probes = [
                    x[order[REFERENCES:]],
                    x[(labels == person) & forged],
                    hurried.x[hurried.labels == person],
                    x[generator.choice(others, min(OTHERS, len(others)), replace=False)],
                ]
                parts = model.parts(model.fit(x[order[:REFERENCES]]), np.concatenate(probes))
                found.append((parts, np.repeat(np.arange(4), [len(part) for part in probes])))
    if not found:
        raise TrainingError(f"no background person has more than {REFERENCES} signatures", field="corpus")
    return Trials(
        parts={name: np.concatenate([parts[name] for parts, _ in found]) for name in found[0][0]},
        kind=np.concatenate([kind for _, kind in found]),
        enrolment=np.repeat(np.arange(len(found)), [len(kind) for _, kind in found]),
    )


def _together(first: Trials, second: Trials) -> Trials:
    return Trials(
        parts={name: np.concatenate([values, second.parts[name]]) for name, values in first.parts.items()},
        kind=np.concatenate([first.kind, second.kind]),
        enrolment=np.concatenate([first.enrolment, second.enrolment + first.enrolment.max() + 1]),
    )


def _logistic(trials: Trials, names: Sequence[str]) -> dict[str, float]:
    """Weights of the parts named, from a ridge logistic regression on them alone."""
    x = np.stack([trials.parts[name] for name in names], 1)
    centre, spread = x.mean(0), np.maximum(x.std(0), 1e-9)
    counts = np.zeros((trials.enrolment.max() + 1, 4))
    np.add.at(counts, (trials.enrolment, trials.kind), 1.0)
    shares = np.array([GENUINE, FORGED, QUICKENED, RANDOM])
    weights = (shares / np.maximum(counts, 1.0))[trials.enrolment, trials.kind]
    fitted = LogisticRegression(C=RIDGE, max_iter=1000)
    fitted.fit((x - centre) / spread, trials.kind == 0, sample_weight=weights)
    return {name: float(weight) for name, weight in zip(names, fitted.coef_[0] / spread, strict=True)}


def _lone_spread(embedded: Embedded, candidate: Candidate, spec: IdentitySpec) -> dict[str, float]:
    """Of all people together: it enters at one reference alone."""
    model = IdentityModel(spec, candidate.background(embedded))
    own = [
        embedded.x[(embedded.labels == label) & ~embedded.forged][:REFERENCES] for label in np.unique(embedded.labels)
    ]
    return lone_spread([model.fit(rows) for rows in own if len(rows) > 1])
