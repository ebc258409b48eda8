"""What is said to the service: enrolments first, then questions, each over gRPC."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from countersign.demo.scene import Question, Way
from encode.errors import SampleError, StateError
from eval.corpora.corpus import Row

if TYPE_CHECKING:
    from verify.client.client import Client
    from verify.v1.verification_pb2 import VerifyResponse

COLLECTION = "demo"
PREFERRED_FAR = 0.01


@dataclass(frozen=True)
class Answer:
    """What the service said to a question: `response`, or `problem` where it could not read the samples."""

    question: Question
    response: "VerifyResponse | None"
    problem: str = ""

    @property
    def accepted(self) -> bool:
        return self.response is not None and self.response.accepted

    @property
    def right(self) -> bool:
        """Whether the decision is the one that somebody who knows the truth would want."""
        return self.accepted == self.question.attempt.genuine


def offered_fars(client: "Client", way: Way) -> list[float]:
    """The target FARs that a question asked this way may name.

    Raises TargetFarUnavailable where the service has no policy for these modalities together.
    """
    return [row.target_far for row in client.get_policy(*way).rows]


def common_far(offered: Iterable[Sequence[float]]) -> float | None:
    """The offered FAR nearest to 1 % that all have, so that answers compare; None where they have none in common."""
    first, *others = offered
    shared = [far for far in first if all(any(math.isclose(far, one) for one in other) for other in others)]
    return min(shared, key=lambda far: abs(math.log(far / PREFERRED_FAR)), default=None)


def enroll(client: "Client", references: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, str]]:
    """Enroll everyone in turn; yields (person, "") or (person, why the person could not be enrolled)."""
    for person, rows in references.items():
        try:
            client.enroll(COLLECTION, person, [row.load() for row in rows])
        except (SampleError, StateError) as error:
            yield person, str(error)
        else:
            yield person, ""


def ask(client: "Client", questions: Iterable[Question], far: float | None) -> Iterator[Answer]:
    """Ask in turn, one Verify call each; without a `far` each policy's default holds.

    Samples that cannot be read are no answer, and count as a rejection.
    """
    for question in questions:
        try:
            samples = [row.load() for row in question.rows]
            yield Answer(question, client.verify(COLLECTION, question.attempt.claim, samples, target_far=far))
        except SampleError as error:
            yield Answer(question, None, str(error))
