"""Lists of people, a page at a time, in the order of the ids' code points."""

from sqlalchemy import ColumnElement, Connection, and_, bindparam, select, tuple_

from encode.sample import Modality
from enroll.stores.schema import people, templates
from enroll.stores.store import EnrolledPerson, PersonSummary

_PAGE = (
    select(people.c.person)
    .where(people.c.collection == bindparam("collection"), people.c.person > bindparam("after"))
    .order_by(people.c.person)
    .limit(bindparam("limit"))
)
_LIST = (
    select(templates.c.person, templates.c.modality)
    .where(templates.c.collection == bindparam("collection"), templates.c.person.in_(_PAGE))
    .order_by(templates.c.person, templates.c.modality)
)


def beyond(after: tuple[str, str]) -> ColumnElement[bool]:
    """The people who sort after collection and person `after`."""
    return tuple_(people.c.collection, people.c.person) > tuple_(*after)


def list_people(connection: Connection, collection: str, *, after: str, limit: int) -> list[PersonSummary]:
    """A page of one collection's people; see :class:`~enroll.stores.store.TemplateStore`."""
    found: dict[str, list[Modality]] = {}
    for person, modality in connection.execute(_LIST, {"collection": collection, "after": after, "limit": limit}):
        found.setdefault(person, []).append(Modality(modality))
    return [PersonSummary(person, tuple(modalities)) for person, modalities in found.items()]


def iterate_people(connection: Connection, *, after: tuple[str, str], limit: int) -> list[EnrolledPerson]:
    """A page of everybody; see :class:`~enroll.stores.store.TemplateStore`."""
    order = (people.c.collection, people.c.person)
    page = select(*order).where(beyond(after)).order_by(*order).limit(limit).subquery()
    same = and_(page.c.collection == templates.c.collection, page.c.person == templates.c.person)
    rows = (
        select(page.c.collection, page.c.person, templates.c.modality, templates.c.model_digest)
        .select_from(page.outerjoin(templates, same))
        .order_by(page.c.collection, page.c.person, templates.c.modality)
    )
    found: dict[tuple[str, str], dict[Modality, str]] = {}
    for collection, person, modality, digest in connection.execute(rows):
        held = found.setdefault((collection, person), {})
        if modality is not None:
            held[Modality(modality)] = digest
    return [(collection, person, held) for (collection, person), held in found.items()]
