"""What damaged files once did, each kept as a case of its own."""

import base64
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from encode.errors import ConfigError, StoreCorrupt
from encode.sample import Modality
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.template import Template
from verify.tls.certificates import write_key_pair
from verify.tls.files import TlsFiles

NOW = datetime(2025, 3, 1, tzinfo=UTC)
PERSON = "Lovelace"


@pytest.fixture
def place(tmp_path: Path) -> StorePlace:
    """A store with one person."""
    place = StorePlace(str(tmp_path / "people.sqlite"))
    empty = Template.empty("staff", PERSON, Modality.FACE, "a" * 64, size=8, now=NOW)
    rows = np.ones((2, 8), np.float32)
    with closing(open_sql_store(place)) as store:
        store.save(
            [empty.with_references(rows, anchors_capacity=2, recent_capacity=2, now=NOW)], answer=b"", request=None
        )
    return place


def test_an_id_that_is_no_text_is_told_without_being_quoted(place: StorePlace) -> None:
    with closing(sqlite3.connect(place.database)) as connection:
        for table in ("people", "templates"):
            connection.execute(f"UPDATE {table} SET person = CAST(person || x'ff' AS TEXT)")  # noqa: S608
        connection.commit()
    with closing(open_sql_store(place)) as store, pytest.raises(StoreCorrupt, match="text is none") as caught:
        store.list_people("staff", limit=10)
    assert PERSON not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_schema_that_is_no_text_is_an_error_of_ours(place: StorePlace) -> None:
    file = Path(place.database)
    data = file.read_bytes()
    assert b"CREATE TABLE store_info" in data
    file.write_bytes(data.replace(b"store_info", b"sto\xdbe_info"))
    with pytest.raises(StoreCorrupt, match="damaged"):
        open_sql_store(place)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")),  # id-ecPublicKey, and of no known kind
        (bytes.fromhex("03420004"), bytes.fromhex("03420009")),  # a point, and in no known form
    ],
    ids=["another kind of key", "a point that is none"],
)
def test_a_certificate_for_a_key_that_is_none_is_an_error_of_ours(tmp_path: Path, old: bytes, new: bytes) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_key_pair(certificate, key, ["localhost"])
    der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
    assert der.count(old) == 1
    body = base64.encodebytes(der.replace(old, new)).decode()
    certificate.write_text(f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigError, match="key of no known kind") as caught:
        TlsFiles(certificate, key).read()
    assert caught.value.field == "tls_cert"
