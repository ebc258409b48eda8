"""Bearer tokens at rest: ``cs_<id>_<secret>``, of which the id and a hash of the secret are stored.

    id       16 hex digits, public: it names the token in lists and in the audit log
    secret   64 hex digits, 256 random bits, shown once when the token is made
    hash     SHA-256( "countersign token 1" ‖ id ‖ secret )

The prefix lets scanners for leaked credentials find one.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from encode.errors import FieldInvalid, NotFound, StoreCorrupt
from enroll.access import schema as token_schema
from enroll.access.grants import NOTHING, Grants
from enroll.access.token_seal import destroy_seal, seal_token, token_is_intact
from enroll.audit.event import NOBODY, Action, AuditEvent, Origin
from enroll.audit.recording import Recorder
from enroll.keys.store import KeyStore
from enroll.stores.database import Database

_FORM = re.compile(r"cs_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)
_DOMAIN = b"countersign token 1"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """What is stored of a token. Times are in UTC; `expires_at` None never comes.

    `intact` is False where the row is not what was written, or was put back after the token had been revoked.
    """

    token_id: str
    name: str
    secret_hash: bytes
    grants: Grants
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    intact: bool = True

    def valid(self, now: datetime) -> bool:
        """Whether the token opens anything at the instant `now`."""
        return self.intact and self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def __repr__(self) -> str:
        return f"Token(token_id={self.token_id})"


def split_token(text: str) -> tuple[str, str] | None:
    """Id and secret of a token's text, or None if it has not the form of one."""
    match = _FORM.fullmatch(text)
    return None if match is None else (match[1], match[2])


def secret_hash(token_id: str, secret: str) -> bytes:
    """32 bytes; bound to the id, so that one row's hash is worth nothing in another."""
    return hashlib.sha256(_DOMAIN + token_id.encode() + secret.encode()).digest()


def matches(token: Token, secret: str) -> bool:
    """Whether `secret` is the token's, compared in a time that does not depend on how much of it is right."""
    return hmac.compare_digest(token.secret_hash, secret_hash(token.token_id, secret))


class TokenStore:
    """The tokens of one database. Methods raise StoreUnavailable.

    Parameters
    ----------
    keys : the key store that belongs to the database; it seals the rows.
    clock : tells the time in UTC.
    recorder : of the same database; by default nothing is told to its audit log.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        recorder: Recorder | None = None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._recorder = Recorder(database.writing) if recorder is None else recorder

    def create(
        self, name: str, grants: Grants, *, lifetime: timedelta | None, origin: Origin = NOBODY
    ) -> tuple[str, Token]:
        """A new token: its text, which is not stored and cannot be shown again, and what is stored.

        Parameters
        ----------
        name : what the caller is called in the audit log, 1 to 128 printable characters.
        lifetime : until it expires; None for a token that never does.
        origin : who makes it, for the audit log.

        Raises
        ------
        FieldInvalid : the name cannot be used, or nothing is granted.
        """
        if not (1 <= len(name) <= 128 and name.isprintable() and name == name.strip()):
            raise FieldInvalid(
                "a token's name has 1 to 128 printable characters", field="name", fix="choose a name for the caller"
            )
        if not grants.held:
            raise FieldInvalid("the token would open nothing", field="scope", fix="grant one, such as verify:staff")
        token_id, secret, now = secrets.token_hex(8), secrets.token_hex(_SECRET_BYTES), self._clock()
        expires = None if lifetime is None else now + lifetime
        token = Token(token_id, name, secret_hash(token_id, secret), grants, now, expires, None)
        seal = seal_token(self._keys, token_id, name, token.secret_hash, grants.to_json(), now, expires)
        with self._recorder.writing() as change:
            change.connection.execute(
                insert(token_schema.tokens).values(
                    token_id=token_id,
                    name=name,
                    secret_hash=token.secret_hash,
                    grants=grants.to_json(),
                    created_at=now,
                    expires_at=expires,
                    seal=seal,
                )
            )
            change.tell(AuditEvent(Action.TOKEN_CREATE, origin=origin, subject=token_id))
        return f"cs_{token_id}_{secret}", token

    def all(self) -> list[Token]:
        """Every token there is or was, oldest first; those that were tampered with are not `intact`."""
        table = token_schema.tokens
        with self._database.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.created_at, table.c.token_id)).mappings().all()
        return [self._read(row) for row in rows]

    def any(self) -> bool:
        """Whether a token was ever made here."""
        with self._database.reading() as connection:
            return bool(connection.execute(select(func.count()).select_from(token_schema.tokens)).scalar_one())

    def revoke(self, token_id: str, *, origin: Origin = NOBODY) -> Token:
        """Close a token for good; one that is revoked already stays as it is. Raises NotFound."""
        table = token_schema.tokens
        open_one = update(table).where(table.c.token_id == token_id, table.c.revoked_at.is_(None))
        with self._recorder.writing() as change:
            if change.connection.execute(open_one.values(revoked_at=self._clock())).rowcount:
                change.tell(AuditEvent(Action.TOKEN_REVOKE, origin=origin, subject=token_id))
            wanted = select(table).where(table.c.token_id == token_id)
            row = change.connection.execute(wanted).mappings().one_or_none()
        if row is None:
            raise NotFound(
                "there is no token of this id", field="token_id", fix="see `countersign token list` for the ids"
            )
        destroy_seal(self._keys, token_id)
        return self._read(row)

    def _read(self, row: RowMapping) -> Token:
        revoked = row["revoked_at"] is not None
        # Of one that is revoked there is no key left to check the row with, and nothing that it opens.
        intact = revoked or token_is_intact(
            self._keys,
            row["seal"],
            row["token_id"],
            row["name"],
            bytes(row["secret_hash"]),
            row["grants"],
            row["created_at"],
            row["expires_at"],
        )
        try:
            grants = Grants.from_json(row["grants"])
        except StoreCorrupt:
            grants, intact = NOTHING, False
        return Token(
            row["token_id"],
            row["name"],
            bytes(row["secret_hash"]),
            grants,
            _in_utc(row["created_at"]),
            None if row["expires_at"] is None else _in_utc(row["expires_at"]),
            _in_utc(row["revoked_at"]) if revoked else None,
            intact,
        )

    def secret(self, name: str) -> bytes:
        """The 32 random bytes kept under `name`, drawn when they are first asked for."""
        table = token_schema.secrets
        wanted = select(table.c.value).where(table.c.name == name)
        with self._database.reading() as connection:
            found = connection.execute(wanted).scalar_one_or_none()
        if found is not None:
            return bytes(found)
        with self._database.writing() as connection:
            try:
                with connection.begin_nested():
                    connection.execute(insert(table).values(name=name, value=secrets.token_bytes(_SECRET_BYTES)))
            except IntegrityError:  # another replica was first
                pass
            return bytes(connection.execute(wanted).scalar_one())


def _in_utc(moment: datetime) -> datetime:
    """SQLite gives back the time without its zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
