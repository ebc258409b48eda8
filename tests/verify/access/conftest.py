"""Services that ask for tokens and speak TLS, on databases of their own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from encode.sample import Modality
from enroll.access.grants import Grant, Grants
from enroll.access.tokens import TokenStore
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.tls.certificates import write_key_pair
from verify.tls.files import TlsFiles

MakeToken = Callable[..., str]
MakePair = Callable[..., TlsFiles]


@pytest.fixture(scope="module")
def sql_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A database of this module's own."""
    place = StorePlace(str(tmp_path_factory.mktemp("store") / "people.sqlite"))
    with closing(open_sql_store(place)) as store:
        yield store


@pytest.fixture(scope="module")
def make_token(sql_store: SqlStore) -> MakeToken:
    """``make_token("verify:staff", ..., lifetime=...)``: the text of a new token in `sql_store`."""

    def make(*scopes: str, name: str = "kiosk", lifetime: timedelta | None = None) -> str:
        grants = Grants.of(Grant.parse(scope) for scope in scopes)
        return TokenStore(sql_store.database, sql_store.keys).create(name, grants, lifetime=lifetime)[0]

    return make


@pytest.fixture(scope="module")
def everything(make_token: MakeToken) -> str:
    """A token that may do everything."""
    return make_token("verify:*", "enroll:*", "admin:*", name="root")


@pytest.fixture(scope="module")
def closed(models: Mapping[Modality, Model], sql_store: SqlStore, everything: str) -> Iterator[str]:
    """``host:port`` of a service that asks for tokens, without limits."""
    settings = ServiceSettings(
        port=0, access="tokens", calls_per_second=0, stranger_calls_per_second=0, lockout_rejections=0
    )
    with serving(models, sql_store, settings) as address:
        yield address


@pytest.fixture
def make_pair(tmp_path: Path) -> MakePair:
    """``make_pair("name")``: PEM files of a new key pair for localhost and 127.0.0.1."""

    def make(name: str) -> TlsFiles:
        files = TlsFiles(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        write_key_pair(files.certificate, files.key, ["localhost", "127.0.0.1"])
        return files

    return make


@pytest.fixture
def client_pair(tmp_path: Path) -> Callable[..., TlsFiles]:
    """``client_pair("name")``: a caller's certificate and key, and in `client_ca` the authority that signed it."""

    def make(name: str) -> TlsFiles:
        now = datetime.now(UTC)
        authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {name}")])
        begun = (
            x509.CertificateBuilder()
            .issuer_name(authority)
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
        )
        root = (
            begun.subject_name(authority)
            .serial_number(1)
            .public_key(authority_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(authority_key, hashes.SHA256())
        )
        leaf = (
            begun.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .serial_number(2)
            .public_key(key.public_key())
            .sign(authority_key, hashes.SHA256())
        )
        files = TlsFiles(tmp_path / f"{name}.pem", tmp_path / f"{name}.key", tmp_path / f"{name}-ca.pem")
        files.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (tmp_path / f"{name}-ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
        return files

    return make
