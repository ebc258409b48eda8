"""What is said to the service: enrolments first, then questions, each over gRPC."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from countersign.demo.scene import Question
from encode.errors import SampleError, StateError
from encode.sample import Modality
from eval.corpora.corpus import Row

if TYPE_CHECKING:
    from verify.client import Client
    from verify.v1.verification_pb2 import VerifyResponse

COLLECTION = "demo"
PREFERRED_FAR = 0.001


@dataclass(frozen=True)
class Answer:
    """What the service said to a question: `response`, or `problem` where it could not read the sample."""

    question: Question
    response: "VerifyResponse | None"
    problem: str = ""

    @property
    def accepted(self) -> bool:
        return self.response is not None and self.response.accepted

    @property
    def right(self) -> bool:
        """Whether the decision is the one that somebody who knows the truth would want."""
        return self.accepted == self.question.genuine


def target_far(client: "Client", modality: Modality) -> float:
    """0.1 % where the policy has a threshold for it, the policy's own default otherwise."""
    policy = client.get_policy(modality)
    offered = [row.target_far for row in policy.rows]
    return next((far for far in offered if abs(far - PREFERRED_FAR) < 1e-9), policy.default_target_far)


def enroll(client: "Client", references: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, str]]:
    """Enroll everyone in turn; yields (person, "") or (person, why the person could not be enrolled)."""
    for person, rows in references.items():
        try:
            client.enroll(COLLECTION, person, [row.load() for row in rows])
        except (SampleError, StateError) as error:
            yield person, str(error)
        else:
            yield person, ""


def ask(client: "Client", questions: Iterable[Question], far: float) -> Iterator[Answer]:
    """Ask in turn. A sample that cannot be read is no answer, and counts as a rejection."""
    for question in questions:
        try:
            yield Answer(question, client.verify(COLLECTION, question.claim, [question.probe.load()], target_far=far))
        except SampleError as error:
            yield Answer(question, None, str(error))
