"""What must be in place before the service binds an address that others can reach: TLS, and tokens.

    on loopback          anybody who can use this machine may call, until a token is made; then callers need one
    beyond loopback      TLS and tokens, or the service does not start

`insecure_plaintext` is for a service mesh or a proxy that encrypts in the service's place: it drops the demand for TLS,
never the one for tokens.
"""

from encode.errors import ConfigError
from enroll.access.tokens import TokenStore
from verify.settings import ServiceSettings, how_to_set

_MAKE_ONE = (
    "make one: `countersign init DIR` for a certificate and a first token, or `countersign token create NAME --scope "
    "admin:*`"
)


def tokens_required(settings: ServiceSettings, tokens: TokenStore | None) -> bool:
    """Whether callers need a token, once it is certain that the service may be started.

    `tokens` is None where the database keeps none.

    Raises
    ------
    ConfigError : the address is reachable from elsewhere without TLS or without tokens, or tokens are demanded and
        there is none.
    StoreUnavailable : the tokens cannot be read.
    """
    if not settings.loopback:
        if settings.access == "open":
            raise ConfigError(
                f"{settings.host} can be reached from other machines, and calls without a token are to be answered",
                field="access",
                fix="leave the setting out, or listen on 127.0.0.1",
            )
        if settings.tls is None and not settings.insecure_plaintext:
            raise ConfigError(
                f"{settings.host} can be reached from other machines, and there is no TLS",
                field="tls_cert",
                fix=f"make a key pair with `countersign init DIR`, and {how_to_set('tls_cert')}, the key likewise; or "
                f"listen on 127.0.0.1; or, behind a proxy or mesh that encrypts, {how_to_set('insecure_plaintext')}",
            )
    elif settings.access == "open":
        return False
    made = tokens is not None and tokens.any()
    if settings.loopback and settings.access is None:
        return made
    if tokens is None:
        raise ConfigError(
            "callers need a token, and a database in memory keeps none",
            field="database",
            fix=f"name a file or a server; {how_to_set('database')}",
        )
    if not made:
        raise ConfigError("callers need a token, and none has been made yet", field="access", fix=_MAKE_ONE)
    return True
