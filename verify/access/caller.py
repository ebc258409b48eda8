"""Who is asking: set once for every call, read by whatever decides, limits or records.

The context variable travels with the call, onto its worker thread too. Where nothing set it, nobody is asking, who may
do nothing: code that forgets to authenticate gives no access away.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from enroll.access.grants import EVERYTHING, NOTHING, Grants, Scope


@dataclass(frozen=True, slots=True)
class Caller:
    """Attributes
    ----------
    name : the token's name, chosen by the operator; ``anonymous`` where no token is asked for.
    token_id : 16 hex digits, or None without a token.
    grants : what the caller may do.
    """

    name: str
    token_id: str | None = None
    grants: Grants = NOTHING

    def may(self, scope: Scope, collection: str) -> bool:
        return self.grants.allow(scope, collection)


NOBODY = Caller("nobody")
"""May do nothing."""

ANONYMOUS = Caller("anonymous", grants=EVERYTHING)
"""Whoever reaches a service that asks for no token: on loopback, the users of this machine. May do everything."""

_current: ContextVar[Caller] = ContextVar("countersign_caller", default=NOBODY)


def current_caller() -> Caller:
    """The caller of the call under way; NOBODY outside of one."""
    return _current.get()


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    """Let `caller` be the current one while the block runs."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)
