"""A caller under load, who keeps a ledger of what was answered and holds the service to it afterwards."""

import random
import uuid
from threading import Event

from google.protobuf.message import Message

from durability.ledger import Findings, Ledger, Mutation, Shared
from encode.errors import (
    CountersignError,
    DeadlineExpired,
    PersonUnknown,
    RequestIdReused,
    ServiceOverloaded,
    ServiceUnavailable,
    StoreCorrupt,
    StoreUnavailable,
    VersionConflict,
)
from encode.sample import ImageSample
from fuzzing.pictures import face
from verify.client.client import Client
from verify.v1 import enrollment_pb2 as pb

DEADLINE_SECONDS = 30.0
CROWD = 30
"""People of a caller at most, so that all of them can be looked at after every accident."""
REPEATED = 4
ALL_KEPT = 60
"""Samples of a template, all of which are kept; of more, the oldest and the newest."""
NO_ANSWER = (ServiceUnavailable, StoreUnavailable, DeadlineExpired)
NOT_DONE = (VersionConflict, ServiceOverloaded)


class Caller:
    """Calls with people of its own collection, and with those of the shared one. Used from one thread at a time.

    `erasing` is set while an erasure of anybody's is under way; `keeps` says that its collection keeps samples.
    """

    def __init__(
        self, number: int, seed: int, findings: Findings, shared: Shared, erasing: Event, *, keeps: bool = False
    ) -> None:
        self.ledger = Ledger(f"caller-{number}")
        self._keeps = keeps
        self._number = number
        self._draw = random.Random(f"{seed} {number}")
        self._findings = findings
        self._shared = shared
        self._erasing = erasing
        self._names = 0

    def work(self, address: str, stop: Event) -> None:
        """Call until told to stop or nobody answers any more."""
        with Client(address, timeout=DEADLINE_SECONDS) as client:
            while not stop.is_set():
                try:
                    self._step(client)
                except NO_ANSWER as error:
                    self.ledger.counts["unanswered"] += 1
                    self.ledger.counts[f"met {error.reason}"] += 1
                    return
                except NOT_DONE as error:
                    self.ledger.pending = None
                    self.ledger.counts[f"met {error.reason}"] += 1
                except CountersignError as error:
                    self.ledger.counts[f"met {error.reason}"] += 1
                    kind = "corrupt" if isinstance(error, StoreCorrupt) else "unforeseen"
                    self._findings.add(kind, f"{self.ledger.collection}: under load: {error.reason}: {error}")
                    return

    def check(self, client: Client) -> None:
        """Hold the service to all that was answered; settle what was not, by repeating it."""
        ledger, pending = self.ledger, self.ledger.pending
        unsure = pending.person if pending is not None and pending.collection == ledger.collection else None
        listed = {one.person for one in client.list_persons(ledger.collection)}
        for person in ledger.living.keys() - listed - {unsure}:
            self._findings.add("lost", f"{ledger.collection}/{person} is not listed")
        for person in listed - ledger.living.keys() - {unsure}:
            self._findings.add("back", f"{ledger.collection}/{person} is listed")
        for person, told in list(ledger.living.items()):
            if person != unsure:
                self._expect(client, person, told)
        if pending is not None:
            self._settle(client, pending)
        for call in self._draw.sample(ledger.answered, min(REPEATED, len(ledger.answered))):
            self._repeat(client, call)
        for person in self._some(ledger.gone, but=unsure):
            self._refused(client, person)
        for person in self._some(list(ledger.living)):
            self._accepted(client, person)

    def _step(self, client: Client) -> None:
        ledger, chance = self.ledger, self._draw.random()
        if chance < 0.08:
            self._mutate(client, self._enrolment(Shared.COLLECTION, self._draw.choice(Shared.PEOPLE)))
        elif len(ledger.living) < 3 or (chance < 0.35 and len(ledger.living) < CROWD):
            again = ledger.gone and self._draw.random() < 0.2
            self._mutate(client, self._enrolment(ledger.collection, self._draw.choice(ledger.gone) if again else None))
        elif chance < 0.5:
            self._mutate(client, self._enrolment(ledger.collection, self._draw.choice(list(ledger.living))))
        elif chance < 0.7:
            person = self._draw.choice(list(ledger.living))
            self._erasing.set()
            try:
                self._mutate(client, Mutation("DeletePerson", ledger.collection, person, uuid.uuid4().hex))
            finally:
                self._erasing.clear()
        elif chance < 0.9:
            self._accepted(client, self._draw.choice(list(ledger.living)))
        elif chance < 0.95 and ledger.gone:
            self._refused(client, self._draw.choice(ledger.gone))
        elif ledger.answered:
            self._repeat(client, self._draw.choice(ledger.answered))

    def _enrolment(self, collection: str, person: str | None) -> Mutation:
        if person is None:
            self._names += 1
            person = f"p{self._names}"
        shots = tuple(self._draw.sample(range(8), 2))
        return Mutation("Enroll", collection, person, uuid.uuid4().hex, shots)

    def _mutate(self, client: Client, call: Mutation) -> None:
        self.ledger.pending = call
        self._note(call, self._send(client, call))

    def _note(self, call: Mutation, answer: Message) -> None:
        self.ledger.note(call, answer)
        if call.collection == Shared.COLLECTION:
            self._shared.note(call.person)

    def _send(self, client: Client, call: Mutation) -> Message:
        if call.method == "DeletePerson":
            return client.delete_person(call.collection, call.person, request_id=call.request_id)
        samples = [self._sample(call.collection, call.person, shot) for shot in call.shots]
        return client.enroll(call.collection, call.person, samples, request_id=call.request_id)

    def _expect(self, client: Client, person: str, told: pb.Person) -> None:
        where = f"{self.ledger.collection}/{person}"
        try:
            found, kept = _told(client, self.ledger.collection, person)
        except PersonUnknown:
            self._findings.add("lost", f"{where} is unknown")
        except StoreCorrupt as error:
            self._findings.add("corrupt", f"{where}: {error}")
        else:
            if found != told:
                versions = [[t.version for t in one.templates] for one in (told, found)]
                self._findings.add("lost", f"{where}: versions answered and found: {versions}")
            enrolled = len(self.ledger.shots[person])
            if kept != (enrolled if self._keeps else 0) and enrolled <= ALL_KEPT:
                self._findings.add("lost", f"{where}: {enrolled} samples enrolled, {kept} kept")

    def _settle(self, client: Client, call: Mutation) -> None:
        """The call without an answer: done or not done, and after a repetition done once."""
        own = call.collection == self.ledger.collection
        before = self.ledger.living.get(call.person) if own else None
        try:
            found, _ = _told(client, call.collection, call.person)
        except PersonUnknown:
            found = None
        done = own and found != before
        if done and not _follows(call, before, found):
            self._findings.add(
                "corrupt", f"{call.collection}/{call.person} is neither as before {call.method} nor after"
            )
        self.ledger.counts["unanswered mutations done" if done else "unanswered mutations not done"] += own
        if own and self._draw.random() < 0.2:
            self._adopt(call, found, done=done)
            return
        answer = self._send(client, call)
        if done and isinstance(answer, pb.EnrollResponse) and answer.person != found:
            self._findings.add(
                "answer differs", f"{call.collection}/{call.person}: a repeated enrolment was done again"
            )
        self.ledger.counts["unanswered mutations repeated"] += 1
        self._note(call, answer)

    def _adopt(self, call: Mutation, found: pb.Person | None, *, done: bool) -> None:
        """Never repeat the call: what it left is what counts from now on."""
        self.ledger.pending = None
        self.ledger.counts[f"forgotten {call.method}"] += 1
        if found is not None and done:
            self.ledger.living[call.person] = found
            self.ledger.returned(call.person)
            self.ledger.shots[call.person] = (*self.ledger.shots.get(call.person, ()), *call.shots)
        elif found is None and call.method == "DeletePerson":
            self.ledger.forget(call.person)

    def _repeat(self, client: Client, call: Mutation) -> None:
        try:
            again = self._send(client, call)
        except RequestIdReused:
            if not call.erased:
                self._findings.add("answer differs", f"{call.collection}/{call.person}: {call.method} was forgotten")
        else:
            self.ledger.counts["repeated"] += 1
            if again != call.answer or call.erased:
                self._findings.add("answer differs", f"{call.collection}/{call.person}: {call.method}")

    def _accepted(self, client: Client, person: str) -> None:
        shot = self._draw.choice(self.ledger.shots[person])
        answer = client.verify(self.ledger.collection, person, [self._sample(self.ledger.collection, person, shot)])
        self.ledger.counts["acknowledged Verify"] += 1
        if not answer.accepted:
            self.ledger.counts["rejected"] += 1

    def _refused(self, client: Client, person: str) -> None:
        try:
            client.verify(self.ledger.collection, person, [self._sample(self.ledger.collection, person, 0)])
        except PersonUnknown:
            self.ledger.counts["acknowledged Verify"] += 1
        else:
            self._findings.add("back", f"{self.ledger.collection}/{person} is verified")

    def _some(self, people: list[str], *, but: str | None = None) -> list[str]:
        return [person for person in self._draw.sample(people, min(2, len(people))) if person != but]

    def _sample(self, collection: str, person: str, shot: int) -> ImageSample:
        owner = 0 if collection == Shared.COLLECTION else 1 + self._number
        return ImageSample(face(100_000 * owner + sum(map(ord, person)) % 97, shot))


def _told(client: Client, collection: str, person: str) -> tuple[pb.Person, int]:
    """What GetPerson says, in the words of an enrolment's answer, and how many samples are kept besides."""
    found = client.get_person(collection, person)
    kept = sum(template.samples_kept for template in found.templates)
    for template in found.templates:
        template.ClearField("samples_kept")
    return found, kept


def _follows(call: Mutation, before: pb.Person | None, after: pb.Person | None) -> bool:
    """Whether `after` is what `call` makes of `before`."""
    if call.method == "DeletePerson":
        return after is None
    if after is None or len(after.templates) != 1:
        return False
    version = 0 if before is None else before.templates[0].version
    return bool(after.templates[0].version == version + 1)
