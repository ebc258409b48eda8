"""The service starts on loopback with nothing, and beyond it with TLS and tokens or not at all."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from encode.errors import ConfigError, TokenInvalid
from encode.sample import ImageSample, Modality
from enroll.access.grants import EVERYTHING
from enroll.access.tokens import TokenStore
from enroll.stores.memory import MemoryStore
from enroll.stores.opening import StorePlace, open_sql_store
from verify.access.exposure import tokens_required
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.tls.files import TlsFiles

EVERYWHERE = "0.0.0.0"  # noqa: S104 - the point of the tests

Face = Callable[..., ImageSample]


@pytest.fixture
def empty(tmp_path: Path) -> TokenStore:
    """A store in which no token was ever made."""
    store = open_sql_store(StorePlace(str(tmp_path / "empty.sqlite")))
    return TokenStore(store.database, store.keys)


@pytest.fixture
def filled(empty: TokenStore) -> TokenStore:
    empty.create("kiosk", EVERYTHING, lifetime=None)
    return empty


@pytest.fixture
def pair(make_pair: Callable[..., TlsFiles]) -> dict[str, object]:
    files = make_pair("service")
    return {"tls_cert": files.certificate, "tls_key": files.key}


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "10.0.0.5", "192.168.1.20"])
@pytest.mark.parametrize(
    ("tls", "tokens", "field", "advice"),
    [
        (False, False, "tls_cert", "countersign init"),
        (False, True, "tls_cert", "COUNTERSIGN_TLS_CERT"),
        (True, False, "access", "countersign token create"),
        (True, True, None, ""),
    ],
)
def test_beyond_loopback_both_are_needed(
    host: str,
    tls: bool,
    tokens: bool,
    field: str | None,
    advice: str,
    pair: dict[str, object],
    request: pytest.FixtureRequest,
) -> None:
    store = request.getfixturevalue("filled" if tokens else "empty")
    settings = ServiceSettings.model_validate({"host": host, **(pair if tls else {})})
    if field is None:
        assert tokens_required(settings, store)
        return
    with pytest.raises(ConfigError) as caught:
        tokens_required(settings, store)
    assert caught.value.field == field
    assert advice in (caught.value.fix or "")


def test_nothing_turns_tokens_off_beyond_loopback(filled: TokenStore, pair: dict[str, object]) -> None:
    settings = ServiceSettings.model_validate({"host": EVERYWHERE, "access": "open", **pair})
    with pytest.raises(ConfigError) as caught:
        tokens_required(settings, filled)
    assert caught.value.field == "access"


def test_behind_something_that_encrypts_tls_may_be_left_out_and_tokens_may_not(
    empty: TokenStore, request: pytest.FixtureRequest
) -> None:
    settings = ServiceSettings(host=EVERYWHERE, insecure_plaintext=True)
    with pytest.raises(ConfigError) as caught:
        tokens_required(settings, empty)
    assert caught.value.field == "access"
    assert tokens_required(settings, request.getfixturevalue("filled"))


def test_a_store_in_memory_keeps_no_tokens(pair: dict[str, object]) -> None:
    for changes in ({"host": EVERYWHERE, **pair}, {"access": "tokens"}):
        with pytest.raises(ConfigError) as caught:
            tokens_required(ServiceSettings.model_validate(changes), None)
        assert caught.value.field == "database"


def test_on_loopback_tokens_are_asked_for_once_there_is_one(empty: TokenStore) -> None:
    assert not tokens_required(ServiceSettings(), empty)
    assert not tokens_required(ServiceSettings(), None)
    _, token = empty.create("kiosk", EVERYTHING, lifetime=None)
    assert tokens_required(ServiceSettings(), empty)
    # Taking the last one back does not open the door again.
    empty.revoke(token.token_id)
    assert tokens_required(ServiceSettings(), empty)
    assert not tokens_required(ServiceSettings(access="open"), empty)


def test_the_server_itself_refuses(models: Mapping[Modality, Model]) -> None:
    with (
        pytest.raises(ConfigError, match="no TLS"),
        serving(models, MemoryStore(), ServiceSettings(host=EVERYWHERE, port=0)),
    ):
        pass


def test_a_service_with_both_serves_who_has_both(
    models: Mapping[Modality, Model], tmp_path: Path, pair: dict[str, object], face: Face
) -> None:
    from verify.client.channel import ClientTls

    store = open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))
    token, _ = TokenStore(store.database, store.keys).create("root", EVERYTHING, lifetime=None)
    settings = ServiceSettings.model_validate({"host": EVERYWHERE, "port": 0, **pair})
    with serving(models, store, settings) as bound:
        address = f"127.0.0.1:{bound.rsplit(':', 1)[1]}"
        tls = ClientTls(Path(str(pair["tls_cert"])))
        with Client(address, tls=tls, token=token) as client:
            client.enroll("staff", "ada", [face(1)])
            assert client.verify("staff", "ada", [face(1, 1)]).accepted
        with Client(address, tls=tls) as stranger, pytest.raises(TokenInvalid):
            stranger.verify("staff", "ada", [face(1, 1)])
    store.close()
