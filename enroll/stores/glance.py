"""Whether somebody is still stored as they were last read: one row of one table, nothing opened.

    stamp = reference of the data key, revision, sealed state

Every change of a person's rows seals the state anew at a later revision, whichever process makes it, so that an equal
stamp means equal content; what lies beside it in the database is not looked at, and cannot change what was read. It has
to be the revision that the key store knows: rows that were put back are read in full, and refused there, and a revision
that a crash kept from the key store is noted by that read.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from enroll.keys.store import KeyStore
from enroll.stores.database import Database
from enroll.stores.person_rows import THIS, these
from enroll.stores.prepared import Prepared
from enroll.stores.schema import people
from enroll.template import Template

Stamp = tuple[Any, ...]

_STAMP = Prepared(select(people.c.key_ref, people.c.revision, people.c.state).where(THIS))


@dataclass(frozen=True, slots=True)
class Stored:
    """What was stored of somebody at one moment.

    Attributes
    ----------
    stamp : the same as long as nothing changes; None of nobody.
    templates : by modality; empty of nobody.
    """

    stamp: Stamp | None
    templates: tuple[Template, ...]


NOBODY = Stored(None, ())


def unchanged(database: Database, keys: KeyStore, collection: str, person: str, known: Stored) -> bool:
    """Whether what is stored of the person is what is `known`. Raises StoreUnavailable."""
    with database.reading() as connection:
        stamp = _STAMP.first(connection, these(collection, person))
    if stamp is None:
        keys.miss(collection, person)
        return known.stamp is None
    key_ref, revision, _ = stamp
    key = keys.get(key_ref)
    return known.stamp == stamp and key is not None and key.revision == revision
