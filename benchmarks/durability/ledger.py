"""What a caller was told, and may therefore count on after any accident.

answered call      done, for good; repeated with its request_id it gets the identical answer
unanswered call    done or not done, never half; its caller repeats it, or looks which it was and goes on
"""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

from google.protobuf.message import Message

from verify.v1 import enrollment_pb2 as pb

Kind = Literal["lost", "back", "corrupt", "answer differs", "unforeseen", "chain"]
KINDS: tuple[Kind, ...] = ("lost", "back", "corrupt", "answer differs", "unforeseen", "chain")


class Findings:
    """What must not have happened, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.all: list[tuple[Kind, str]] = []

    def add(self, kind: Kind, text: str) -> None:
        with self._lock:
            self.all.append((kind, text))
        print(f"FOUND {kind}: {text}", flush=True)

    def count(self, kind: Kind) -> int:
        return sum(1 for found, _ in self.all if found == kind)


@dataclass(slots=True)
class Mutation:
    """One call that changes something, and its answer once there is one. `erased`: it enrolled somebody gone since."""

    method: Literal["Enroll", "DeletePerson"]
    collection: str
    person: str
    request_id: str
    shots: tuple[int, ...] = ()
    answer: Message | None = None
    erased: bool = False


@dataclass(slots=True)
class Ledger:
    """What one caller knows of its own collection, in which nobody else writes.

    Attributes
    ----------
    living : person → what the last answer said of the person.
    gone : people whose erasure was answered.
    pending : the one call without an answer, if there is one.
    answered : calls with their answers, for repetition.
    receipts : ids of all erasure receipts.
    """

    collection: str
    living: dict[str, pb.Person] = field(default_factory=dict)
    shots: dict[str, tuple[int, ...]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    pending: Mutation | None = None
    answered: list[Mutation] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _enrolments: dict[str, list[Mutation]] = field(default_factory=dict)

    def note(self, call: Mutation, answer: Message) -> None:
        """Take note of an answer."""
        call.answer = answer
        if call is self.pending:
            self.pending = None
        if call.collection == self.collection:
            if isinstance(answer, pb.EnrollResponse):
                self.living[call.person] = answer.person
                self.shots[call.person] = (*self.shots.get(call.person, ()), *call.shots)
                self._enrolments.setdefault(call.person, []).append(call)
                self.returned(call.person)
            elif isinstance(answer, pb.ErasureReceipt):
                self.forget(call.person)
                self.receipts.append(answer.receipt_id)
        self.counts[f"acknowledged {call.method}"] += 1
        self.answered.append(call)

    def returned(self, person: str) -> None:
        """Take note that somebody who was erased may have been enrolled again."""
        if person in self.gone:
            self.gone.remove(person)

    def forget(self, person: str) -> None:
        """Take note that the person has been erased."""
        self.living.pop(person, None)
        self.shots.pop(person, None)
        self.gone.append(person)
        for call in self._enrolments.pop(person, ()):
            call.erased = True


class Shared:
    """People whom every caller enrols further: each acknowledged call must count once."""

    COLLECTION = "shared"
    PEOPLE = ("ada", "bob", "eve")

    def __init__(self) -> None:
        self._lock = Lock()
        self.enrolled: Counter[str] = Counter()

    def note(self, person: str) -> None:
        with self._lock:
            self.enrolled[person] += 1
