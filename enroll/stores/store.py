"""The template store: what any database must do to hold enrolled people.

A store is synchronous and safe to call from several threads. Every mutation is one atomic step of three:

    same request seen before?  →  has anything changed since it was read?  →  write, and record the answer

so that a repeated request gets its first answer again, two writers never lose each other's references, and a crash
leaves either all of it or nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from encode.errors import PersonUnknown, RequestIdReused, VersionConflict
from encode.sample import Modality
from enroll.audit.event import AuditEvent
from enroll.audit.writer import AuditWriter
from enroll.stores.collection import CollectionSettings
from enroll.stores.glance import Stored
from enroll.stores.history import VersionSummary
from enroll.stores.kept_samples import KeptSample
from enroll.stores.roll import Roll
from enroll.template import Template

REQUEST_RETENTION = timedelta(days=7)
"""How long the answer to a request_id is remembered."""


@dataclass(frozen=True, slots=True)
class Request:
    """A mutation that its caller may repeat.

    `body_digest` (32 bytes) is the SHA-256 of all that the caller sent; `method` keeps an id used for an enrolment
    from answering a deletion.
    """

    collection: str
    request_id: str
    method: str
    body_digest: bytes


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """What the store remembers of a :class:`Request`; without digest and answer once the person was erased."""

    method: str
    body_digest: bytes
    answer: bytes

    def replay(self, request: Request) -> bytes:
        """The recorded answer, if `request` is the very one that got it; else raise RequestIdReused."""
        if not self.body_digest:
            raise RequestIdReused(
                "the person this request_id enrolled has been erased since",
                field="request_id",
                fix="to enroll the person again, choose a new request_id",
            )
        if (self.method, self.body_digest) != (request.method, request.body_digest):
            raise RequestIdReused(
                "the request_id was used before with another body",
                field="request_id",
                fix="choose a new request_id for every new request, and repeat one only with the same body",
            )
        return self.answer


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """A person of a listing and the modalities enrolled."""

    person: str
    modalities: tuple[Modality, ...]


EnrolledPerson = tuple[str, str, dict[Modality, str]]
"""Collection, person, and modality → digest of the model that made the template."""


class TemplateStore(Protocol):
    """Where templates live. All methods raise StoreUnavailable or StoreCorrupt when the database fails them."""

    def get(self, collection: str, person: str) -> tuple[Template, ...]:
        """Every template of a person, by modality; empty when nobody of that name is enrolled."""

    def read(self, collection: str, person: str, known: Stored | None = None) -> Stored:
        """As :meth:`get`, with what tells it from later content; `known` itself where nothing has changed since."""

    def list_people(self, collection: str, *, after: str = "", limit: int) -> list[PersonSummary]:
        """At most `limit` people whose id sorts after `after`, in the order of the ids' code points."""

    def iterate_people(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[EnrolledPerson]:
        """At most `limit` people of all collections that sort after `after`, by collection and person."""

    def versions_of(self, collection: str, person: str, modality: Modality) -> list[VersionSummary]:
        """The versions kept of a template, oldest first, that in force last; empty where nothing is enrolled."""

    def version(self, collection: str, person: str, modality: Modality, version: int) -> Template:
        """One of the versions that :meth:`versions_of` lists. Raises TemplateVersionUnknown."""

    def samples_of(self, collection: str, person: str, modality: Modality) -> list[KeptSample]:
        """The samples kept of a person, oldest first."""

    def samples_kept(self, collection: str) -> int:
        """How many samples are kept in a collection."""

    def drop_samples(self, collection: str) -> int:
        """Delete every sample kept in a collection; returns of how many people. Safe to repeat."""

    def settings_of(self, collection: str) -> CollectionSettings:
        """The settings of a collection, the defaults where none are stored; at most two seconds old."""

    def configure(self, collection: str, settings: CollectionSettings, event: AuditEvent | None = None) -> None:
        """Store a collection's settings, and `event` with them. Samples that are kept already are left."""

    def configured(self) -> dict[str, CollectionSettings]:
        """Every collection that settings are stored of, in order."""

    def recorded(self, request: Request) -> bytes | None:
        """The answer `request` got before, or None. Raises RequestIdReused if its id stands for another body."""

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
        """Store one person's new or changed templates and record `answer`; return the answer that stands.

        That is `answer`, or what an equal request recorded first, in which case nothing is written. What is written
        and the `event` that tells of it enter the database together or not at all. A version that is replaced is kept
        (:meth:`versions_of`) as long as the collection's `versions_kept` says.

        Parameters
        ----------
        samples : to keep from now on, in order, each of a modality among the templates'. They are dropped where the
            collection does not keep samples at this moment.
        drop_samples : delete first what was kept of the templates' modalities.

        Raises
        ------
        VersionConflict : a template's predecessor is no longer what is stored.
        RequestIdReused : as :meth:`recorded`.
        """

    def erase(
        self,
        templates: Iterable[Template],
        *,
        answer: bytes,
        request: Request | None,
        event: AuditEvent | None = None,
    ) -> bytes:
        """Remove all of one person's templates, earlier versions and samples, and what recorded requests say of the
        person; answers as `save`.

        Raises
        ------
        VersionConflict : `templates` is not exactly what is stored of the person.
        RequestIdReused : as :meth:`recorded`.
        """

    def roll(self) -> Roll:
        """Everybody of all collections, and who was changed since, for whoever follows the store."""

    def audit_writer(self) -> AuditWriter | None:
        """A writer of decisions to the log that `event` goes to, or None where there is none. Close it before this."""

    def close(self) -> None:
        """Release files and connections; the store is not used afterwards."""


def require_person(store: TemplateStore, collection: str, person: str) -> tuple[Template, ...]:
    """The templates of an enrolled person, at least one. Raises PersonUnknown."""
    templates = store.get(collection, person)
    if not templates:
        raise person_unknown()
    return templates


def person_unknown() -> PersonUnknown:
    """The error for a person who is not enrolled."""
    return PersonUnknown(
        "nobody of this name is enrolled in the collection",
        field="person",
        fix="check the collection and the person, or enroll the person first",
    )


def one_person(templates: Iterable[Template]) -> tuple[tuple[Template, ...], str, str]:
    """The templates with their one collection and person; a mixture or nothing is a programming error."""
    listed = tuple(templates)
    owners = {(template.collection, template.person) for template in listed}
    if len(owners) != 1 or len({template.modality for template in listed}) != len(listed):
        raise ValueError("a mutation concerns one person and each modality once")
    [(collection, person)] = owners
    return listed, collection, person


def require_samples_of(templates: Iterable[Template], samples: Iterable[KeptSample]) -> None:
    """Samples of a modality of which no template is saved are a programming error."""
    if not {sample.modality for sample in samples} <= {template.modality for template in templates}:
        raise ValueError("samples are kept with the templates of their modality")


def require_successors(stored: Mapping[Modality, tuple[str, int]], templates: Iterable[Template]) -> None:
    """Raise VersionConflict unless each template follows directly on `stored` (modality → template_id, version)."""
    for template in templates:
        before = stored.get(template.modality)
        expected = None if template.version == 1 else (template.template_id, template.version - 1)
        if before != expected:
            raise version_conflict()


def require_unchanged(stored: Mapping[Modality, tuple[str, int]], templates: Iterable[Template]) -> None:
    """Raise VersionConflict unless `templates` are exactly those `stored`."""
    if dict(stored) != {template.modality: (template.template_id, template.version) for template in templates}:
        raise version_conflict()


def version_conflict() -> VersionConflict:
    """The error for a write that another one came before."""
    return VersionConflict(
        "the person's templates were changed by another call at the same time", field="person", fix="repeat the call"
    )
