"""Migrating people to another model: the samples that were kept are read anew, and the template is written anew.

    for every template of another model:   kept samples → new model → template of the new model, the next version

Services run meanwhile. The write is one of optimistic concurrency: an enrolment that comes in between wins, and the
person is read again. What has been done is seen by the digest in the template, so that a run that was killed needs no
memory of its own: the next one passes over whoever is done. What the old model learned from accepted probes (see
`enroll.adapted`) has no samples and goes; the old version stays among the versions kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from encode.errors import SampleError, StoreCorrupt, WrongModality
from encode.sample import Modality, Sample
from enroll.acquisition import acquire
from enroll.audit.event import NOBODY, Action, AuditEvent, Origin
from enroll.insist import insist
from enroll.references import EnrollmentModel, empty_template, with_references
from enroll.sample_form import sample_from_bytes
from enroll.stores.store import TemplateStore
from enroll.template import Template

PAGE = 100
"""People looked at between two queries for more."""


class Outcome(StrEnum):
    """What became of one template."""

    MIGRATED = "migrated"
    ALREADY = "already"
    """It is the new model's."""
    ANOTHER = "another model"
    """Not of the model whose people are to be migrated; left as it is."""
    NO_SAMPLES = "no samples kept"
    UNREADABLE = "unreadable sample"
    """Of the samples that are kept, too few can be read by the new model."""
    TOO_FEW = "too few references"
    """Fewer samples are kept than the new model needs references."""
    DAMAGED = "damaged"
    """What is stored of the person does not open."""
    ERASED = "erased"
    """The person is no longer there."""

    @property
    def must_reenroll(self) -> bool:
        """Whether the person can be had for the new model by a new enrolment alone."""
        return self in (Outcome.NO_SAMPLES, Outcome.UNREADABLE, Outcome.TOO_FEW, Outcome.DAMAGED)


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of one person's template. The repr does not name the person."""

    collection: str
    person: str
    modality: Modality
    outcome: Outcome

    def __repr__(self) -> str:
        return f"Migrated(modality={self.modality.value}, outcome={self.outcome.value})"


class Migration:
    """A migration of one store to one model.

    Parameters
    ----------
    source : digest of the only model whose people are migrated; None stands for every other.
    collection : the only one that is migrated; None stands for all.
    dry : read everything, write nothing.
    """

    def __init__(
        self,
        store: TemplateStore,
        model: EnrollmentModel,
        *,
        source: str | None = None,
        collection: str | None = None,
        dry: bool = False,
        origin: Origin = NOBODY,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._model = model
        self._source = source
        self._collection = collection
        self._dry = dry
        self._origin = origin
        self._clock = clock

    @property
    def modality(self) -> Modality:
        """The modality that is migrated."""
        return self._model.encoder.modality

    def count(self) -> int:
        """How many templates there are to migrate, as far as the listing tells."""
        return sum(self._outcome_of(digest) is None for _, _, digest in self._templates())

    def run(self) -> Iterator[Migrated]:
        """Migrate everybody, in the order of collections and ids; one item a template of the modality.

        Memory does not grow with the number of people. Stopped at any moment, what was yielded stands.

        Raises
        ------
        StoreUnavailable : the database fails. VersionConflict : others change one person without end.
        """
        for collection, person, digest in self._templates():
            outcome = self._outcome_of(digest)
            if outcome is None:
                outcome = self.migrate(collection, person)
            yield Migrated(collection, person, self.modality, outcome)

    def migrate(self, collection: str, person: str) -> Outcome:
        """Migrate one person. Raises StoreUnavailable, VersionConflict."""
        try:
            return insist(lambda: self._migrate(collection, person))
        except StoreCorrupt:
            return Outcome.DAMAGED

    def _templates(self) -> Iterator[tuple[str, str, str]]:
        """Collection, person and model digest of every template of the modality."""
        after = (self._collection or "", "")
        while page := self._store.iterate_people(after=after, limit=PAGE):
            for collection, person, digests in page:
                if self._collection not in (None, collection):
                    return
                if self.modality in digests:
                    yield collection, person, digests[self.modality]
            after = page[-1][:2]

    def _outcome_of(self, digest: str) -> Outcome | None:
        """What is known of a template by its digest alone; None if it is to be migrated."""
        if digest == self._model.encoder.model_digest:
            return Outcome.ALREADY
        return None if self._source in (None, digest) else Outcome.ANOTHER

    def _migrate(self, collection: str, person: str) -> Outcome:
        # The template first: a sample that is kept after this was read changes the template's version too.
        stored = {template.modality: template for template in self._store.get(collection, person)}
        before = stored.get(self.modality)
        if before is None:
            return Outcome.ERASED
        if (outcome := self._outcome_of(before.model_digest)) is not None:
            return outcome
        after = self._remade(before)
        if isinstance(after, Template) and not self._dry:
            self._save(before, after)
        return Outcome.MIGRATED if isinstance(after, Template) else after

    def _remade(self, before: Template) -> Template | Outcome:
        """The template of the new model, or why there is none."""
        kept = self._store.samples_of(before.collection, before.person, self.modality)
        if not kept:
            return Outcome.NO_SAMPLES
        capacities = self._model.identity
        if len(kept) < capacities.minimum:
            return Outcome.TOO_FEW
        read = (self._read(sample_from_bytes(sample.payload)) for sample in kept)
        rows = [row for row in read if row is not None]
        if len(rows) < capacities.minimum:
            return Outcome.UNREADABLE
        made = replace(
            empty_template(self._model, before.collection, before.person, now=before.created_at),
            template_id=before.template_id,
            version=before.version,
        )
        limit = len(rows) if capacities.limit is None else capacities.limit
        return with_references(made, np.stack(rows[:limit]), capacities, now=self._clock())

    def _read(self, sample: Sample) -> NDArray[np.float32] | None:
        """The sample's row by the new model; None if it cannot read it, such as an image for a model of strokes."""
        try:
            [result] = acquire(self._model.encoder, [sample])
        except WrongModality:
            return None
        return None if isinstance(result, SampleError) else result

    def _save(self, before: Template, after: Template) -> None:
        event = AuditEvent(
            Action.MIGRATE,
            origin=self._origin,
            collection=after.collection,
            person=after.person,
            models={after.modality.value: after.model_digest},
            versions={after.modality.value: after.version},
            subject=before.model_digest,
        )
        self._store.save([after], answer=b"", request=None, event=event)
