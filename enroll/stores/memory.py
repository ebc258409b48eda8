"""Templates in this process's memory: for tests, demonstrations and the evaluator. Nothing survives the process."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from threading import Lock

from encode.sample import Modality
from enroll.audit.event import AuditEvent
from enroll.stores.store import (
    REQUEST_RETENTION,
    PersonSummary,
    Request,
    StoredRequest,
    one_person,
    require_successors,
    require_unchanged,
)
from enroll.template import Template


@dataclass(frozen=True, slots=True)
class _Record:
    stored: StoredRequest
    person: str | None
    at: datetime


class MemoryStore:
    """A :class:`~enroll.stores.store.TemplateStore` of dictionaries under one lock. `clock` tells the time in UTC.

    It keeps no audit log: events are dropped, as all else is when the process ends.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = Lock()
        self._people: dict[tuple[str, str], dict[Modality, Template]] = {}
        self._requests: dict[tuple[str, str], _Record] = {}

    def get(self, collection: str, person: str) -> tuple[Template, ...]:
        with self._lock:
            return self._templates(collection, person)

    def list_people(self, collection: str, *, after: str = "", limit: int) -> list[PersonSummary]:
        with self._lock:
            people = sorted(person for owner, person in self._people if owner == collection and person > after)
            return [PersonSummary(person, tuple(sorted(self._people[collection, person]))) for person in people[:limit]]

    def recorded(self, request: Request) -> bytes | None:
        with self._lock:
            return self._recorded(request)

    def save(
        self,
        templates: Iterable[Template],
        *,
        answer: bytes,
        request: Request | None,
        event: AuditEvent | None = None,
    ) -> bytes:
        listed, collection, person = one_person(templates)
        with self._lock:
            if (earlier := self._recorded(request)) is not None:
                return earlier
            require_successors(self._versions(collection, person), listed)
            stored = self._people.setdefault((collection, person), {})
            stored.update({template.modality: template for template in listed})
            self._record(request, answer, person)
        return answer

    def erase(
        self,
        templates: Iterable[Template],
        *,
        answer: bytes,
        request: Request | None,
        event: AuditEvent | None = None,
    ) -> bytes:
        listed, collection, person = one_person(templates)
        with self._lock:
            if (earlier := self._recorded(request)) is not None:
                return earlier
            require_unchanged(self._versions(collection, person), listed)
            del self._people[collection, person]
            for key, record in self._requests.items():
                if key[0] == collection and record.person == person:
                    self._requests[key] = _Record(StoredRequest(record.stored.method, b"", b""), None, record.at)
            self._record(request, answer, None)
        return answer

    def audit_writer(self) -> None:
        return None

    def close(self) -> None:
        with self._lock:
            self._people.clear()
            self._requests.clear()

    def _templates(self, collection: str, person: str) -> tuple[Template, ...]:
        stored = self._people.get((collection, person), {})
        return tuple(stored[modality] for modality in sorted(stored))

    def _versions(self, collection: str, person: str) -> dict[Modality, tuple[str, int]]:
        return {t.modality: (t.template_id, t.version) for t in self._templates(collection, person)}

    def _recorded(self, request: Request | None) -> bytes | None:
        oldest = self._clock() - REQUEST_RETENTION
        # The dictionary is in order of time: keys are only ever added at its end.
        expired = list(takewhile(lambda key: self._requests[key].at < oldest, self._requests))
        for key in expired:
            del self._requests[key]
        record = None if request is None else self._requests.get((request.collection, request.request_id))
        return None if record is None or request is None else record.stored.replay(request)

    def _record(self, request: Request | None, answer: bytes, person: str | None) -> None:
        if request is not None:
            stored = StoredRequest(request.method, request.body_digest, answer)
            self._requests[request.collection, request.request_id] = _Record(stored, person, self._clock())
