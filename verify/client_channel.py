"""The client's channel: in the clear on this machine, encrypted and authenticated beyond it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc

from encode.errors import ConfigError
from verify.address import LOOPBACK
from verify.messages import MAX_MESSAGE_BYTES
from verify.settings import ClientSettings


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


def open_channel(address: str, tls: ClientTls | None, *, secret: bool) -> grpc.Channel:
    """A channel to ``host:port``; `secret` if what it carries must not be sent in the clear beyond this machine.

    Raises
    ------
    ConfigError : it would be, or a PEM file cannot be read.
    """
    loopback = address.rpartition(":")[0].strip("[]") in LOOPBACK
    options: list[tuple[str, int | str]] = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    if loopback:
        # A proxy named by the environment would look for this machine's service on itself.
        options.append(("grpc.enable_http_proxy", 0))
    if tls is None:
        if secret and not loopback:
            raise ConfigError(
                "a token would be sent in the clear",
                field="tls_ca",
                fix="give --tls-ca with the service's certificate, or --tls for one that a public authority signed",
            )
        return grpc.insecure_channel(address, options=options)
    if (tls.certificate is None) != (tls.key is None):
        raise ConfigError("a certificate needs its key", field="tls_key", fix="give --tls-cert and --tls-key")
    if tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read(tls.ca, "tls_ca"),
        private_key=_read(tls.key, "tls_key"),
        certificate_chain=_read(tls.certificate, "tls_cert"),
    )
    return grpc.secure_channel(address, credentials, options=options)


def _read(path: Path | None, setting: str) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", field=setting) from error
