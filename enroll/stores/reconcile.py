"""After data was put back from a backup: data and key store agree again, and nobody who was erased is back.

    data key gone       the person was erased after the backup: the rows are removed
    earlier revision    the person was changed after the backup: the backup's templates count from now on
    changed rows        told, and left as they are

Until then reads of such people fail as STORE_CORRUPT, because nothing else tells a restored backup from rows that
somebody put back. So an operator says so, with `countersign db restore` or `countersign db reconcile`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, delete, select

from encode.errors import StoreCorrupt
from enroll.keys.store import KeyStore
from enroll.stores.changes import note_change
from enroll.stores.database import Database
from enroll.stores.listing import beyond
from enroll.stores.person_rows import delete_held
from enroll.stores.schema import people, remembered_requests
from enroll.stores.sealed import open_state

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Reconciled:
    """People found: as they were, put back to an earlier revision, erased meanwhile, and with changed rows."""

    unchanged: int = 0
    put_back: int = 0
    erased: int = 0
    corrupt: int = 0


def reconcile(database: Database, keys: KeyStore) -> Reconciled:
    """Go through everybody; safe to repeat, and to run while services do. Raises StoreUnavailable."""
    unchanged = put_back = erased = corrupt = 0
    after = ("", "")
    while page := _page(database, after):
        earlier: list[tuple[str, int]] = []
        gone: list[tuple[str, str, str]] = []
        for row in page:
            key = keys.fresh(row.key_ref)
            if key is None:
                gone.append((row.collection, row.person, row.key_ref))
                continue
            try:
                open_state(key.cipher, row.collection, row.person, row.revision, row.state)
            except StoreCorrupt:
                corrupt += 1
                continue
            if key.revision > row.revision:
                earlier.append((row.key_ref, row.revision))
            else:
                unchanged += 1
        if earlier:
            keys.put_back(earlier)
        if gone:
            _remove(database, gone)
        put_back, erased = put_back + len(earlier), erased + len(gone)
        after = (page[-1].collection, page[-1].person)
    database.scrub()
    return Reconciled(unchanged, put_back, erased, corrupt)


def _page(database: Database, after: tuple[str, str]) -> Sequence[Row[Any]]:
    with database.reading() as connection:
        order = (people.c.collection, people.c.person)
        return connection.execute(select(people).where(beyond(after)).order_by(*order).limit(_AT_ONCE)).all()


def _remove(database: Database, gone: list[tuple[str, str, str]]) -> None:
    with database.writing() as connection:
        for collection, person, key_ref in gone:
            mine = and_(people.c.collection == collection, people.c.person == person, people.c.key_ref == key_ref)
            # Not the rows of somebody enrolled again under the name meanwhile.
            if connection.execute(delete(people).where(mine)).rowcount:
                delete_held(connection, collection, person)
                note_change(connection, key_ref)
            seen = remembered_requests.c.key_ref == key_ref
            connection.execute(remembered_requests.update().where(seen).values(body_mac=b"", answer=b"", key_ref=None))
