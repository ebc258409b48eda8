"""Services that ask for tokens and speak TLS, on databases of their own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

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
        return TokenStore(sql_store.database).create(name, grants, lifetime=lifetime)[0]

    return make


@pytest.fixture(scope="module")
def everything(make_token: MakeToken) -> str:
    """A token that may do everything."""
    return make_token("verify:*", "enroll:*", "admin:*", name="root")


@pytest.fixture(scope="module")
def closed(models: Mapping[Modality, Model], sql_store: SqlStore, everything: str) -> Iterator[str]:
    """``host:port`` of a service that asks for tokens, without limits."""
    settings = ServiceSettings(port=0, access="tokens", calls_per_second=0, lockout_rejections=0)
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
