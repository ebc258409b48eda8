"""`countersign init`: what a service needs before others may reach it: a key pair, a database, a first token."""

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.store_options import store_place
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from enroll.stores.opening import StorePlace

TOKEN_NAME = "first admin"  # noqa: S105 - a name
TOKEN_DAYS = 365


def init(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where it all goes; made if it is not there.")],
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            help="Name or address that clients call the service by; repeat it for others. Default: this machine's "
            "name. localhost, 127.0.0.1 and ::1 are always among them.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(help="SQLite file or postgresql:// address. Default: countersign.sqlite in the folder."),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new key pair; a running service takes it up within seconds.")
    ] = False,
) -> None:
    """Make a key pair with a certificate that signs itself, a database, and a token that may do everything.

    What is there already stays as it is, so that the command can run before every start. The token is written to
    admin.token, never printed: take it out of the folder once other tokens are made.

    Exit codes: 0 done, 3 the folder cannot be written, 7 database or keys, 8 setting.
    """
    from verify.tls.certificates import replace_file, write_key_pair

    with typed_exit():
        folder = folder.resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "tls").mkdir(mode=0o700, exist_ok=True)
        certificate, key = folder / "tls" / "cert.pem", folder / "tls" / "key.pem"
        if renew or not (certificate.exists() and key.exists()):
            named = hosts or [socket.gethostname()]
            expires = write_key_pair(certificate, key, list(dict.fromkeys([*named, "localhost", "127.0.0.1", "::1"])))
            typer.echo(f"made {certificate} and its key, until {expires:%Y-%m-%d}")
        place = store_place(None, database or str(folder / "countersign.sqlite"), None, None)
        token = folder / "admin.token"
        if text := _first_token(place):
            replace_file(token, f"{text}\n".encode(), mode=0o600)
            typer.echo(f"made a token for {TOKEN_DAYS} days that may do everything: {token}")
        config = folder / "countersign.toml"
        if not config.exists():
            settings = {"database": place.database, "tls_cert": str(certificate), "tls_key": str(key)}
            lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
            replace_file(config, "".join(lines).encode(), mode=0o600)
            typer.echo(f"made {config}")
    typer.echo(f"start with: countersign serve --config {config} --host 0.0.0.0")


def _first_token(place: "StorePlace") -> str | None:
    """The text of a token that may do everything, unless the store has a token already."""
    from datetime import timedelta

    from countersign.commands.store_options import operator
    from enroll.access.grants import EVERYTHING
    from enroll.access.tokens import TokenStore
    from enroll.stores.opening import open_sql_store

    store = open_sql_store(place)
    try:
        tokens = TokenStore(store.database, store.keys, recorder=store.recorder)
        if tokens.any():
            return None
        lifetime = timedelta(days=TOKEN_DAYS)
        return tokens.create(TOKEN_NAME, EVERYTHING, lifetime=lifetime, origin=operator())[0]
    finally:
        store.close()
