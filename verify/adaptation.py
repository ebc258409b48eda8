"""Learning from decided claims, after they are answered.

    decision  →  recorded in the audit log  →  answered
                                            →  looked at here, on a thread of its own: candidate, promotion, discard

Nothing that was acknowledged depends on it. A crash, a full queue or a store that fails loses a chance to learn and
nothing else; a caller is told neither that a template learned nor that it did not. Every step reads the template anew
and is refused by the store if another call or another replica came in between; then it is looked at once more.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from encode.errors import CountersignError, StoreError, VersionConflict
from encode.sample import Modality
from enroll.adaptation import Move, Refusal, Step, admit, dismiss, incapable, settle
from enroll.audit.event import Action, AuditEvent, Origin
from enroll.insist import insist
from enroll.lineup import Lineup
from enroll.stores.collection import CollectionSettings
from enroll.stores.store import TemplateStore
from enroll.template import Template
from verify.decision import Compared, Decision
from verify.logging import get_logger
from verify.model import Model
from verify.update_rule import update_row, update_rule

MOST_WAITING = 256
"""Decisions that wait to be learned from; those of a burst beyond it are not learned from."""

ACTIONS = {Move.QUARANTINED: Action.QUARANTINE, Move.PROMOTED: Action.ADAPT, Move.DISCARDED: Action.DISCARD}


@dataclass(frozen=True, slots=True)
class Lesson:
    """A decision on a claim from which templates may change.

    `accepted_at` is its target FAR, None if it was rejected; `llrs` are the natural-log ratios it rests on.
    """

    collection: str
    person: str
    settings: CollectionSettings
    accepted_at: float | None
    llrs: Mapping[Modality, float]
    compared: tuple[Compared, ...]


class Adaptation:
    """Adapts templates of the collections that say so. Safe to use from several threads."""

    def __init__(
        self,
        models: Lineup[Model],
        store: TemplateStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        waiting: int = MOST_WAITING,
    ) -> None:
        self._models = models
        self._store = store
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="countersign-adapt")
        self._places = threading.BoundedSemaphore(waiting)

    def lesson(self, collection: str, person: str, decision: Decision) -> Lesson | None:
        """What `decision` may teach, or None: for nearly every claim, and without a word to the database."""
        if not decision.compared:
            return None
        with suppress(StoreError):  # whether there is something to learn must not decide over the answer
            settings = self._store.settings_of(collection)
            if settings.adapt:
                return self._lesson(collection, person, settings, decision)
        return None

    def submit(self, lesson: Lesson | None, origin: Origin) -> None:
        """Learn from it, some time soon; returns at once."""
        if lesson is None or not self._places.acquire(blocking=False):
            return
        try:
            self._pool.submit(self._work, lesson, origin)
        except RuntimeError:  # closed: the service is stopping
            self._places.release()

    def close(self) -> None:
        """Finish what is being learned and drop what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _lesson(self, collection: str, person: str, settings: CollectionSettings, decision: Decision) -> Lesson | None:
        compared: tuple[Compared, ...]
        if not decision.accepted:
            # Also if only part of what was sent could be used: somebody may be trying what passes.
            compared = tuple(one for one in decision.compared if one.template.quarantined)
            return Lesson(collection, person, settings, None, {}, compared) if compared else None
        if not decision.complete or decision.accept_partial:
            return None
        llrs = {part.modality: part.llr for part in decision.modalities if part.llr is not None}
        compared = tuple(
            one
            for one in decision.compared
            if self._worth(one.template, llrs[one.template.modality], settings, decision.target_far)
        )
        return Lesson(collection, person, settings, decision.target_far, llrs, compared) if compared else None

    def _worth(self, template: Template, llr: float, settings: CollectionSettings, accepted_at: float) -> bool:
        """Whether the template, as it was read for the claim, could change by it."""
        model = self._models.maker(template)
        if model is None or model.policy is None or incapable(template, model.identity) is not None:
            return False
        held, row = template.adapted, update_row(model.policy, settings)
        if held is not None and held.candidate_at is not None:
            if self._clock() < held.candidate_at + timedelta(hours=settings.quarantine_hours):
                return False
            if held.candidate is not None:
                return True
        return row is not None and row.target_far < accepted_at and llr >= row.threshold

    def _work(self, lesson: Lesson, origin: Origin) -> None:
        try:
            for one in lesson.compared:
                with suppress(VersionConflict):  # a person whom many calls change at once: next time
                    self._learn(lesson, one, origin)
        except CountersignError as error:
            get_logger().warning("not_adapted", reason=error.reason)
        except Exception as error:  # noqa: BLE001 - a thread nobody waits for: told here or nowhere
            get_logger().error("not_adapted", reason="UNFORESEEN", kind=type(error).__name__)
        finally:
            self._places.release()

    def _learn(self, lesson: Lesson, one: Compared, origin: Origin) -> None:
        accepted_at = lesson.accepted_at
        if accepted_at is None:
            self._step(lesson, one, origin, "rejection", lambda template, _: dismiss(template, self._clock()))
            return

        def settled(template: Template, model: Model) -> Step | None:
            rule = None if model.policy is None else update_rule(model.policy, lesson.settings)
            return None if rule is None else settle(template, model.identity, rule, self._clock())

        def admitted(template: Template, model: Model) -> Step | None:
            rule = None if model.policy is None else update_rule(model.policy, lesson.settings, accepted_at)
            if rule is None or lesson.llrs[template.modality] < rule.threshold:
                return None
            found = admit(template, _best(one.probes, template, model), model.identity, rule, self._clock())
            return None if isinstance(found, Refusal) else found

        self._step(lesson, one, origin, "time", settled)
        self._step(lesson, one, origin, None, admitted)

    def _step(
        self,
        lesson: Lesson,
        one: Compared,
        origin: Origin,
        cause: str | None,
        take: Callable[[Template, Model], Step | None],
    ) -> None:
        """Store what `take` makes of the template as it now is, unless that is nothing or the template another's."""

        def write() -> None:
            template = stored_template(self._store, lesson.collection, lesson.person, one.template.modality)
            if template is None or template.template_id != one.template.template_id:
                return
            model = self._models.maker(template)
            if model is None or template.model_digest != one.template.model_digest:
                return
            step = take(template, model)
            if step is not None:
                event = step_event(step, model, lesson.settings, origin, cause)
                self._store.save([step.template], answer=b"", request=None, event=event)

        insist(write)


def stored_template(store: TemplateStore, collection: str, person: str, modality: Modality) -> Template | None:
    """The person's template in one modality, as it is stored now."""
    return next((one for one in store.get(collection, person) if one.modality is modality), None)


def step_event(step: Step, model: Model, settings: CollectionSettings, origin: Origin, cause: str | None) -> AuditEvent:
    """What the audit log tells of a step; `cause` as :class:`~enroll.audit.event.Action` says of its subject."""
    template, policy = step.template, model.policy
    row = None if policy is None else update_row(policy, settings)
    return AuditEvent(
        ACTIONS[step.move],
        origin=origin,
        collection=template.collection,
        person=template.person,
        models={template.modality: template.model_digest},
        versions={template.modality: template.version},
        policy_id=None if policy is None else policy.id,
        target_far=None if row is None else row.target_far,
        subject=cause if step.why is None else step.why.value,
    )


def _best(probes: NDArray[np.float32], template: Template, model: Model) -> NDArray[np.float32]:
    """The probe (D,) most like what was enrolled."""
    identity = model.identity
    best: NDArray[np.float32] = probes[int(np.argmax(identity.llr(identity.fit(template.enrolled), probes)))]
    return best
