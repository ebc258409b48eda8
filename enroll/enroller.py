"""Enrolling and erasing people: samples → references in a stored template.

Samples fail one by one, never together: those that can be used are enrolled, and each of the others is answered with
its reason. Only when none can be used does the enrolment fail (FTE, failure to enroll).
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from encode.errors import ModelMismatch, SampleError, TemplateFull, TooFewReferences, VersionConflict
from encode.sample import Modality, Sample
from enroll.acquisition import (
    Acquired,
    Problem,
    SampleEncoder,
    acquire_all,
    no_checkpoint,
    require_modalities,
    sample_path,
)
from enroll.answers import Enrollment, ErasedTemplate, ErasureReceipt, Outcome, TemplateSummary
from enroll.audit.event import NOBODY, Action, AuditEvent, Origin
from enroll.stores.store import Request, TemplateStore, person_unknown, require_person
from enroll.template import Template

_ATTEMPTS = 16
"""Tries of a write before a person whom others keep changing is reported as VersionConflict."""

_Answer = TypeVar("_Answer")


class Capacities(Protocol):
    """How many references a model keeps and needs; :class:`enroll.identity.IdentityModel` says so of itself."""

    @property
    def anchors(self) -> int: ...

    @property
    def recent(self) -> int: ...

    @property
    def minimum(self) -> int: ...

    @property
    def limit(self) -> int | None: ...

    @property
    def vector(self) -> int: ...


class EnrollmentModel(Protocol):
    """An encoder with the capacities of its identity model."""

    @property
    def encoder(self) -> SampleEncoder: ...

    @property
    def identity(self) -> Capacities: ...


class Enroller:
    """Adds references to people and erases people, in one store, with one model a modality."""

    def __init__(
        self,
        models: Mapping[Modality, EnrollmentModel],
        store: TemplateStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._models = models
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
        ModelMismatch : the person's template was made by another model.
        RequestIdReused, VersionConflict, StoreError : see :class:`~enroll.stores.store.TemplateStore`.
        """
        require_modalities(self._models, samples)
        if request is not None and (earlier := self._store.recorded(request)) is not None:
            return Enrollment.from_json(earlier)
        wanted = {sample.modality for sample in samples}
        self._stored(collection, person, wanted)
        encoders = {modality: self._models[modality].encoder for modality in wanted}
        acquired = acquire_all(encoders, samples, checkpoint=checkpoint)
        _require_usable(acquired)

        def write() -> bytes:
            checkpoint()
            stored = self._stored(collection, person, wanted)
            changed, outcomes = self._add(collection, person, stored, samples, acquired)
            answer = Enrollment(self._summaries({**stored, **changed}.values()), outcomes)
            event = AuditEvent(
                Action.ENROLL,
                origin=origin,
                collection=collection,
                person=person,
                models={modality: template.model_digest for modality, template in changed.items()},
                versions={modality: template.version for modality, template in changed.items()},
            )
            return self._store.save(changed.values(), answer=answer.to_json(), request=request, event=event)

        return Enrollment.from_json(_insist(write))

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

        return ErasureReceipt.from_json(_insist(write))

    def describe(self, collection: str, person: str) -> tuple[TemplateSummary, ...]:
        """What is stored of a person. Raises PersonUnknown."""
        return self._summaries(require_person(self._store, collection, person))

    def _stored(self, collection: str, person: str, wanted: Iterable[Modality]) -> dict[Modality, Template]:
        """The person's templates; those of the `wanted` modalities made by the loaded models."""
        stored = {template.modality: template for template in self._store.get(collection, person)}
        for modality in wanted:
            if modality in stored:
                require_same_model(stored[modality], self._models[modality].encoder.model_digest)
        return stored

    def _add(
        self,
        collection: str,
        person: str,
        stored: Mapping[Modality, Template],
        samples: Sequence[Sample],
        acquired: Sequence[Acquired],
    ) -> tuple[dict[Modality, Template], tuple[Outcome, ...]]:
        """The templates that change, and what became of each sample."""
        now = self._clock()
        changed: dict[Modality, Template] = {}
        problems: dict[int, Problem] = {
            index: Problem.of(result) for index, result in enumerate(acquired) if isinstance(result, SampleError)
        }
        for modality in {sample.modality for sample in samples}:
            model = self._models[modality]
            template = stored.get(modality) or Template.empty(
                collection,
                person,
                modality,
                model.encoder.model_digest,
                size=model.encoder.embedding_size if model.identity.limit is None else model.identity.vector,
                now=now,
                compact=model.identity.limit is not None,
            )
            usable = [
                (index, result)
                for index, result in enumerate(acquired)
                if samples[index].modality is modality and not isinstance(result, SampleError)
            ]
            room = _room(template, model.identity, len(usable))
            for index, _ in usable[room:]:
                problems[index] = _full_problem(index, samples[index])
            if kept := [embedding for _, embedding in usable[:room]]:
                changed[modality] = _with(template, np.stack(kept), model.identity, now)
        if not changed:
            raise TemplateFull(_FULL, field="samples", fix=_FULL_FIX)
        outcomes = tuple(Outcome(sample.modality, problems.get(index)) for index, sample in enumerate(samples))
        return changed, outcomes

    def _summaries(self, templates: Iterable[Template]) -> tuple[TemplateSummary, ...]:
        def minimum(modality: Modality) -> int:
            return self._models[modality].identity.minimum if modality in self._models else 0

        return tuple(
            TemplateSummary.of(template, minimum(template.modality))
            for template in sorted(templates, key=lambda template: template.modality)
        )


def _room(template: Template, capacities: Capacities, wanted: int) -> int:
    """How many of `wanted` references may enter a template."""
    if capacities.limit is not None:
        return min(wanted, max(0, capacities.limit - template.count))
    # A model without a ring keeps its anchors only: what finds no place there must not be called enrolled.
    return wanted if capacities.recent else min(wanted, max(0, capacities.anchors - len(template.anchors)))


def _with(template: Template, new: NDArray[np.float32], capacities: Capacities, now: datetime) -> Template:
    """The template with rows `new` (n, D) enrolled; the moments are those of their embeddings alone."""
    if capacities.limit is not None:
        return template.with_moments_of(new[:, : capacities.vector], now=now)
    return template.with_references(
        new, anchors_capacity=capacities.anchors, recent_capacity=capacities.recent, now=now
    )


def require_same_model(template: Template, model_digest: str) -> None:
    """Raise ModelMismatch unless `template` was made by the model of that digest."""
    if template.model_digest != model_digest:
        raise ModelMismatch(
            f"the person's {template.modality.value} template was made by model {template.model_digest[:12]}…, "
            f"the loaded one is {model_digest[:12]}…",
            field="person",
            fix="load the model that made the template, or delete the person and enroll again",
        )


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


def _insist(write: Callable[[], _Answer]) -> _Answer:
    """The result of `write`, which is called again while other writers come in between."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(VersionConflict):
            return write()
    return write()
