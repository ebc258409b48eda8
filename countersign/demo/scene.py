"""Who takes part in the demonstration, which samples enroll them, and which questions are asked afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from encode.errors import TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row


@dataclass(frozen=True)
class Question:
    """A sample of `probe.person` that claims to be `claim`."""

    claim: str
    probe: Row

    @property
    def genuine(self) -> bool:
        """Whether the claim is true: what the service does not know."""
        return self.claim == self.probe.person


@dataclass(frozen=True)
class Scene:
    """The demonstration's cast.

    Attributes
    ----------
    corpus : the samples of the people who take part.
    references : person → the samples that enroll them.
    questions : per person one genuine claim, then one by somebody else; no probe was a reference.
    """

    corpus: Corpus
    references: dict[str, Sequence[Row]]
    questions: Sequence[Question]


def set_scene(corpus: Corpus, modality: Modality, people: int, references: int, *, seed: int = 0) -> Scene:
    """The first `people` of `corpus` with more than `references` genuine samples, and two questions on each.

    Raises TrialsError if fewer than two people have that many.
    """
    own = {person: [row for row in corpus.genuine(person) if row.modality is modality] for person in corpus.people}
    cast = [person for person, rows in own.items() if len(rows) > references][:people]
    if len(cast) < 2:
        raise TrialsError(
            f"{len(cast)} people of {corpus.name} have more than {references} {modality.value} samples, two are needed",
            field="corpus",
            fix=f"use a corpus with at least {references + 1} samples a person",
        )
    generator = np.random.default_rng(seed)
    probes = {person: own[person][references:] for person in cast}
    # Going round a shuffled circle, everyone is claimed by one impostor and acts as one.
    circle = [cast[index] for index in generator.permutation(len(cast))]
    impostor_of = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    questions = [
        Question(person, probes[really][generator.integers(len(probes[really]))])
        for person in cast
        for really in (person, impostor_of[person])
    ]
    return Scene(corpus.only(cast), {person: own[person][:references] for person in cast}, questions)
