"""The client's channel: in the clear on this machine, encrypted and authenticated beyond it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc

from encode.errors import ConfigError
from verify.address import LOOPBACK
from verify.client.retries import retry_options
from verify.messages import MAX_MESSAGE_BYTES
from verify.settings import ClientSettings

_Options = list[tuple[str, int | str]]


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Attributes
    ----------
    ca : PEM file of whom to trust; None trusts the authorities that gRPC knows.
    certificate, key : PEM files of the caller's own pair, for services that ask for one; both or neither.
    server_name : the name the service's certificate must have, where it is not the address's.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    @classmethod
    def of(cls, settings: ClientSettings) -> Self | None:
        """What the settings ask for; None if no TLS."""
        if not settings.tls and settings.tls_ca is None and settings.tls_cert is None:
            return None
        return cls(settings.tls_ca, settings.tls_cert, settings.tls_key)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call and how, for a channel of either kind.

    Attributes
    ----------
    address : ``host:port``.
    timeout : seconds a call may take.
    token : ``cs_...``, for a service that asks for one.
    tls : how to encrypt; None sends in the clear.
    insecure_plaintext : send a token beyond loopback without TLS all the same.
    """

    address: str
    timeout: float = 30.0
    token: str | None = None
    tls: ClientTls | None = None
    insecure_plaintext: bool = False

    @classmethod
    def of(cls, settings: ClientSettings) -> Self:
        """The one that the settings describe."""
        return cls(
            settings.address,
            timeout=settings.timeout_seconds,
            token=None if settings.token is None else settings.token.get_secret_value(),
            tls=ClientTls.of(settings),
            insecure_plaintext=settings.insecure_plaintext,
        )

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries beside its message."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    def open(self) -> grpc.Channel:
        """A channel whose calls block. Raises ConfigError as :meth:`_secured` does."""
        options, credentials = self._secured()
        if credentials is None:
            return grpc.insecure_channel(self.address, options=options)
        return grpc.secure_channel(self.address, credentials, options=options)

    def open_async(self) -> grpc.aio.Channel:
        """A channel whose calls are awaited, in the running event loop. Raises ConfigError."""
        options, credentials = self._secured()
        if credentials is None:
            return grpc.aio.insecure_channel(self.address, options=options)
        return grpc.aio.secure_channel(self.address, credentials, options=options)

    def _secured(self) -> tuple[_Options, grpc.ChannelCredentials | None]:
        """The options of a channel and its credentials, None in the clear.

        Raises
        ------
        ConfigError : a token would be sent in the clear beyond this machine, or a PEM file cannot be read.
        """
        loopback = self.address.rpartition(":")[0].strip("[]") in LOOPBACK
        options: _Options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), *retry_options()]
        if loopback:
            # A proxy named by the environment would look for this machine's service on itself.
            options.append(("grpc.enable_http_proxy", 0))
        tls = self.tls
        if tls is None:
            if self.token is not None and not self.insecure_plaintext and not loopback:
                raise ConfigError(
                    "a token would be sent in the clear",
                    field="tls_ca",
                    fix="give --tls-ca with the service's certificate, or --tls for one that a public authority signed",
                )
            return options, None
        if (tls.certificate is None) != (tls.key is None):
            raise ConfigError("a certificate needs its key", field="tls_key", fix="give --tls-cert and --tls-key")
        if tls.server_name is not None:
            options.append(("grpc.ssl_target_name_override", tls.server_name))
        return options, grpc.ssl_channel_credentials(
            root_certificates=_read(tls.ca, "tls_ca"),
            private_key=_read(tls.key, "tls_key"),
            certificate_chain=_read(tls.certificate, "tls_cert"),
        )


def _read(path: Path | None, setting: str) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", field=setting) from error
