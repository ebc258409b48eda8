"""Settings: flags before environment before file before default, and every mistake named."""

import re
from pathlib import Path

import pytest

from encode.errors import ConfigError
from verify.settings import SECRETS, ServiceSettings, client_settings, service_settings


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "countersign.toml"
    path.write_text('port = 1000\nworkers = 3\nmodels = ["one", "two"]\nlog_level = "debug"\n')
    return path


def test_the_service_is_on_loopback_unless_told_otherwise() -> None:
    settings = service_settings()
    assert (settings.host, settings.port, settings.loopback) == ("127.0.0.1", 50_051, True)
    assert not service_settings(host="0.0.0.0").loopback  # noqa: S104 - the point of the test


def test_flags_win_over_environment_over_file_over_defaults(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert service_settings(file).workers == 3
    monkeypatch.setenv("COUNTERSIGN_PORT", "2000")
    monkeypatch.setenv("COUNTERSIGN_WORKERS", "5")
    settings = service_settings(file, port=3000, host=None)
    assert (settings.port, settings.workers, settings.log_level, settings.host) == (3000, 5, "debug", "127.0.0.1")


def test_the_file_is_named_by_the_environment_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_CONFIG", str(file))
    assert service_settings().port == 1000
    monkeypatch.setenv("COUNTERSIGN_CONFIG", str(file.with_name("missing.toml")))
    assert service_settings(file).port == 1000
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        service_settings()
    assert caught.value.field == "config"


def test_bundles_are_a_list_in_the_file_and_separated_by_commas_in_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service_settings(file).models == (Path("one"), Path("two"))
    monkeypatch.setenv("COUNTERSIGN_MODELS", "a b/face, signature")
    assert service_settings(file).models == (Path("a b/face"), Path("signature"))
    assert service_settings(file, models=(Path("c"),)).models == (Path("c"),)


def test_policy_files_are_given_like_bundles_and_none_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service_settings().policies == ()
    path = tmp_path / "with_policies.toml"
    path.write_text('policies = ["a.json", "b.json"]\n')
    assert service_settings(path).policies == (Path("a.json"), Path("b.json"))
    monkeypatch.setenv("COUNTERSIGN_POLICIES", "c d.json, e.json")
    assert service_settings(path).policies == (Path("c d.json"), Path("e.json"))
    assert service_settings(path, policies=(Path("f.json"),)).policies == (Path("f.json"),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "70000"),
        ("port", "many"),
        ("workers", "-1"),
        ("concurrency", "0"),
        ("models", " , "),
        ("host", ""),
        ("grace_seconds", "-1"),
        ("log_level", "loud"),
        ("metrics_port", "70000"),
        ("traces_endpoint", "collector:4318"),
    ],
)
def test_unusable_settings_are_named_with_the_ways_to_set_them(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"COUNTERSIGN_{name.upper()}", value)
    with pytest.raises(ConfigError) as caught:
        service_settings()
    assert caught.value.field == name
    assert f"COUNTERSIGN_{name.upper()}" in (caught.value.fix or "")
    assert f"--{name.removesuffix('_seconds').replace('_', '-')}" in (caught.value.fix or "")


def test_a_misspelt_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "countersign.toml"
    path.write_text("prot = 1\n")
    with pytest.raises(ConfigError, match="no such setting") as caught:
        service_settings(path)
    assert caught.value.field == "prot"


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "countersign.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not TOML"):
        service_settings(path)


def test_addresses_of_ipv6_get_brackets() -> None:
    assert ServiceSettings(host="::1", port=5).address == "[::1]:5"
    assert ServiceSettings(port=5).address == "127.0.0.1:5"


def test_the_client_reads_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_ADDRESS", "bank.example:443")
    monkeypatch.setenv("COUNTERSIGN_PORT", "not asked for")
    settings = client_settings(collection="staff", timeout_seconds=None)
    assert (settings.address, settings.collection, settings.timeout_seconds) == ("bank.example:443", "staff", 30.0)
    monkeypatch.setenv("COUNTERSIGN_TOKEN", "cs_secret")
    monkeypatch.setenv("COUNTERSIGN_TLS_CA", "ca.pem")
    settings = client_settings()
    assert settings.tls_ca == Path("ca.pem")
    assert settings.token is not None
    assert settings.token.get_secret_value() == "cs_secret"
    assert "cs_secret" not in repr(settings)
    with pytest.raises(ConfigError) as caught:
        client_settings(timeout_seconds=0)
    assert caught.value.field == "timeout_seconds"
    assert "--timeout" in (caught.value.fix or "")


def test_every_flag_of_serve_is_a_setting_and_every_setting_but_secrets_a_flag() -> None:
    import inspect

    from countersign.commands.serve import serve

    flags = set(inspect.signature(serve).parameters) - {"config"}
    assert flags == {name.removesuffix("_seconds") for name in ServiceSettings.model_fields} - SECRETS


READS = re.compile(r"os\.environ\.(?!setdefault)|os\.environ\[[^]]*\](?! = )|os\.environ\b(?![.\[])|getenv|envvar=")
"""Reading; a switch that a library looks for at its import may be set elsewhere."""


def test_the_environment_is_read_here_alone() -> None:
    root = Path(__file__).resolve().parents[2]
    readers = [
        str(path.relative_to(root))
        for package in ("encode", "enroll", "verify", "countersign")
        for path in (root / package).rglob("*.py")
        if READS.search(path.read_text())
    ]
    assert readers == ["verify/settings.py"]
