"""`countersign init` and `countersign token`, and a service that is started with what they make."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from countersign.commands import health, init, token
from enroll.stores.opening import open_sql_store
from verify.server_thread import serving
from verify.settings import service_settings

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("token", "list", ...)`` without settings around."""
    app = typer.Typer()
    app.command()(init.init)
    app.command()(health.health)
    app.add_typer(token.app, name="token")
    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def modes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.rglob("*")}


def test_init_makes_all_that_a_service_needs_and_keeps_it_to_its_owner(run: Run, tmp_path: Path) -> None:
    result = run("init", tmp_path / "made")
    assert result.exit_code == 0, result.output
    found = modes(tmp_path / "made")
    assert found["tls"] == "0o700"
    assert found["tls/key.pem"] == found["admin.token"] == found["countersign.sqlite"] == "0o600"
    secret = (tmp_path / "made" / "admin.token").read_text().strip()
    assert secret.startswith("cs_")
    assert secret not in result.output
    settings = service_settings(tmp_path / "made" / "countersign.toml")
    assert settings.tls is not None
    assert Path(settings.database) == tmp_path / "made" / "countersign.sqlite"


def test_init_again_changes_nothing_and_renew_only_the_key_pair(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path)
    names = ("tls/key.pem", "tls/cert.pem", "admin.token", "countersign.toml")
    first = {name: (tmp_path / name).read_bytes() for name in names}
    assert run("init", tmp_path).exit_code == 0
    assert {name: (tmp_path / name).read_bytes() for name in names} == first
    assert run("init", tmp_path, "--renew", "--host", "verify.bank.example").exit_code == 0
    changed = {name for name in names if (tmp_path / name).read_bytes() != first[name]}
    assert changed == {"tls/key.pem", "tls/cert.pem"}
    tls = service_settings(tmp_path / "countersign.toml").tls
    assert tls is not None
    assert tls.server_name() == "verify.bank.example"


def test_a_token_is_printed_once_listed_without_its_secret_and_revoked(run: Run, tmp_path: Path) -> None:
    run("init", tmp_path)
    config = ("--config", tmp_path / "countersign.toml")
    made = run("token", "create", "gate 7", "--scope", "verify:staff", "--scope", "enroll:staff", "--days", 30, *config)
    assert made.exit_code == 0, made.output
    assert made.stdout.count("\n") == 1
    _, token_id, secret = made.stdout.strip().split("_")
    listed = run("token", "list", "--json", *config)
    assert secret not in listed.output
    [found] = [one for one in json.loads(listed.stdout) if one["token_id"] == token_id]
    assert (found["name"], found["valid"]) == ("gate 7", True)
    assert found["grants"] == ["enroll:staff", "verify:staff"]
    assert run("token", "revoke", token_id, *config).exit_code == 0
    [gone] = [one for one in json.loads(run("token", "list", "--json", *config).stdout) if one["token_id"] == token_id]
    assert not gone["valid"]
    assert f"{token_id}  revoked" in run("token", "list", *config).stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["create", "kiosk", "--scope", "verify"], 3, "scope: "),
        (["create", "", "--scope", "verify:staff"], 3, "name: "),
        (["create", "kiosk"], 2, "--scope"),
        (["revoke", "0" * 16], 5, "token_id: "),
    ],
)
def test_what_is_wrong_is_named(run: Run, tmp_path: Path, words: list[str], code: int, told: str) -> None:
    run("init", tmp_path)
    result = run("token", *words, "--config", tmp_path / "countersign.toml")
    assert result.exit_code == code
    assert told in result.output


def test_tokens_of_no_database_and_of_memory_are_refused(run: Run, tmp_path: Path) -> None:
    missing = run("token", "list", "--database", tmp_path / "missing.sqlite")
    assert (missing.exit_code, "database: " in missing.output) == (7, True)
    assert run("token", "list", "--database", "memory:").exit_code == 8
    assert not list(tmp_path.iterdir())


def test_a_service_beyond_loopback_starts_with_what_init_made_and_is_found_healthy(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - the point of the test
    run("init", tmp_path)
    monkeypatch.setenv("COUNTERSIGN_CONFIG", str(tmp_path / "countersign.toml"))
    monkeypatch.setenv("COUNTERSIGN_HOST", everywhere)
    settings = service_settings(port=0)
    store = open_sql_store(settings.store)
    with serving({}, store, settings) as address:
        port = address.rsplit(":", 1)[1]
        certificate = tmp_path / "tls" / "cert.pem"
        assert run("health", "--address", f"127.0.0.1:{port}", "--tls-ca", certificate).output == "serving\n"
        assert run("health", "--address", f"127.0.0.1:{port}").exit_code == 4
        monkeypatch.setenv("COUNTERSIGN_PORT", port)
        assert run("health").output == "serving\n"
    store.close()
