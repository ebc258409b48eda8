"""Everybody of a store by reference, and who was changed since: what a gallery is built from and kept up to date by.

A reference is 32 hex digits, drawn when a person is enrolled and again when one erased is enrolled anew. It names
nobody to whoever does not hold the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Protocol

from sqlalchemy import bindparam, select

from encode.errors import StoreCorrupt
from enroll.keys.store import KeyStore
from enroll.stores import changes
from enroll.stores.changes import Changed, Position
from enroll.stores.database import Database
from enroll.stores.person_rows import WITH_TEMPLATES_COLUMNS
from enroll.stores.schema import people
from enroll.stores.sealed import corrupt, open_person
from enroll.template import Template

_PAGE = (
    select(people.c.key_ref)
    .where(people.c.key_ref > bindparam("after"))
    .order_by(people.c.key_ref)
    .limit(bindparam("at_most"))
)
_OF = WITH_TEMPLATES_COLUMNS.where(people.c.key_ref.in_(bindparam("refs", expanding=True)))


@dataclass(frozen=True, slots=True)
class Page:
    """Some of everybody.

    Attributes
    ----------
    templates : reference → all templates of that person, in the order of the references.
    unreadable : how many people's rows do not open; they are left out.
    after : what to ask for next; empty behind the last.
    """

    templates: Mapping[str, tuple[Template, ...]]
    unreadable: int
    after: str


class Roll(Protocol):
    """All methods raise StoreUnavailable where the database fails, and are safe to call from several threads."""

    def position(self) -> Position:
        """From where on :meth:`since` tells of every change that a read begun afterwards may miss."""

    def page(self, *, after: str = "", limit: int) -> Page:
        """At most `limit` people whose reference sorts after `after`."""

    def of(self, refs: Sequence[str]) -> dict[str, tuple[Template, ...]]:
        """All templates of these people, those who are still enrolled. Raises StoreCorrupt."""

    def since(self, position: Position) -> Changed | None:
        """Who was changed behind `position`; None if too much was: everybody has to be read anew."""


class SqlRoll:
    """The roll of a database and its key store."""

    def __init__(self, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys

    def position(self) -> Position:
        with self._database.reading() as connection:
            return changes.latest(connection)

    def page(self, *, after: str = "", limit: int) -> Page:
        with self._database.reading() as connection:
            refs = connection.execute(_PAGE, {"after": after, "at_most": limit}).scalars().all()
        # Keys of everybody would push those out that calls are about to need.
        found, unreadable = self._read(refs, remember=False)
        return Page(found, len(unreadable), refs[-1] if len(refs) == limit else "")

    def of(self, refs: Sequence[str]) -> dict[str, tuple[Template, ...]]:
        found, unreadable = self._read(refs, remember=True)
        if unreadable:
            raise unreadable[0]
        return found

    def since(self, position: Position) -> Changed | None:
        with self._database.reading() as connection:
            return changes.since(connection, position)

    def _read(
        self, refs: Sequence[str], *, remember: bool, again: bool = True
    ) -> tuple[dict[str, tuple[Template, ...]], list[StoreCorrupt]]:
        """Those who are there, in the order of `refs`, and the errors of those whose rows do not open."""
        if not refs:
            return {}, []
        with self._database.reading() as connection:
            rows = connection.execute(_OF, {"refs": list(refs)}).all()
        keys = self._keys.get_many(sorted({row.key_ref for row in rows}), remember=remember)
        found: dict[str, tuple[Template, ...]] = {}
        errors: list[StoreCorrupt] = []
        behind: list[str] = []
        for ref, group in groupby(sorted(rows, key=attrgetter("key_ref", "modality")), key=attrgetter("key_ref")):
            key, mine = keys.get(ref), list(group)
            if key is None or key.revision > mine[0].revision:
                behind.append(ref)
                continue
            try:
                found[ref] = open_person(key.cipher, mine)
            except StoreCorrupt as error:
                errors.append(error)
        if behind and again:
            # Changed or erased between the two reads, or put back: rows that are read now lie behind no key.
            more, still = self._read(behind, remember=remember, again=False)
            return {ref: one for ref in refs if (one := found.get(ref) or more.get(ref))}, errors + still
        errors += [corrupt("a person's rows were put back to an earlier revision, or from before an erasure")] * len(
            behind
        )
        return {ref: found[ref] for ref in refs if ref in found}, errors
