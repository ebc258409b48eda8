"""TLS on real sockets: who gets through, who does not, and a certificate that changes while the service runs."""

import os
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from encode.errors import ConfigError, ServiceUnavailable
from encode.sample import Modality
from enroll.stores.memory import MemoryStore
from verify.client.channel import ClientTls
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.tls.certificates import write_key_pair
from verify.tls.files import LOOK_SECONDS, TlsFiles, WatchedKeyPair

MakePair = Callable[..., TlsFiles]


def settings_of(pair: TlsFiles, client_ca: Path | None = None) -> ServiceSettings:
    return ServiceSettings(port=0, tls_cert=pair.certificate, tls_key=pair.key, tls_client_ca=client_ca)


def reaches(address: str, tls: ClientTls | None) -> bool:
    with Client(address, tls=tls, timeout=5) as client:
        try:
            return client.healthy()
        except ServiceUnavailable:
            return False


def test_only_who_trusts_the_certificate_and_speaks_tls_gets_through(
    models: Mapping[Modality, Model], make_pair: MakePair
) -> None:
    pair, other = make_pair("service"), make_pair("other")
    with serving(models, MemoryStore(), settings_of(pair)) as address:
        assert reaches(address, ClientTls(pair.certificate))
        assert not reaches(address, ClientTls(other.certificate))
        assert not reaches(address, ClientTls())  # trusts public authorities alone
        assert not reaches(address, None)  # plaintext to a TLS port
    with serving(models, MemoryStore()) as address:
        assert not reaches(address, ClientTls(pair.certificate))  # TLS to a plaintext port


@pytest.mark.parametrize(
    ("trusts_other", "told"), [(True, "its certificate is not trusted"), (False, "--tls-ca if it")]
)
def test_who_does_not_get_through_for_tls_is_told_so(
    models: Mapping[Modality, Model], make_pair: MakePair, trusts_other: bool, told: str
) -> None:
    tls = ClientTls(make_pair("other").certificate) if trusts_other else None
    with (
        serving(models, MemoryStore(), settings_of(make_pair("service"))) as address,
        Client(address, tls=tls, timeout=5) as client,
        pytest.raises(ServiceUnavailable, match=told),
    ):
        client.healthy()


def test_the_name_asked_for_must_be_the_certificates(
    models: Mapping[Modality, Model], make_pair: MakePair, tmp_path: Path
) -> None:
    files = TlsFiles(tmp_path / "bank.pem", tmp_path / "bank.key")
    write_key_pair(files.certificate, files.key, ["10.0.0.9", "verify.bank.example"])
    with serving(models, MemoryStore(), settings_of(files)) as address:
        assert not reaches(address, ClientTls(files.certificate))
        assert reaches(address, ClientTls(files.certificate, server_name=files.server_name()))
    assert files.server_name() == "verify.bank.example"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_old_versions_of_tls_are_refused(
    models: Mapping[Modality, Model], make_pair: MakePair, version: ssl.TLSVersion
) -> None:
    pair = make_pair("service")
    context = ssl.create_default_context(cafile=str(pair.certificate))
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    spoken: str | None = None
    with serving(models, MemoryStore(), settings_of(pair)) as address:
        host, port = address.rsplit(":", 1)
        try:
            with (
                socket.create_connection((host, int(port))) as raw,
                context.wrap_socket(raw, server_hostname="localhost") as wrapped,
            ):
                spoken = wrapped.version()
        except (ssl.SSLError, ConnectionError):
            spoken = None
    assert spoken == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}.get(version)


@pytest.mark.parametrize("shown", ["right", "wrong", "none"])
def test_mutual_tls_lets_in_who_shows_a_certificate_of_the_authority(
    models: Mapping[Modality, Model], make_pair: MakePair, client_pair: Callable[..., TlsFiles], shown: str
) -> None:
    pair, right, wrong = make_pair("service"), client_pair("right"), client_pair("wrong")
    mine = {"right": right, "wrong": wrong, "none": None}[shown]
    tls = ClientTls(pair.certificate, *(() if mine is None else (mine.certificate, mine.key)))
    with serving(models, MemoryStore(), settings_of(pair, right.client_ca)) as address:
        assert reaches(address, tls) == (shown == "right")


def test_a_running_service_takes_up_a_new_pair_without_dropping_connections(
    models: Mapping[Modality, Model], make_pair: MakePair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verify.tls.files.LOOK_SECONDS", 0.0)
    pair = make_pair("service")
    before = tmp_path / "before.pem"
    before.write_bytes(pair.certificate.read_bytes())
    with serving(models, MemoryStore(), settings_of(pair)) as address:
        with Client(address, tls=ClientTls(before), timeout=5) as connected:
            assert connected.healthy()
            write_key_pair(pair.certificate, pair.key, ["localhost", "127.0.0.1"])
            assert reaches(address, ClientTls(pair.certificate))
            assert not reaches(address, ClientTls(before))
            assert connected.healthy()  # on the connection it has
        pair.key.write_bytes(b"half written")
        assert reaches(address, ClientTls(pair.certificate))


def test_what_cannot_be_used_is_logged_and_the_pair_before_it_stays(make_pair: MakePair, log: StringIO) -> None:
    seconds = 0.0
    pair, other = make_pair("service"), make_pair("other")
    watched = WatchedKeyPair(pair, clock=lambda: seconds)
    first = watched.current
    assert watched.changed() is None
    pair.certificate.write_bytes(other.certificate.read_bytes())
    assert watched.changed() is None  # looked at a moment ago
    seconds += LOOK_SECONDS
    assert watched.changed() is None
    assert watched.current is first
    assert '"certificate_not_read"' in log.getvalue()
    pair.key.write_bytes(other.key.read_bytes())
    seconds += LOOK_SECONDS
    changed = watched.changed()
    assert changed is watched.current is not first
    assert changed is not None
    assert changed.certificate == other.certificate.read_bytes()
    pair.certificate.unlink()
    seconds += LOOK_SECONDS
    assert watched.changed() is None
    assert watched.current is changed


def test_a_certificate_that_ends_soon_is_told(make_pair: MakePair, tmp_path: Path, log: StringIO) -> None:
    WatchedKeyPair(make_pair("fresh"))
    assert "certificate_expires" not in log.getvalue()
    old = TlsFiles(tmp_path / "old.pem", tmp_path / "old.key")
    write_key_pair(old.certificate, old.key, ["localhost"], now=datetime.now(UTC) - timedelta(days=380))
    WatchedKeyPair(old)
    assert "certificate_expires" in log.getvalue()


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("tls_cert", lambda pair, other: pair.certificate.unlink()),
        ("tls_cert", lambda pair, other: pair.certificate.write_bytes(b"text")),
        ("tls_key", lambda pair, other: pair.key.write_bytes(b"text")),
        ("tls_key", lambda pair, other: pair.key.write_bytes(other.key.read_bytes())),
    ],
)
def test_a_service_does_not_start_on_a_pair_that_is_none(
    models: Mapping[Modality, Model], make_pair: MakePair, field: str, spoil: Callable[[TlsFiles, TlsFiles], object]
) -> None:
    pair = make_pair("service")
    spoil(pair, make_pair("other"))
    with pytest.raises(ConfigError) as caught, serving(models, MemoryStore(), settings_of(pair)):
        pass
    assert caught.value.field == field


def test_an_authority_that_is_none_is_refused(
    models: Mapping[Modality, Model], make_pair: MakePair, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(b"text")
    with (
        pytest.raises(ConfigError) as caught,
        serving(models, MemoryStore(), settings_of(make_pair("service"), tmp_path / "ca.pem")),
    ):
        pass
    assert caught.value.field == "tls_client_ca"


@pytest.mark.parametrize(
    ("given", "missing"), [("tls_cert", "tls_key"), ("tls_key", "tls_cert"), ("tls_client_ca", "tls_cert")]
)
def test_half_a_pair_is_refused(given: str, missing: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _ = ServiceSettings.model_validate({given: tmp_path / "x.pem"}).tls
    assert caught.value.field == missing


def test_the_key_is_its_owners_alone(make_pair: MakePair) -> None:
    pair = make_pair("service")
    assert os.stat(pair.key).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("address", ["bank.example:443", "10.1.2.3:50051"])
def test_a_client_does_not_send_a_token_in_the_clear_beyond_this_machine(address: str) -> None:
    with pytest.raises(ConfigError, match="in the clear"):
        Client(address, token="cs_x")  # noqa: S106
    Client(address).close()
    Client(address, token="cs_x", insecure_plaintext=True).close()  # noqa: S106
    Client("127.0.0.1:50051", token="cs_x").close()  # noqa: S106


def test_a_client_names_the_file_it_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing") as caught:
        Client("127.0.0.1:1", tls=ClientTls(tmp_path / "missing.pem"))
    assert caught.value.field == "tls_ca"
    with pytest.raises(ConfigError, match="needs its key"):
        Client("127.0.0.1:1", tls=ClientTls(certificate=tmp_path / "mine.pem"))
