"""Earlier versions of templates: what a new version replaced, kept as it was sealed, for a rollback.

    save      version v is in the place of v - 1, which is copied here first; only the newest ones are kept
    read      the versions that the person's state names, each opened with the very parts it was sealed with

The versions kept are without gaps: from the oldest that the state names to the one before that in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, delete, insert, select, true, union_all

from encode.errors import StoreCorrupt, TemplateVersionUnknown
from encode.sample import Modality
from enroll.keys.envelope import Cipher
from enroll.stores.person_rows import THIS
from enroll.stores.schema import people, template_versions, templates
from enroll.stores.sealed import Held, corrupt, open_state, open_template
from enroll.template import Template

_KEPT = ("collection", "person", "modality", "version", "template_id", "model_digest", "reason", "payload")


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A version that is kept, or the one in force.

    `reason` is what it was written for, in the word of the audit log (`enroll`, `adapt`, `rollback`, …), empty where
    that is not known; `saved_at` the template's `updated_at`, in UTC.
    """

    template_id: str
    version: int
    model_digest: str
    saved_at: datetime
    reason: str

    @classmethod
    def of(cls, template: Template, reason: str) -> "VersionSummary":
        return cls(template.template_id, template.version, template.model_digest, template.updated_at, reason)


def _mine(table: Any, *, one: bool) -> Select[Any]:
    rows = and_(
        table.c.collection == bindparam("in_collection"),
        table.c.person == bindparam("of_person"),
        table.c.modality == bindparam("modality"),
    )
    if one:
        rows = and_(rows, table.c.version == bindparam("version"))
    return select(*(table.c[name] for name in _KEPT)).where(rows)


def _reading(*, one: bool) -> Select[Any]:
    # Bounded within each half: nothing but the person's own rows is ever gathered.
    both = union_all(_mine(templates, one=one), _mine(template_versions, one=one)).subquery()
    person = (people.c.collection, people.c.person, people.c.key_ref, people.c.revision, people.c.state)
    held = (both.c[name] for name in _KEPT[2:])
    rows = select(*person, *held).select_from(people.outerjoin(both, true()))
    return rows.where(THIS).order_by(both.c.version)


ALL = _reading(one=False)
"""A person's versions of a `modality`, that in force too, in order; one row without a version where there is none."""
ONE = _reading(one=True)
"""As :data:`ALL`, one `version` alone."""


def open_versions(cipher: Cipher, rows: Sequence[Any], modality: Modality) -> list[VersionSummary]:
    """The versions that rows of :data:`ALL` hold, oldest first. Raises StoreCorrupt unless they are those stored."""
    held = _held(cipher, rows, modality)
    found = [row for row in rows if row.version is not None]
    wanted = [] if held is None else list(range(held.oldest, held.version + 1))
    if [row.version for row in found] != wanted:
        raise _not_those()
    return [VersionSummary.of(_template(cipher, row, held), row.reason) for row in found]


def open_version(cipher: Cipher, rows: Sequence[Any], modality: Modality, version: int) -> Template:
    """The version that the row of :data:`ONE` holds. Raises TemplateVersionUnknown, StoreCorrupt."""
    held = _held(cipher, rows, modality)
    if held is None or not held.oldest <= version <= held.version:
        raise version_unknown()
    if [row.version for row in rows] != [version]:
        raise _not_those()
    return _template(cipher, rows[0], held)


def keep(connection: Connection, template: Template, held: Held, *, kept: int) -> int:
    """Before `template` takes the place of the version that `held` names: copy that one, and drop the oldest.

    Returns the oldest version that is kept from now on.
    """
    if kept:
        before = and_(_same(templates, template), templates.c.version == held.version)
        replaced = select(*(templates.c[name] for name in _KEPT)).where(before)
        connection.execute(insert(template_versions).from_select(_KEPT, replaced))
    oldest = max(held.oldest, template.version - kept)
    if oldest > held.oldest:
        before = and_(_same(template_versions, template), template_versions.c.version < oldest)
        connection.execute(delete(template_versions).where(before))
    return oldest


def version_unknown() -> TemplateVersionUnknown:
    """The error for a version that is not kept."""
    return TemplateVersionUnknown(
        "this version of the person's template is not kept",
        field="version",
        fix="choose one of the versions that are listed",
    )


def _same(table: Any, template: Template) -> Any:
    return and_(
        table.c.collection == template.collection,
        table.c.person == template.person,
        table.c.modality == template.modality.value,
    )


def _held(cipher: Cipher, rows: Sequence[Any], modality: Modality) -> Held | None:
    first = rows[0]
    return open_state(cipher, first.collection, first.person, first.revision, first.state).get(modality)


def _template(cipher: Cipher, row: Any, held: Held | None) -> Template:
    if held is None or row.template_id != held.template_id:
        raise _not_those()
    return open_template(cipher, row)


def _not_those() -> StoreCorrupt:
    return corrupt("the earlier versions of a person's template are not those that were stored")
