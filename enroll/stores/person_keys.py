"""The steps of a change that concern the person's data key: before the transaction, and after it.

Each of them may be cut short by a crash, and is made up for: a key that seals nothing is left, a revision is noted by
the next read, and a key that is to be destroyed stands in `shredding` until it is.
"""

from contextlib import suppress
from typing import Any

from sqlalchemy import Row, delete, select

from encode.errors import StoreError, StoreUnavailable
from enroll.keys.cache import DataKey
from enroll.keys.envelope import NotSealedSo
from enroll.keys.store import KeyStore
from enroll.stores.database import Database
from enroll.stores.schema import shredding
from enroll.stores.sealed import corrupt
from enroll.stores.store import version_conflict

_DOOM = "shredding"


class PersonKeys:
    """The data keys in `keys` of the people in `database`."""

    def __init__(self, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys

    def of(self, row: Row[Any]) -> DataKey:
        """The key of a row of `people`, for a change of it. Raises VersionConflict, StoreCorrupt."""
        key = self._keys.get(row.key_ref)
        if key is None:
            raise corrupt("the key of a stored person is gone: the data was put back from before an erasure")
        if key.revision > row.revision and (self._keys.fresh(row.key_ref) or key).revision > row.revision:
            # Either the rows were put back, or they have been changed since they were read: the caller reads again.
            raise version_conflict()
        return key

    def changed(self, key: DataKey, revision: int) -> None:
        """Let the key store know of a change that was stored."""
        with suppress(StoreError):  # what is stored is stored; the next read notes the revision
            self._keys.advance(key.ref, revision)

    def note(self, key: DataKey, revision: int) -> None:
        """Let the key store know of a revision that a crash kept from it."""
        if revision > key.revision and (fresh := self._keys.fresh(key.ref)) is not None and revision > fresh.revision:
            self.changed(key, revision)

    def discard(self, key: DataKey) -> None:
        """Destroy a key made for a person whom another call enrolled first; left alone it would seal nothing."""
        with suppress(StoreError):
            self._keys.destroy([key.ref])

    def shred(self) -> None:
        """Destroy the keys of erased people; what a call before this one could not destroy, too.

        A key that no erasure has marked stays, whatever the table says of it. Raises StoreUnavailable.
        """
        with self._database.reading() as connection:
            rows = connection.execute(select(shredding)).all()
        refs = [row.key_ref for row in rows if self._doomed(row)]
        if not refs:
            return
        if not self._keys.destroy(refs):
            raise StoreUnavailable("a reader keeps the key store's log from being emptied", fix="repeat the call")
        with self._database.writing() as connection:
            connection.execute(delete(shredding).where(shredding.c.key_ref.in_(refs)))

    def require_no_forgery(self) -> None:
        """Raise StoreCorrupt if a key is marked for destruction that no erasure has marked."""
        with self._database.reading() as connection:
            rows = connection.execute(select(shredding)).all()
        if not all(self._doomed(row) for row in rows):
            raise corrupt("a row of the table shredding marks a data key for destruction that no erasure has marked")

    def _doomed(self, row: Row[Any]) -> bool:
        """Whether an erasure has marked the key; one that is gone has been destroyed already."""
        key = self._keys.get(row.key_ref)
        try:
            return key is None or key.cipher.open(row.seal or b"", _DOOM, row.key_ref) == b""
        except NotSealedSo:
            return False


def doom(key: DataKey) -> dict[str, object]:
    """The row of `shredding` that marks a key for destruction."""
    return {"key_ref": key.ref, "seal": key.cipher.seal(b"", _DOOM, key.ref)}
