"""The rows of one person: statements that read, write and delete them. What is in them is `enroll.stores.sealed`'s."""

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from enroll.keys.envelope import Cipher
from enroll.stores.schema import people, samples, template_versions, templates
from enroll.stores.sealed import corrupt, seal_template
from enroll.template import Template

THIS = and_(people.c.collection == bindparam("in_collection"), people.c.person == bindparam("of_person"))
"""The row of `people` that :func:`these` names."""

PERSON = select(people).where(THIS)
PERSON_LOCKED = PERSON.with_for_update()

_HELD = (templates, template_versions, samples)
_SAME = and_(people.c.collection == templates.c.collection, people.c.person == templates.c.person)
WITH_TEMPLATES_COLUMNS = select(
    people.c.collection,
    people.c.person,
    people.c.key_ref,
    people.c.revision,
    people.c.state,
    templates.c.modality,
    templates.c.template_id,
    templates.c.version,
    templates.c.model_digest,
    templates.c.reason,
    templates.c.payload,
).select_from(people.outerjoin(templates, _SAME))
"""Each person's row with each of the person's templates."""

WITH_TEMPLATES = WITH_TEMPLATES_COLUMNS.where(THIS).order_by(templates.c.modality)
"""All that a read of a person needs, in one statement, so that it is of one moment."""


def these(collection: str, person: str) -> dict[str, str]:
    """The parameters of the statements above."""
    return {"in_collection": collection, "of_person": person}


def write_template(connection: Connection, template: Template, cipher: Cipher, reason: str) -> None:
    """Insert a first version, or put a later one in the place of the one before.

    Raises StoreCorrupt where that one, which the person's state names, is not there.
    """
    where = {"collection": template.collection, "person": template.person, "modality": template.modality.value}
    values = {
        "template_id": template.template_id,
        "version": template.version,
        "model_digest": template.model_digest,
        "reason": reason,
        "payload": seal_template(cipher, template, reason),
    }
    if template.version == 1:
        connection.execute(insert(templates), {**where, **values})
        return
    before = and_(*(templates.c[name] == value for name, value in where.items()))
    before = and_(before, templates.c.version == template.version - 1)
    if connection.execute(update(templates).where(before).values(**values)).rowcount != 1:
        raise corrupt("a person's templates are not those that were stored last")


def delete_held(connection: Connection, collection: str, person: str) -> None:
    """Delete everything of a person but the row of `people`."""
    for table in _HELD:
        mine = and_(table.c.collection == collection, table.c.person == person)
        connection.execute(delete(table).where(mine))
