"""One change of a person, within a transaction: check what is there, write what is new, seal the new state.

row locked  →  state opened  →  each template the successor of what the state names  →  the versions they replace
kept, the templates written, samples kept or dropped  →  state sealed at the next revision
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, update

from encode.sample import Modality
from enroll.keys.cache import DataKey
from enroll.stores import history, kept_samples
from enroll.stores.changes import note_change
from enroll.stores.kept_samples import KeptSample
from enroll.stores.person_rows import PERSON_LOCKED, THIS, these, write_template
from enroll.stores.schema import people
from enroll.stores.sealed import Held, State, open_state, seal_state
from enroll.stores.store import require_successors, version_conflict
from enroll.template import Template


@dataclass(frozen=True, slots=True)
class PersonChange:
    """New versions of one person's templates, to be written under the person's key.

    Attributes
    ----------
    reason : why, in the word of the audit log; empty where it tells nothing.
    kept : how many earlier versions of a template stay.
    samples : to be kept; with `drop_samples` in the place of those that are.
    """

    templates: tuple[Template, ...]
    key: DataKey
    reason: str
    kept: int
    samples: Sequence[KeptSample] = ()
    drop_samples: bool = False

    def write(self, connection: Connection, *, new: bool, now: datetime) -> int:
        """Write it; returns the person's new revision. `new` says whether the person was found enrolled before.

        Raises
        ------
        VersionConflict : something else is stored than what the templates follow on.
        StoreCorrupt : what is stored does not open.
        """
        owner = self.templates[0].collection, self.templates[0].person
        row = connection.execute(PERSON_LOCKED, these(*owner)).one_or_none()
        if new != (row is None) or (row is not None and row.key_ref != self.key.ref):
            raise version_conflict()
        stored = {} if row is None else open_state(self.key.cipher, *owner, row.revision, row.state)
        require_successors(in_force(stored), self.templates)
        changed = {one.modality: self._write_one(connection, owner, one, stored) for one in self.templates}
        revision = 1 if row is None else row.revision + 1
        state = seal_state(self.key.cipher, *owner, revision, {**stored, **changed})
        if row is None:
            mine = {"collection": owner[0], "person": owner[1], "key_ref": self.key.ref, "created_at": now}
            connection.execute(insert(people), {**mine, "revision": revision, "state": state})
        else:
            connection.execute(update(people).where(THIS).values(revision=revision, state=state), these(*owner))
        note_change(connection, self.key.ref)
        return revision

    def _write_one(
        self, connection: Connection, owner: tuple[str, str], template: Template, stored: Mapping[Modality, Held]
    ) -> Held:
        modality, before = template.modality, stored.get(template.modality)
        oldest = template.version
        ids: tuple[str, ...] = ()
        if before is not None:
            oldest = history.keep(connection, template, before, kept=self.kept)
            ids = before.samples
        write_template(connection, template, self.key.cipher, self.reason)
        if self.drop_samples:
            kept_samples.drop(connection, owner, modality, ids)
            ids = ()
        new = [sample for sample in self.samples if sample.modality is modality]
        if new:
            ids = kept_samples.add(connection, self.key.cipher, owner, modality, before=ids, new=new)
        return Held(template.template_id, template.version, oldest, ids)


def forget_samples(connection: Connection, row: Row[Any], key: DataKey) -> int:
    """Delete every sample of the person of `row`, a locked row of `people`; returns the person's revision then.

    Raises StoreCorrupt.
    """
    owner = row.collection, row.person
    state = open_state(key.cipher, *owner, row.revision, row.state)
    revision = int(row.revision) + 1
    without = {modality: replace(held, samples=()) for modality, held in state.items()}
    sealed = seal_state(key.cipher, *owner, revision, without)
    connection.execute(update(people).where(THIS).values(revision=revision, state=sealed), these(*owner))
    return revision


def in_force(state: State) -> dict[Modality, tuple[str, int]]:
    """Modality → id and version of the template in force."""
    return {modality: held.template for modality, held in state.items()}
