"""The settings of collections in an SQL database, sealed with a key of the store.

A row that was changed, or moved to another collection, does not open. Nobody may act on settings older than two
seconds, so that what an operator decides reaches every replica.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from sqlalchemy import Connection, bindparam, insert, select, update

from encode.errors import StoreCorrupt
from enroll.keys.envelope import Cipher, NotSealedSo
from enroll.keys.store import KeyStore
from enroll.stores.collection import CollectionSettings
from enroll.stores.database import Database
from enroll.stores.schema import collections as table

SECONDS = 2.0
_CAPACITY = 10_000
"""Collections remembered: callers may name any, and must not fill the memory with names."""

_LOCK = b"settings"
_FIND = select(table.c.settings).where(table.c.collection == bindparam("named"))
_FIND_LOCKED = _FIND.with_for_update(read=True)


class CollectionTable:
    """The table of settings; safe to use from several threads. `clock` counts seconds. Raises StoreUnavailable."""

    def __init__(self, database: Database, keys: KeyStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._cipher = Cipher(keys.secret("collection settings"))
        self._clock = clock
        self._lock = Lock()
        self._held: OrderedDict[str, tuple[CollectionSettings, float]] = OrderedDict()

    def get(self, collection: str) -> CollectionSettings:
        """The settings, or the defaults, at most :data:`SECONDS` old. Raises StoreCorrupt."""
        with self._lock:
            held = self._held.get(collection)
        now = self._clock()
        if held is not None and now < held[1]:
            return held[0]
        with self._database.reading() as connection:
            sealed = connection.execute(_FIND, {"named": collection}).scalar_one_or_none()
        settings = self._open(collection, sealed)
        with self._lock:
            self._held.pop(collection, None)
            self._held[collection] = settings, now + SECONDS
            while len(self._held) > _CAPACITY:
                self._held.popitem(last=False)
        return settings

    def locked(self, connection: Connection, collection: str) -> CollectionSettings:
        """The settings as they are now, and until the transaction ends. Raises StoreCorrupt."""
        return self._open(collection, connection.execute(_FIND_LOCKED, {"named": collection}).scalar_one_or_none())

    def put(self, connection: Connection, collection: str, settings: CollectionSettings) -> None:
        """Store settings in this transaction; :meth:`forget` the collection when it has ended."""
        self._database.lock(connection, _LOCK)
        sealed = self._cipher.seal(settings.to_json(), "collection", collection)
        changed = connection.execute(update(table).where(table.c.collection == collection).values(settings=sealed))
        if not changed.rowcount:
            connection.execute(insert(table).values(collection=collection, settings=sealed))

    def forget(self, collection: str) -> None:
        """Read the settings anew when they are asked for next."""
        with self._lock:
            self._held.pop(collection, None)

    def all(self) -> dict[str, CollectionSettings]:
        """Those of every collection there are any of, in order. Raises StoreCorrupt."""
        with self._database.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.collection)).all()
        return {row.collection: self._open(row.collection, row.settings) for row in rows}

    def _open(self, collection: str, sealed: bytes | None) -> CollectionSettings:
        if sealed is None:
            return CollectionSettings()
        try:
            return CollectionSettings.from_json(self._cipher.open(sealed, "collection", collection))
        except NotSealedSo as error:
            raise StoreCorrupt(
                "the settings of a collection were changed, or are another collection's",
                fix="set them again with `countersign collection set --reset`",
            ) from error
