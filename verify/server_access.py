"""Access as a running server has it, put together from the settings and the store's tokens."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from encode.sample import Modality
from enroll.access.tokens import TokenStore
from enroll.keys.envelope import KEY_BYTES
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore
from verify.access.caller import Caller
from verify.access.claims import Claims
from verify.access.decoy import Decoys
from verify.access.exposure import tokens_required
from verify.access.limits import RateLimits
from verify.access.peers import Strangers
from verify.access.tokens import TokenCheck
from verify.model import Model
from verify.service_access import AccessInterceptor, AnyCaller
from verify.settings import ServiceSettings
from verify.verifier import Verifier

DECOY_SECRET = "decoys"  # noqa: S105 - what a secret is for


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """`closed`: callers need a token."""

    closed: bool
    interceptor: AccessInterceptor
    claims: Claims


def server_access(
    settings: ServiceSettings,
    store: TemplateStore,
    models: Mapping[Modality, Model],
    verifier: Verifier,
    room: Callable[[Caller], None] = lambda _: None,
) -> ServerAccess:
    """`room` raises ServiceOverloaded where there is no worker for another call of a caller.

    Raises ConfigError unless the settings may be served (:mod:`verify.access.exposure`), StoreError.
    """
    tokens = TokenStore(store.database, store.keys) if isinstance(store, SqlStore) else None
    closed = tokens_required(settings, tokens)
    limits = RateLimits(settings.calls_per_second) if settings.calls_per_second else None
    if closed and tokens is not None:
        strangers = Strangers(settings.stranger_calls_per_second) if settings.stranger_calls_per_second else None
        interceptor = AccessInterceptor(TokenCheck(tokens), limits, strangers, room)
        key = tokens.secret(DECOY_SECRET)
    else:
        interceptor = AccessInterceptor(AnyCaller(), limits, None, room)
        key = secrets.token_bytes(KEY_BYTES)
    claims = Claims(verifier, Decoys(models, key), rejections=settings.lockout_rejections)
    return ServerAccess(closed, interceptor, claims)
