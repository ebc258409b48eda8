"""Enrolling and erasing people: samples → references in a stored template.

Samples fail one by one, never together: those that can be used are enrolled, and each of the others is answered with
its reason. Only when none can be used does the enrolment fail (FTE, failure to enroll).

A collection may keep the samples that were enrolled, sealed as templates are, so that another model can read them.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from encode.errors import SampleError, TemplateFull, TooFewReferences
from encode.sample import Modality, Sample
from enroll.acquisition import (
    Acquired,
    Problem,
    acquire_all,
    no_checkpoint,
    require_modalities,
    sample_path,
)
from enroll.answers import Enrollment, ErasedTemplate, ErasureReceipt, Outcome, TemplateSummary
from enroll.audit.event import NOBODY, Action, AuditEvent, Origin
from enroll.insist import insist
from enroll.lineup import Lineup
from enroll.references import EnrollmentModel, empty_template, room, with_references
from enroll.sample_form import sample_to_bytes
from enroll.stores.kept_samples import KeptSample
from enroll.stores.store import Request, TemplateStore, person_unknown, require_person
from enroll.template import Template


class Enroller:
    """Adds references to people and erases people, in one store.

    A new person gets the current model of a modality; references are added to a template with the model that made it,
    which may be a retiring one where `models` is a :class:`~enroll.lineup.Lineup`.
    """

    def __init__(
        self,
        models: Mapping[Modality, EnrollmentModel],
        store: TemplateStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._models = Lineup.of(models)
        self._store = store
        self._clock = clock

    def enroll(
        self,
        collection: str,
        person: str,
        samples: Sequence[Sample],
        *,
        request: Request | None = None,
        origin: Origin = NOBODY,
        checkpoint: Callable[[], None] = no_checkpoint,
    ) -> Enrollment:
        """Add those of `samples` that can be used, at least one, to a person, who need not exist before.

        `request` makes the call safe to repeat, `origin` says to the audit log who asks. `checkpoint` may raise to
        abandon it; then nothing is stored.

        Raises
        ------
        WrongModality : a sample of a modality that no model reads.
        TooFewReferences : no sample can be used; `causes` holds the error of each.
        TemplateFull : the person's model keeps no more references than are there.
        ModelMismatch : the person's template was made by none of the loaded models.
        RequestIdReused, VersionConflict, StoreError : see :class:`~enroll.stores.store.TemplateStore`.
        """
        require_modalities(self._models, samples)
        if request is not None and (earlier := self._store.recorded(request)) is not None:
            return Enrollment.from_json(earlier)
        wanted = {sample.modality for sample in samples}
        models = self._models.needed(self._stored(collection, person), wanted)
        acquired = _acquire(models, samples, checkpoint)

        def write() -> bytes:
            nonlocal models, acquired
            checkpoint()
            stored = self._stored(collection, person)
            needed = self._models.needed(stored, wanted)
            if any(needed[modality] is not models[modality] for modality in wanted):
                # The person was migrated, or erased, since the samples were embedded.
                models, acquired = needed, _acquire(needed, samples, checkpoint)
            changed, outcomes = self._add(collection, person, stored, models, samples, acquired)
            answer = Enrollment(self._summaries({**stored, **changed}.values()), outcomes)
            event = AuditEvent(
                Action.ENROLL,
                origin=origin,
                collection=collection,
                person=person,
                models={modality: template.model_digest for modality, template in changed.items()},
                versions={modality: template.version for modality, template in changed.items()},
            )
            return self._store.save(
                changed.values(),
                answer=answer.to_json(),
                request=request,
                event=event,
                samples=self._to_keep(collection, samples, outcomes),
            )

        return Enrollment.from_json(insist(write))

    def erase(
        self, collection: str, person: str, *, request: Request | None = None, origin: Origin = NOBODY
    ) -> ErasureReceipt:
        """Erase all templates of a person.

        Raises
        ------
        PersonUnknown : nobody of that name is enrolled.
        RequestIdReused, VersionConflict, StoreError : see :class:`~enroll.stores.store.TemplateStore`.
        """

        def write() -> bytes:
            # In this order: a repeat that finds nobody because the first call has just finished finds its answer.
            templates = self._store.get(collection, person)
            if request is not None and (earlier := self._store.recorded(request)) is not None:
                return earlier
            if not templates:
                raise person_unknown()
            erased = tuple(ErasedTemplate(t.modality, t.model_digest, t.count) for t in templates)
            receipt = ErasureReceipt(secrets.token_hex(16), erased, self._clock())
            event = AuditEvent(
                Action.DELETE_PERSON,
                origin=origin,
                collection=collection,
                person=person,
                models={template.modality: template.model_digest for template in templates},
                versions={template.modality: template.version for template in templates},
                subject=receipt.receipt_id,
            )
            return self._store.erase(templates, answer=receipt.to_json(), request=request, event=event)

        return ErasureReceipt.from_json(insist(write))

    def describe(self, collection: str, person: str) -> tuple[TemplateSummary, ...]:
        """What is stored of a person. Raises PersonUnknown."""
        summaries = self._summaries(require_person(self._store, collection, person))
        return tuple(
            replace(one, samples_kept=len(self._store.samples_of(collection, person, one.modality)))
            for one in summaries
        )

    def _stored(self, collection: str, person: str) -> dict[Modality, Template]:
        return {template.modality: template for template in self._store.get(collection, person)}

    def _add(
        self,
        collection: str,
        person: str,
        stored: Mapping[Modality, Template],
        models: Mapping[Modality, EnrollmentModel],
        samples: Sequence[Sample],
        acquired: Sequence[Acquired],
    ) -> tuple[dict[Modality, Template], tuple[Outcome, ...]]:
        """The templates that change, and what became of each sample."""
        now = self._clock()
        changed: dict[Modality, Template] = {}
        problems: dict[int, Problem] = {
            index: Problem.of(result) for index, result in enumerate(acquired) if isinstance(result, SampleError)
        }
        for modality, model in models.items():
            template = stored.get(modality) or empty_template(model, collection, person, now=now)
            usable = [
                (index, result)
                for index, result in enumerate(acquired)
                if samples[index].modality is modality and not isinstance(result, SampleError)
            ]
            places = room(template, model.identity, len(usable))
            for index, _ in usable[places:]:
                problems[index] = _full_problem(index, samples[index])
            if kept := [embedding for _, embedding in usable[:places]]:
                changed[modality] = with_references(template, np.stack(kept), model.identity, now=now)
        if not changed:
            raise TemplateFull(_FULL, field="samples", fix=_FULL_FIX)
        outcomes = tuple(Outcome(sample.modality, problems.get(index)) for index, sample in enumerate(samples))
        return changed, outcomes

    def _to_keep(
        self, collection: str, samples: Sequence[Sample], outcomes: Sequence[Outcome]
    ) -> tuple[KeptSample, ...]:
        """Those enrolled, where the collection wants them; no other sample is ever stored."""
        if not self._store.settings_of(collection).keep_samples:
            return ()
        enrolled = [sample for sample, outcome in zip(samples, outcomes, strict=True) if outcome.accepted]
        at = self._clock()
        return tuple(KeptSample(sample.modality, sample_to_bytes(sample), at) for sample in enrolled)

    def _summaries(self, templates: Iterable[Template]) -> tuple[TemplateSummary, ...]:
        def minimum(template: Template) -> int:
            model = self._models.maker(template) or self._models.get(template.modality)
            return 0 if model is None else model.identity.minimum

        return tuple(
            TemplateSummary.of(template, minimum(template))
            for template in sorted(templates, key=lambda template: template.modality)
        )


def _acquire(
    models: Mapping[Modality, EnrollmentModel], samples: Sequence[Sample], checkpoint: Callable[[], None]
) -> list[Acquired]:
    """One item a sample, each by the model of its modality. Raises TooFewReferences if none can be used."""
    encoders = {modality: model.encoder for modality, model in models.items()}
    acquired = acquire_all(encoders, samples, checkpoint=checkpoint)
    _require_usable(acquired)
    return acquired


def _require_usable(acquired: Sequence[Acquired]) -> None:
    causes = [result for result in acquired if isinstance(result, SampleError)]
    if len(causes) == len(acquired):
        first = causes[0]
        raise TooFewReferences(
            f"none of the {len(causes)} samples can be used: {first.message}"
            if len(causes) > 1
            else f"the sample cannot be used: {first.message}",
            field=first.field,
            fix=first.fix,
            causes=causes,
        )


_FULL = "the template holds every reference that its model keeps, for good"
_FULL_FIX = "delete the person and enroll again to replace the references"


def _full_problem(index: int, sample: Sample) -> Problem:
    return Problem(TemplateFull.reason, sample_path(index, sample), _FULL, _FULL_FIX)
