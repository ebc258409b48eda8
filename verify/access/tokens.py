"""From the authorization metadata of a call to its caller.

All tokens are held in memory and read again once that is two seconds ago: a new token opens, and a revoked one closes,
within that time in every running service, and whoever sends tokens that do not exist costs the database nothing. Expiry
is checked at every call. While the database cannot be read, what was last read goes on counting for half a minute; then
nobody is let in until it can.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from encode.errors import StoreError, TokenInvalid
from enroll.access.grants import NOTHING
from enroll.access.tokens import Token, TokenStore, matches, split_token
from verify.access.caller import Caller
from verify.logging import get_logger

HEADER = "authorization"
FRESH_SECONDS = 2.0
STALE_SECONDS = 30.0
_SCHEME = "bearer"

_NOBODYS = Token("0" * 16, "", bytes(32), NOTHING, datetime.min.replace(tzinfo=UTC), None, None)
"""What an unknown id is compared with, so that it takes as long as a known one."""


class TokenCheck:
    """Knows the callers by their tokens. Used from one event loop.

    Parameters
    ----------
    clock : seconds of a monotonic clock. now : the time in UTC.
    """

    def __init__(
        self,
        store: TokenStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._clock = clock
        self._now = now
        self._tokens: Mapping[str, Token] = {}
        self._read_at = -float("inf")
        self._reading: asyncio.Task[None] | None = None

    async def caller(self, metadata: Sequence[tuple[str, str | bytes]]) -> Caller:
        """The caller whose token the metadata of a call carries.

        Raises
        ------
        TokenInvalid : there is no token, or one that opens nothing; the message never says which part is wrong.
        StoreError : the tokens cannot be read.
        """
        text = _bearer(metadata)
        await self._refresh()
        parts = split_token(text)
        token_id, secret = parts if parts is not None else ("", "")
        token = self._tokens.get(token_id, _NOBODYS)
        if not (matches(token, secret) and token.valid(self._now())):
            raise TokenInvalid(
                "the token is not valid: unknown, expired or revoked", fix="ask the operator for a new token"
            )
        return Caller(token.name, token.token_id, token.grants)

    async def _refresh(self) -> None:
        if self._clock() - self._read_at < FRESH_SECONDS:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        # One reading for all calls that wait for it; a caller who goes away does not take it along.
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        started = self._clock()
        try:
            listed = await asyncio.to_thread(self._store.all)
        except StoreError as error:
            if started - self._read_at > STALE_SECONDS:
                raise
            get_logger().error("tokens_not_read", reason=error.reason, message=error.message)
            return
        for token in listed:
            if not token.intact:
                get_logger().error(
                    "token_changed",
                    token_id=token.token_id,
                    advice="the row of the table tokens is "
                    "not what was written: it opens nothing; find out who can write the database",
                )
        self._tokens = {token.token_id: token for token in listed}
        self._read_at = started


def _bearer(metadata: Sequence[tuple[str, str | bytes]]) -> str:
    sent = [value for key, value in metadata if key == HEADER]
    if not sent:
        raise TokenInvalid("the call carries no token", fix=f"send `{HEADER}: Bearer cs_...` in the call's metadata")
    # Two headers may be read differently by a proxy in between: neither counts.
    scheme, _, text = str(sent[0]).partition(" ") if len(sent) == 1 else ("", "", "")
    if scheme.lower() != _SCHEME:
        raise TokenInvalid("the authorization is not one bearer token", fix=f"send `{HEADER}: Bearer cs_...` once")
    return text
