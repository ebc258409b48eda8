"""Reading a person's rows together with the key that opens them, which is in another database.

A change enters the data before the key store. So rows read before their key may lie behind it, because a change came in
between; rows read after their key never do, unless they were put back.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Row, Select

from enroll.keys.cache import DataKey
from enroll.keys.envelope import Cipher
from enroll.keys.store import KeyStore
from enroll.stores.database import Database
from enroll.stores.person_keys import PersonKeys
from enroll.stores.sealed import corrupt
from enroll.stores.store import version_conflict

_READS = 5
"""Tries of a read in whose midst the person is erased and enrolled again, each time."""

_Read = TypeVar("_Read")


class GuardedRead:
    """Reads of people in `database`, whose keys are in `keys`."""

    def __init__(self, database: Database, keys: KeyStore, data_keys: PersonKeys) -> None:
        self._database = database
        self._keys = keys
        self._data_keys = data_keys

    def __call__(
        self,
        statement: Select[Any],
        wanted: Mapping[str, object],
        open_rows: Callable[[Cipher, Sequence[Row[Any]]], _Read],
        nobody: _Read,
    ) -> _Read:
        """What `open_rows` makes of a person's rows, which hold the person's key and revision; `nobody` of none.

        Raises
        ------
        StoreCorrupt : the rows do not open, or were put back from before a change or an erasure.
        VersionConflict : the person is erased and enrolled again all the time.
        """
        ref: str | None = None
        key: DataKey | None = None
        for _ in range(_READS):
            with self._database.reading() as connection:
                rows = connection.execute(statement, wanted).all()
            if not rows:
                self._keys.miss(str(wanted["in_collection"]), str(wanted["of_person"]))
                return nobody
            read_before, ref, revision = rows[0].key_ref == ref, rows[0].key_ref, rows[0].revision
            if not read_before:
                key = self._keys.get(ref)
            if key is not None and key.revision <= revision:
                opened = open_rows(key.cipher, rows)
                self._data_keys.note(key, revision)
                return opened
            if read_before and key is None:
                raise corrupt("the key of a stored person is gone: the data was put back from before an erasure")
            if read_before:
                raise corrupt("a person's rows were put back to an earlier revision")
            key = self._keys.fresh(ref)
        raise version_conflict()
