"""Every way in at once, TLS with callers' certificates and tokens: one thing that is wrong is enough to be refused."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from encode.errors import CountersignError, ScopeMissing, ServiceUnavailable, TokenInvalid
from encode.sample import ImageSample, Modality
from enroll.access.tokens import TokenStore
from enroll.stores.sql import SqlStore
from verify.client.channel import ClientTls
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.tls.files import TlsFiles

MakePair = Callable[..., TlsFiles]


@pytest.mark.parametrize(
    ("shown", "carried", "refusal"),
    [
        ("right", "right", None),
        ("plaintext", "right", ServiceUnavailable),
        ("untrusting", "right", ServiceUnavailable),
        ("none", "right", ServiceUnavailable),
        ("wrong", "right", ServiceUnavailable),
        ("service's own", "right", ServiceUnavailable),
        ("right", "none", TokenInvalid),
        ("right", "forged", TokenInvalid),
        ("right", "expired", TokenInvalid),
        ("right", "revoked", TokenInvalid),
        ("right", "of another collection", ScopeMissing),
        ("right", "of another scope", ScopeMissing),
    ],
)
def test_one_wrong_thing_is_enough_to_be_refused(
    models: Mapping[Modality, Model],
    sql_store: SqlStore,
    make_token: Callable[..., str],
    make_pair: MakePair,
    client_pair: Callable[..., TlsFiles],
    face: Callable[..., ImageSample],
    shown: str,
    carried: str,
    refusal: type[CountersignError] | None,
) -> None:
    """Certificate and token, each in every way that it can be wrong while the other is right."""
    pair, other, right, wrong = make_pair("service"), make_pair("other"), client_pair("right"), client_pair("wrong")
    tls = {
        "right": ClientTls(pair.certificate, right.certificate, right.key),
        "plaintext": None,
        "untrusting": ClientTls(other.certificate, right.certificate, right.key),
        "none": ClientTls(pair.certificate),
        "wrong": ClientTls(pair.certificate, wrong.certificate, wrong.key),
        "service's own": ClientTls(pair.certificate, pair.certificate, pair.key),
    }[shown]
    token = make_token("verify:staff", "enroll:staff")
    tokens = {
        "right": token,
        "none": None,
        "forged": token[:-1] + ("0" if token[-1] != "0" else "1"),
        "expired": make_token("verify:staff", lifetime=timedelta(seconds=-1)),
        "revoked": make_token("verify:staff"),
        "of another collection": make_token("verify:visitors"),
        "of another scope": make_token("enroll:staff", "admin:*"),
    }
    TokenStore(sql_store.database, sql_store.keys).revoke(str(tokens["revoked"]).split("_")[1])
    settings = ServiceSettings(
        port=0, access="tokens", tls_cert=pair.certificate, tls_key=pair.key, tls_client_ca=right.client_ca
    )
    with serving(models, sql_store, settings) as address:
        with Client(address, tls=ClientTls(pair.certificate, right.certificate, right.key), token=token) as client:
            client.enroll("staff", f"{shown} {carried}", [face(1)])
        with Client(address, tls=tls, token=tokens[carried], timeout=10) as client:
            if refusal is None:
                assert client.verify("staff", f"{shown} {carried}", [face(1, 1)]).accepted
                return
            with pytest.raises(refusal):
                client.verify("staff", f"{shown} {carried}", [face(1, 1)])
