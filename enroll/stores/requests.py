"""Remembered requests: which request_id got which answer, told to nobody else.

    request_mac = HMAC-SHA-256( key, "request" ‖ collection ‖ request_id )
    body_mac    = HMAC-SHA-256( key, "body" ‖ method ‖ SHA-256 of the body )

Both are keyed, so that whoever holds the database cannot confirm a guess of who was enrolled or erased. Answers about a
person are sealed with that person's key and go with it; receipts of erasures, which name nobody, with a key of the
store.
"""

import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from enroll.keys.cache import DataKey
from enroll.keys.envelope import Cipher, NotSealedSo
from enroll.keys.store import KeyStore
from enroll.stores.schema import remembered_requests as table
from enroll.stores.sealed import corrupt
from enroll.stores.store import REQUEST_RETENTION, Request, StoredRequest

_FIND = select(table).where(table.c.request_mac == bindparam("mac"), table.c.at >= bindparam("oldest"))
_OLD = select(table.c.request_mac).where(table.c.at < bindparam("oldest"))
# Rows that another transaction is dropping are passed over rather than waited for.
_FORGET_OLD = delete(table).where(table.c.request_mac.in_(_OLD.with_for_update(skip_locked=True)))
_LOCK_BYTES = 8


class RememberedRequests:
    """The table of remembered requests, on connections that the store gives. `clock` tells the time in UTC."""

    def __init__(self, keys: KeyStore, clock: Callable[[], datetime]) -> None:
        self._keys = keys
        self._clock = clock
        self._mac_key = keys.secret("remembered requests")
        self._receipts = Cipher(keys.secret("receipts"))

    def lock_names(self, request: Request | None, collection: str, person: str) -> list[bytes]:
        """What a transaction about this request and person locks, in the order in which it must."""
        names = [self._mac("person", collection, person)[:_LOCK_BYTES]]
        return names if request is None else [self._request_mac(request)[:_LOCK_BYTES], *names]

    def recorded(self, connection: Connection, request: Request | None) -> bytes | None:
        """The answer that `request` got before, or None. Raises RequestIdReused, StoreCorrupt."""
        if request is None:
            return None
        mac = self._request_mac(request)
        row = connection.execute(_FIND, {"mac": mac, "oldest": self._clock() - REQUEST_RETENTION}).one_or_none()
        if row is None:
            return None
        asked = replace(request, body_digest=self._body_mac(request))
        key = None if row.key_ref is None else self._keys.get(row.key_ref)
        if not row.body_mac or (row.key_ref is not None and key is None):
            return StoredRequest(row.method, b"", b"").replay(asked)
        try:
            answer = (self._receipts if key is None else key.cipher).open(row.answer, "answer", mac.hex(), row.method)
        except NotSealedSo as error:
            raise corrupt("a remembered answer was changed") from error
        return StoredRequest(row.method, row.body_mac, answer).replay(asked)

    def record(self, connection: Connection, request: Request | None, answer: bytes, key: DataKey | None) -> None:
        """Remember `answer`, which concerns the person of `key`, or nobody."""
        if request is not None:
            connection.execute(insert(table), self.row(request, answer, key, self._clock()))

    def row(self, request: Request, answer: bytes, key: DataKey | None, at: datetime) -> dict[str, object]:
        """The row that remembers `answer`."""
        mac = self._request_mac(request)
        cipher = self._receipts if key is None else key.cipher
        return {
            "request_mac": mac,
            "method": request.method,
            "body_mac": self._body_mac(request),
            "answer": cipher.seal(answer, "answer", mac.hex(), request.method),
            "key_ref": None if key is None else key.ref,
            "at": at,
        }

    def forget_person(self, connection: Connection, key_ref: str) -> None:
        """Keep of the requests about a person only that they were made."""
        rows = update(table).where(table.c.key_ref == key_ref)
        connection.execute(rows.values(body_mac=b"", answer=b"", key_ref=None))

    def forget_old(self, connection: Connection) -> None:
        """Drop what nobody may repeat any more."""
        connection.execute(_FORGET_OLD, {"oldest": self._clock() - REQUEST_RETENTION})

    def _request_mac(self, request: Request) -> bytes:
        return self._mac("request", request.collection, request.request_id)

    def _body_mac(self, request: Request) -> bytes:
        return self._mac("body", request.method, request.body_digest.hex())

    def _mac(self, *parts: str) -> bytes:
        return hmac.digest(self._mac_key, json.dumps(parts).encode(), "sha256")
