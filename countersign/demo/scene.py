"""Who takes part in the demonstration, which samples enroll them, and which claims are made afterwards.

Everyone is claimed once by themselves and once by a stranger; where signatures are forged, once by a forger too, who
brings the forgery and a face of his own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from encode.errors import TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row
from eval.trials import TrialKind

Way = tuple[Modality, ...]
"""A way to ask: the modalities whose samples go into one call."""


@dataclass(frozen=True)
class Attempt:
    """Somebody claims to be `claim`.

    Attributes
    ----------
    kind : what the attempt is: what the service does not know.
    really : who shows up; of a forger, whose face he has, or "" where no face is shown.
    probes : a sample of each modality.
    """

    claim: str
    kind: TrialKind
    really: str
    probes: Mapping[Modality, Row]

    @property
    def genuine(self) -> bool:
        return self.kind is TrialKind.GENUINE

    @property
    def description(self) -> str:
        """Who shows up, in a few words."""
        if self.kind is TrialKind.SKILLED:
            return f"forger {self.really}".rstrip()
        return "the same" if self.genuine else self.really


@dataclass(frozen=True)
class Question:
    """An attempt, of which the service sees the samples of `modalities` in one call."""

    attempt: Attempt
    modalities: Way

    @property
    def rows(self) -> list[Row]:
        return [self.attempt.probes[modality] for modality in self.modalities]


@dataclass(frozen=True)
class Scene:
    """The demonstration's cast.

    Attributes
    ----------
    corpora : by modality, the samples of the people who take part; one person has one name in all of them.
    references : person → the samples that enroll them, of all modalities.
    attempts : in order of the person claimed; no probe was a reference.
    """

    corpora: Mapping[Modality, Corpus]
    references: Mapping[str, Sequence[Row]]
    attempts: Sequence[Attempt]

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways to ask: each modality alone, then all together where there are several."""
        alone = tuple((modality,) for modality in self.corpora)
        return alone if len(alone) == 1 else (*alone, tuple(self.corpora))

    def questions(self, way: Way) -> list[Question]:
        """Every attempt, asked that way."""
        return [Question(attempt, way) for attempt in self.attempts]


def set_scene(
    corpora: Mapping[Modality, Corpus], people: int, references: Mapping[Modality, int], *, seed: int = 0
) -> Scene:
    """The first `people` with more than `references` genuine samples of each modality, and the attempts on each.

    Raises TrialsError if fewer than two people have that many.
    """
    own = {modality: _own(corpus, modality) for modality, corpus in corpora.items()}
    able = [set(enough_samples(corpus, modality, references[modality])) for modality, corpus in corpora.items()]
    cast = sorted(set.intersection(*able))[:people]
    if len(cast) < 2:
        raise TrialsError(f"{len(cast)} people have enough samples of every modality, two are needed", field="corpus")
    generator = np.random.default_rng(seed)
    # Going round a shuffled circle, everyone is claimed by one stranger and acts as one.
    circle = [cast[index] for index in generator.permutation(len(cast))]
    stranger_of = dict(zip(circle, [*circle[1:], circle[0]], strict=True))

    def attempt(claim: str, kind: TrialKind) -> Attempt:
        really = claim if kind is TrialKind.GENUINE else stranger_of[claim]
        probes = {}
        for modality, samples in own.items():
            forging = kind is TrialKind.SKILLED and modality is Modality.SIGNATURE
            offered = corpora[modality].forgeries(claim) if forging else samples[really][references[modality] :]
            probes[modality] = offered[generator.integers(len(offered))]
        if kind is TrialKind.SKILLED and Modality.FACE not in probes:
            really = ""
        return Attempt(claim, kind, really, probes)

    forged = {
        person for person in cast if Modality.SIGNATURE in corpora and corpora[Modality.SIGNATURE].forgeries(person)
    }
    attempts = [
        attempt(person, kind)
        for person in cast
        for kind in TrialKind
        if kind is not TrialKind.SKILLED or person in forged
    ]
    return Scene(
        {modality: corpus.only(cast) for modality, corpus in corpora.items()},
        {person: [row for m, samples in own.items() for row in samples[person][: references[m]]] for person in cast},
        attempts,
    )


def enough_samples(corpus: Corpus, modality: Modality, references: int) -> list[str]:
    """Whoever has more than `references` genuine samples, sorted. Raises TrialsError if fewer than two have."""
    able = [person for person, rows in _own(corpus, modality).items() if len(rows) > references]
    if len(able) < 2:
        raise TrialsError(
            f"{len(able)} people of {corpus.name} have more than {references} {modality.value} samples, two are needed",
            field="corpus",
            fix=f"use a corpus with at least {references + 1} samples a person",
        )
    return able


def _own(corpus: Corpus, modality: Modality) -> dict[str, list[Row]]:
    return {person: [row for row in corpus.genuine(person) if row.modality is modality] for person in corpus.people}
