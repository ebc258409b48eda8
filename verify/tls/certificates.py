"""A key pair and a certificate that signs itself: enough to encrypt from the first minute on, and to pin in clients.

EC key on P-256; the certificate is its own authority, for servers alone, and names the hosts it is for.
"""

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=397)
"""What browsers accept at most; nothing here needs it longer, as a new pair is read without a restart."""

_CLOCKS_APART = timedelta(minutes=5)


def write_key_pair(certificate: Path, key: Path, hosts: Sequence[str], *, now: datetime | None = None) -> datetime:
    """Write a new pair for `hosts` (names and addresses, at least one) and return when it expires.

    Files that are there are replaced whole, the key first, readable by their owner only (the key) and by everybody (the
    certificate). Raises OSError.
    """
    begin = datetime.now(UTC) if now is None else now
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "countersign")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _CLOCKS_APART)
        .not_valid_after(begin + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    encoded = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    replace_file(key, encoded, mode=0o600)
    replace_file(certificate, signed.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return signed.not_valid_after_utc


def replace_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write a whole file, or nothing, with `mode` from the first byte on. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
