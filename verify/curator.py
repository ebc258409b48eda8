"""What an operator may do with a template: look at its versions, go back to one, decide over its quarantine.

Each change is a new version, safe to repeat by its request, and audited. Going back never brings back an erased person:
the versions are erased with the person. Nor does it bring back a quarantine.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from encode.errors import CandidateUnfit, CountersignError, QuarantineEmpty, VersionConflict
from encode.sample import Modality
from enroll.acquisition import no_checkpoint
from enroll.adaptation import Step, dismiss, settle
from enroll.answers import TemplateSummary
from enroll.audit.event import Action, AuditEvent, Origin
from enroll.insist import insist
from enroll.lineup import Lineup
from enroll.stores.collection import CollectionSettings
from enroll.stores.history import VersionSummary
from enroll.stores.store import Request, TemplateStore, person_unknown
from enroll.template import Template
from verify.adaptation import step_event, stored_template
from verify.model import Model, model_of
from verify.update_rule import update_rule

ENROLLED = "enrolled"
"""In place of a version, in the audit log: what supervised enrolment alone made of the template as it is."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A probe in quarantine: whose, since when, and when its quarantine is over. The repr does not name the person."""

    person: str
    template: TemplateSummary
    since: datetime
    due: datetime

    def __repr__(self) -> str:
        return f"Waiting(modality={self.template.modality.value})"


class Curator:
    """Versions and quarantine of stored templates. Safe to use from several threads."""

    def __init__(
        self, models: Lineup[Model], store: TemplateStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._models = models
        self._store = store
        self._clock = clock

    def versions(self, collection: str, person: str, modality: Modality) -> list[VersionSummary]:
        """The versions kept, oldest first, that in force last. Raises PersonUnknown, StoreCorrupt."""
        found = self._store.versions_of(collection, person, modality)
        if not found:
            raise person_unknown()
        return found

    def rollback(
        self,
        collection: str,
        person: str,
        modality: Modality,
        version: int | None,
        *,
        request: Request | None,
        origin: Origin,
    ) -> TemplateSummary:
        """Give a template the content of one of its versions again; None: what was enrolled of it as it is.

        Raises
        ------
        PersonUnknown, TemplateVersionUnknown : there is no such template, or not this version.
        ModelMismatch : that version was made by none of the loaded models.
        RequestIdReused, VersionConflict, StoreError : see :class:`~enroll.stores.store.TemplateStore`.
        """

        def change() -> tuple[Template, AuditEvent]:
            now = self._stored(collection, person, modality)
            if version is None:
                old = replace(now, adapted=None)
            else:
                old = self._store.version(collection, person, modality, version)
                if old.adapted is not None:
                    old = replace(old, adapted=old.adapted.without_candidate())
            # A template that no loaded model can read would shut the person out.
            self._models.needed({modality: old}, [modality])
            new = replace(old, version=now.version + 1, updated_at=self._clock())
            return new, AuditEvent(
                Action.ROLLBACK,
                origin=origin,
                collection=collection,
                person=person,
                models={modality: new.model_digest},
                versions={modality: new.version},
                subject=ENROLLED if version is None else str(version),
            )

        return insist(lambda: self._change(change, request))

    def waiting(
        self, collection: str, *, after: str, limit: int, checkpoint: Callable[[], None] = no_checkpoint
    ) -> tuple[list[Waiting], str | None]:
        """The probes in quarantine of at most `limit` people after `after`; and the last of them, if others follow.

        Each template is opened, sealed as its quarantine is; `checkpoint` is called before each person.
        """
        people = self._store.list_people(collection, after=after, limit=limit + 1)
        wait = timedelta(hours=self._store.settings_of(collection).quarantine_hours)
        found: list[Waiting] = []
        for one in people[:limit]:
            checkpoint()
            found += [
                Waiting(one.person, summary, since, since + wait)
                for summary in map(self._summary, self._store.get(collection, one.person))
                if (since := summary.quarantined_since) is not None
            ]
        return found, people[limit - 1].person if len(people) > limit else None

    def resolve(
        self,
        collection: str,
        person: str,
        modality: Modality,
        *,
        approve: bool,
        version: int | None,
        request: Request | None,
        origin: Origin,
    ) -> TemplateSummary:
        """Make the probe in quarantine a reference now, if it passes the rule, or throw it away.

        `version` is that of the template whose quarantine was looked at; None takes whatever is there.

        Raises
        ------
        PersonUnknown : there is no such template.
        QuarantineEmpty : nothing is in quarantine.
        CandidateUnfit : it is to be approved and fails the rule; it stays, to be discarded.
        VersionConflict : the template has another version.
        RequestIdReused, StoreError : as :meth:`rollback`.
        """

        def change() -> tuple[Template, AuditEvent]:
            template = self._stored(collection, person, modality)
            model = self._models.needed({modality: template}, [modality])[modality]
            settings = self._store.settings_of(collection)
            if version is not None and version != template.version:
                raise VersionConflict(
                    "the template has changed since its quarantine was listed", field="version", fix="list it again"
                )
            step = self._approved(template, model, settings) if approve else dismiss(template, self._clock())
            if step is None:
                raise QuarantineEmpty("nothing is in quarantine", field="person", fix="list the quarantine again")
            return step.template, step_event(step, model, settings, origin, "operator")

        # A version that was given does not come back, however often it is asked for.
        return self._change(change, request) if version else insist(lambda: self._change(change, request))

    def _approved(self, template: Template, model: Model, settings: CollectionSettings) -> Step | None:
        rule = None if model.policy is None else update_rule(model.policy, settings)
        if rule is None:
            raise CandidateUnfit("the model's policy has no update threshold", field="person", fix="discard the probe")
        step = settle(template, model.identity, rule, self._clock(), early=True)
        if step is not None and step.why is not None:
            raise CandidateUnfit(
                f"the probe in quarantine fails the rule: {step.why}", field="person", fix="discard the probe"
            )
        return step

    def _stored(self, collection: str, person: str, modality: Modality) -> Template:
        """Raises WrongModality, PersonUnknown."""
        model_of(self._models, modality)
        template = stored_template(self._store, collection, person, modality)
        if template is None:
            raise person_unknown()
        return template

    def _change(self, change: Callable[[], tuple[Template, AuditEvent]], request: Request | None) -> TemplateSummary:
        """Store what `change` makes, once for each request."""
        try:
            template, event = change()
        except CountersignError:
            # What was to be changed may be gone because this very request has changed it.
            if request is None or (earlier := self._store.recorded(request)) is None:
                raise
            return TemplateSummary.from_json(earlier)
        answer = self._summary(template).to_json()
        return TemplateSummary.from_json(self._store.save([template], answer=answer, request=request, event=event))

    def _summary(self, template: Template) -> TemplateSummary:
        model = self._models.maker(template)
        return TemplateSummary.of(template, 0 if model is None else model.identity.minimum)
