"""The service's certificate and key as files, read again when they change.

    tls_cert        PEM: the service's certificate first, then those that lead to the root
    tls_key         PEM: its private key, not encrypted
    tls_client_ca   PEM: who signs callers' certificates; if given, a caller without one cannot even connect

The files are looked at when a connection is made, once a second at most. What cannot be used, a certificate whose key
has not been written yet for example, is logged, and the pair before it goes on serving.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from encode.errors import ConfigError
from verify.logging import get_logger

LOOK_SECONDS = 1.0
EXPIRES_SOON = timedelta(days=30)

_Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """PEM bytes, checked: the key is the certificate's. `expires` is the first certificate's end, in UTC."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    expires: datetime


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the PEM files are."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def read(self) -> KeyPair:
        """Raises ConfigError, naming the setting at fault."""
        certificate = _read(self.certificate, "tls_cert")
        key = _read(self.key, "tls_key")
        client_ca = None if self.client_ca is None else _read(self.client_ca, "tls_client_ca")
        first = _certificates(certificate, self.certificate, "tls_cert")[0]
        if client_ca is not None and self.client_ca is not None:
            _certificates(client_ca, self.client_ca, "tls_client_ca")
        try:
            private = serialization.load_pem_private_key(key, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"{self.key} holds no private key in PEM without a password", field="tls_key") from error
        try:
            certified = _public(first.public_key())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"{self.certificate} is for a key of no known kind", field="tls_cert") from error
        if _public(private.public_key()) != certified:
            raise ConfigError(
                f"the key in {self.key} is not that of the first certificate in {self.certificate}",
                field="tls_key",
                fix="name the files of one pair",
            )
        return KeyPair(certificate, key, client_ca, first.not_valid_after_utc)

    def server_name(self) -> str:
        """A name or an address that the certificate is for. Raises ConfigError."""
        first = _certificates(_read(self.certificate, "tls_cert"), self.certificate, "tls_cert")[0]
        try:
            names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError):
            names = None
        # Names before addresses; one with an asterisk stands for any name in that place.
        ordered = sorted(names or (), key=lambda name: not isinstance(name, x509.DNSName))
        found = [str(name.value).replace("*", "countersign", 1) for name in ordered]
        if not found:
            raise ConfigError(f"{self.certificate} names no host it is for", field="tls_cert")
        return found[0]

    def signature(self) -> _Signature:
        """Changes whenever one of the files does."""
        return tuple(None if path is None else _stat(path) for path in (self.certificate, self.key, self.client_ca))


class WatchedKeyPair:
    """The newest usable pair of some files. Safe to use from several threads.

    Raises
    ------
    ConfigError : there is no usable pair to begin with.
    """

    def __init__(self, files: TlsFiles, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._clock = clock
        self._lock = Lock()
        self._seen = files.signature()
        self._looked_at = clock()
        self.current = files.read()
        _tell_expiry(self.current)

    def changed(self) -> KeyPair | None:
        """The new pair, if there is one since the last call."""
        with self._lock:
            now = self._clock()
            if now - self._looked_at < LOOK_SECONDS:
                return None
            self._looked_at = now
            signature = self._files.signature()
            if signature == self._seen:
                return None
            self._seen = signature
            try:
                self.current = self._files.read()
            except ConfigError as error:
                get_logger().warning("certificate_not_read", setting=error.field, why=error.message)
                return None
            get_logger().info("certificate_read", expires=self.current.expires.isoformat())
            _tell_expiry(self.current)
            return self.current


def _tell_expiry(pair: KeyPair) -> None:
    if pair.expires - datetime.now(UTC) < EXPIRES_SOON:
        get_logger().warning(
            "certificate_expires", at=pair.expires.isoformat(), advice="write a new pair to the same files"
        )


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            field=setting,
            fix="check the path and its permissions; `countersign init DIR` makes a key pair",
        ) from error


def _certificates(data: bytes, path: Path, setting: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise ConfigError(f"{path} holds no certificate in PEM", field=setting) from error


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
