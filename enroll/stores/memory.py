"""Templates in this process's memory: for tests, demonstrations and the evaluator. Nothing survives the process."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from threading import Lock

from encode.sample import Modality
from enroll.audit.event import AuditEvent
from enroll.stores.collection import CollectionSettings
from enroll.stores.glance import Stored
from enroll.stores.history import VersionSummary, version_unknown
from enroll.stores.kept_samples import KeptSample, within_limit
from enroll.stores.memory_roll import MemoryRoll
from enroll.stores.store import (
    REQUEST_RETENTION,
    EnrolledPerson,
    PersonSummary,
    Request,
    StoredRequest,
    one_person,
    require_samples_of,
    require_successors,
    require_unchanged,
)
from enroll.template import Template


@dataclass(frozen=True, slots=True)
class _Record:
    stored: StoredRequest
    person: str | None
    at: datetime


@dataclass(slots=True)
class _Held:
    """Of one modality: the versions kept, that in force last, each with its reason; and the samples."""

    versions: list[tuple[Template, str]] = field(default_factory=list)
    samples: list[KeptSample] = field(default_factory=list)

    @property
    def template(self) -> Template:
        return self.versions[-1][0]


class MemoryStore:
    """A :class:`~enroll.stores.store.TemplateStore` of dictionaries under one lock. `clock` tells the time in UTC.

    It keeps no audit log: events are dropped, as all else is when the process ends.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = Lock()
        self._people: dict[tuple[str, str], dict[Modality, _Held]] = {}
        self._requests: dict[tuple[str, str], _Record] = {}
        self._settings: dict[str, CollectionSettings] = {}
        self._roll = MemoryRoll(self.get)

    def get(self, collection: str, person: str) -> tuple[Template, ...]:
        with self._lock:
            return self._templates(collection, person)

    def read(self, collection: str, person: str, known: Stored | None = None) -> Stored:
        templates = self.get(collection, person)
        stamp = tuple((one.template_id, one.version) for one in templates) or None
        return known if known is not None and known.stamp == stamp else Stored(stamp, templates)

    def list_people(self, collection: str, *, after: str = "", limit: int) -> list[PersonSummary]:
        with self._lock:
            people = sorted(person for owner, person in self._people if owner == collection and person > after)
            return [PersonSummary(person, tuple(sorted(self._people[collection, person]))) for person in people[:limit]]

    def iterate_people(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[EnrolledPerson]:
        with self._lock:
            page = sorted(owner for owner in self._people if owner > after)[:limit]
            return [(*owner, {t.modality: t.model_digest for t in self._templates(*owner)}) for owner in page]

    def versions_of(self, collection: str, person: str, modality: Modality) -> list[VersionSummary]:
        with self._lock:
            return [VersionSummary.of(*kept) for kept in self._held(collection, person, modality).versions]

    def version(self, collection: str, person: str, modality: Modality, version: int) -> Template:
        with self._lock:
            for template, _ in self._held(collection, person, modality).versions:
                if template.version == version:
                    return template
        raise version_unknown()

    def samples_of(self, collection: str, person: str, modality: Modality) -> list[KeptSample]:
        with self._lock:
            return list(self._held(collection, person, modality).samples)

    def samples_kept(self, collection: str) -> int:
        with self._lock:
            mine = [person for (owner, _), person in self._people.items() if owner == collection]
            return sum(len(held.samples) for person in mine for held in person.values())

    def drop_samples(self, collection: str) -> int:
        with self._lock:
            mine = [person for (owner, _), person in self._people.items() if owner == collection]
            concerned = [person for person in mine if any(held.samples for held in person.values())]
            for person in concerned:
                for held in person.values():
                    held.samples.clear()
        return len(concerned)

    def settings_of(self, collection: str) -> CollectionSettings:
        with self._lock:
            return self._settings.get(collection, CollectionSettings())

    def configure(self, collection: str, settings: CollectionSettings, event: AuditEvent | None = None) -> None:
        with self._lock:
            self._settings[collection] = settings

    def configured(self) -> dict[str, CollectionSettings]:
        with self._lock:
            return dict(sorted(self._settings.items()))

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
        samples: Sequence[KeptSample] = (),
        drop_samples: bool = False,
    ) -> bytes:
        listed, collection, person = one_person(templates)
        require_samples_of(listed, samples)
        reason = "" if event is None else event.action.value
        with self._lock:
            if (earlier := self._recorded(request)) is not None:
                return earlier
            require_successors(self._versions(collection, person), listed)
            settings = self._settings.get(collection, CollectionSettings())
            stored = self._people.setdefault((collection, person), {})
            for template in listed:
                held = stored.setdefault(template.modality, _Held())
                held.versions.append((template, reason))
                del held.versions[: -1 - settings.versions_kept]
                before = [] if drop_samples else held.samples
                new = [one for one in samples if one.modality is template.modality and settings.keep_samples]
                held.samples = within_limit([*before, *new])
            self._record(request, answer, person)
            self._roll.note(collection, person)
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
            self._roll.note(collection, person, erased=True)
        return answer

    def roll(self) -> MemoryRoll:
        return self._roll

    def audit_writer(self) -> None:
        return None

    def close(self) -> None:
        with self._lock:
            self._people.clear()
            self._settings.clear()
            self._requests.clear()

    def _templates(self, collection: str, person: str) -> tuple[Template, ...]:
        stored = self._people.get((collection, person), {})
        return tuple(stored[modality].template for modality in sorted(stored))

    def _held(self, collection: str, person: str, modality: Modality) -> _Held:
        return self._people.get((collection, person), {}).get(modality, _Held())

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
