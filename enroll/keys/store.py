"""The key store: one wrapped data key a person, kept apart from the data that it seals.

    create    a new data key, wrapped with the key-encryption key now in force
    get       the data key, unwrapped; remembered for a minute
    advance   what the key seals has been changed once more
    destroy   the wrapped key overwritten, deleted and out of the log: whatever it sealed is noise from then on

The store also holds one secret of its own (`secret`), from which keys that belong to no person are derived. The counter
of that row says which schema of the data the store has been used with (`schema_met`).
"""

import hashlib
import secrets
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, update

from encode.errors import StoreUnavailable
from enroll.keys import schema as key_schema
from enroll.keys.cache import DataKey, KeyCache
from enroll.keys.envelope import KEY_BYTES, OVERHEAD, Cipher
from enroll.keys.ring import KeyRing, key_missing
from enroll.keys.schema import data_keys, key_store_info
from enroll.stores.database import Database
from enroll.stores.prepared import Prepared
from enroll.stores.shared_commit import SharedCommit

SECRET_REF = "secret"  # noqa: S105 - the name of a row
_NOTHING = bytes(KEY_BYTES + OVERHEAD)
_NO_KEY = bytes(KEY_BYTES)
_FIND = select(data_keys.c.key_id, data_keys.c.wrapped, data_keys.c.revision).where(
    data_keys.c.key_ref == bindparam("ref")
)
_CURRENT_LOCKED = select(key_store_info.c.current_key_id).with_for_update(read=True)
_ADVANCE = Prepared(
    update(data_keys)
    .where(data_keys.c.key_ref == bindparam("ref"), data_keys.c.revision < bindparam("new"))
    .values(revision=bindparam("new"))
)
_FIND_MANY = select(data_keys).where(data_keys.c.key_ref.in_(bindparam("refs", expanding=True)))


class KeyStore:
    """The data keys in `database`, wrapped by the keys of `ring`.

    Parameters
    ----------
    expected : the id that the data names; None for data that has met no key store yet, which may have a new one.
    cache : how unwrapped keys are remembered.

    Raises
    ------
    StoreKeyMissing : a key-encryption key in use is not in the ring or is another one; or this store is not the one
        that belongs to the data.
    StoreUnavailable : the database cannot be used, or was written by a newer release.
    """

    def __init__(
        self, database: Database, ring: KeyRing, *, expected: str | None = None, cache: KeyCache | None = None
    ) -> None:
        self.database = database
        self._commits = SharedCommit(database.writing, shared=database.one_writer)
        self.ring = ring
        self._cache = KeyCache() if cache is None else cache
        self._nobodys = KeyCache()
        self.store_id = self._prepare(expected)
        self._require_keys()
        self._secret = self._fetch(SECRET_REF)

    def create(self, ref: str | None = None) -> DataKey:
        """A new data key, at revision 0, under a random reference or a new one of at most 32 characters."""
        ref, key = ref or secrets.token_hex(16), secrets.token_bytes(KEY_BYTES)
        self._commits.run(lambda connection: self._insert(connection, ref, key))
        return self._cache.put(ref, key, 0)

    def get(self, ref: str) -> DataKey | None:
        """The data key of that reference, or None if there is none, or no longer."""
        return self._cache.get(ref) or self._fetch(ref)

    def get_many(self, refs: Sequence[str], *, remember: bool = True) -> dict[str, DataKey]:
        """The data keys of these references, those that there are, in one statement. `remember` them as `get` does."""
        found = {ref: key for ref in refs if (key := self._cache.get(ref)) is not None}
        missing = [ref for ref in refs if ref not in found]
        if not missing:
            return found
        with self.database.reading() as connection:
            rows = connection.execute(_FIND_MANY, {"refs": missing}).all()
        for row in rows:
            raw = self.ring.unwrap(row.key_id, row.wrapped, row.key_ref)
            if remember:
                found[row.key_ref] = self._cache.put(row.key_ref, raw, row.revision)
            else:
                found[row.key_ref] = DataKey(row.key_ref, raw, Cipher(raw), row.revision)
        return found

    def miss(self, *name: str) -> None:
        """Take the time of :meth:`get` for a name that has no key, and remember that for as long.

        Else the key that a stored person needs would tell of the person: a key management service takes milliseconds.
        """
        ref = hashlib.blake2b("\0".join(name).encode(), digest_size=16).hexdigest()
        if self._nobodys.get(ref) is None:
            with self.database.reading() as connection:
                row = connection.execute(_FIND, {"ref": SECRET_REF}).one()
            self.ring.unwrap(row.key_id, row.wrapped, SECRET_REF)
            self._nobodys.put(ref, _NO_KEY, 0)

    def fresh(self, ref: str) -> DataKey | None:
        """As :meth:`get`, from the database itself."""
        self._cache.forget(ref)
        return self._fetch(ref)

    def advance(self, ref: str, revision: int) -> None:
        """Take note that what the key seals is at `revision` now, or later."""
        self._commits.run(lambda connection: _ADVANCE.run(connection, {"ref": ref, "new": revision}))
        self._cache.advance(ref, revision)

    def put_back(self, revisions: Sequence[tuple[str, int]]) -> None:
        """Take note that data was restored: each reference is at the revision given, whatever it was before."""
        with self.database.writing() as connection:
            for ref, revision in revisions:
                connection.execute(update(data_keys).where(data_keys.c.key_ref == ref).values(revision=revision))
                self._cache.forget(ref)

    def destroy(self, refs: Sequence[str]) -> bool:
        """Overwrite and delete these keys; False if a file may still hold what was overwritten."""
        with self.database.writing() as connection:
            for ref in refs:
                row = data_keys.c.key_ref == ref
                connection.execute(update(data_keys).where(row).values(wrapped=_NOTHING))
                connection.execute(delete(data_keys).where(row))
        # Not before: another thread that reads the key meanwhile would have it remembered again.
        for ref in refs:
            self._cache.forget(ref)
        return self.database.scrub()

    @property
    def schema_met(self) -> int:
        """The latest schema of the data that this store is known to have been used with, 0 before any."""
        found = self.fresh(SECRET_REF)
        return 0 if found is None else found.revision

    def meet_schema(self, number: int) -> None:
        """Take note that the data has this schema, or had a later one."""
        if self.schema_met < number:
            self.advance(SECRET_REF, number)

    def secret(self, purpose: str) -> bytes:
        """32 bytes for `purpose`, the same for as long as the store lives, through every rotation."""
        if self._secret is None:
            raise AssertionError("a prepared key store has its secret")
        expand = HKDFExpand(SHA256(), KEY_BYTES, b"countersign " + purpose.encode())
        return expand.derive(self._secret.key)

    def wrapped(self, ref: str) -> tuple[str, bytes] | None:
        """Id of the key-encryption key and the wrapped data key, or None if there is none, or no longer."""
        with self.database.reading() as connection:
            row = connection.execute(_FIND, {"ref": ref}).one_or_none()
        return None if row is None else (row.key_id, row.wrapped)

    def adopt(self, ref: str, key_id: str, wrapped: bytes) -> bool:
        """Take in a data key that another store wrapped with a key of this ring; False where one is here already.

        Raises StoreKeyMissing.
        """
        key = self.ring.unwrap(key_id, wrapped, ref)
        with self.database.writing() as connection:
            new = connection.execute(_FIND, {"ref": ref}).one_or_none() is None
            if new:
                self._insert(connection, ref, key)
        return new

    def in_use(self) -> dict[str, int]:
        """Id of each key-encryption key in use → how many data keys it wraps."""
        counts = (
            select(data_keys.c.key_id, func.count().label("number"))
            .group_by(data_keys.c.key_id)
            .order_by(data_keys.c.key_id)
        )
        with self.database.reading() as connection:
            return {row.key_id: row.number for row in connection.execute(counts)}

    def current_key_id(self) -> str:
        """The id of the key-encryption key that wraps new data keys."""
        with self.database.reading() as connection:
            return str(connection.execute(select(key_store_info.c.current_key_id)).scalar_one())

    def close(self) -> None:
        """Forget the unwrapped keys and close the database."""
        self._cache.clear()
        self._nobodys.clear()
        self.database.close()

    def _fetch(self, ref: str) -> DataKey | None:
        with self.database.reading() as connection:
            row = connection.execute(_FIND, {"ref": ref}).one_or_none()
        if row is None:
            return None
        return self._cache.put(ref, self.ring.unwrap(row.key_id, row.wrapped, ref), row.revision)

    def _insert(self, connection: Connection, ref: str, key: bytes) -> None:
        # The row is locked against a rotation that begins now: what it has not seen, it would never wrap anew.
        key_id = connection.execute(_CURRENT_LOCKED).scalar_one()
        wrapped = self.ring.wrap(key_id, key, ref)
        row = {"key_ref": ref, "key_id": key_id, "wrapped": wrapped, "revision": 0}
        connection.execute(insert(data_keys), row)

    def _prepare(self, expected: str | None) -> str:
        """Make the tables where data may have a new store; returns the store's id."""
        found = self._info()
        if found is None:
            if expected is not None:
                raise key_missing(f"there is no key store in {self.database.name}, and the data needs its own")
            self._create()
            found = self._info()
            if found is None:
                raise AssertionError("the key store was made and is not there")
        version, store_id = found
        if version != key_schema.KEY_SCHEMA_VERSION:
            raise StoreUnavailable(
                f"the key store has version {version}, this release reads {key_schema.KEY_SCHEMA_VERSION}",
                fix="use the release that wrote it",
            )
        if expected is not None and store_id != expected:
            raise key_missing(f"the key store in {self.database.name} belongs to other data")
        return store_id

    def _create(self) -> None:
        with self.database.writing() as connection:
            # Several services may begin on one empty database.
            self.database.lock(connection, b"keystore")
            key_schema.metadata.create_all(connection)
            if connection.execute(select(key_store_info.c.id)).one_or_none() is None:
                connection.execute(
                    insert(key_store_info).values(
                        id=1,
                        version=key_schema.KEY_SCHEMA_VERSION,
                        store_id=secrets.token_hex(16),
                        current_key_id=self.ring.current.key_id,
                    )
                )
                self._insert(connection, SECRET_REF, secrets.token_bytes(KEY_BYTES))

    def _info(self) -> tuple[int, str] | None:
        if key_store_info.name not in self.database.tables():
            return None
        with self.database.reading() as connection:
            row = connection.execute(select(key_store_info.c.version, key_store_info.c.store_id)).one_or_none()
        return None if row is None else (row.version, row.store_id)

    def _require_keys(self) -> None:
        """Open one data key of each key-encryption key in use, so that a wrong one is found now and not in a call."""
        samples = select(func.min(data_keys.c.key_ref)).group_by(data_keys.c.key_id)
        with self.database.reading() as connection:
            refs = connection.execute(samples).scalars().all()
        if SECRET_REF not in refs:
            refs = [*refs, SECRET_REF]
        for ref in refs:
            if self._fetch(ref) is None and ref == SECRET_REF:
                raise key_missing(f"the key store in {self.database.name} has lost its own secret")
        self.ring.get(self.current_key_id())


def expect_schema(database: Database, number: int) -> None:
    """Let the key store in `database` be used with data of this schema again, if it knows of a later one."""
    mine = and_(data_keys.c.key_ref == SECRET_REF, data_keys.c.revision > number)
    with database.writing() as connection:
        connection.execute(update(data_keys).where(mine).values(revision=number))
