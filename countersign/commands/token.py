"""`countersign token`: who may call the service, and what for."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.client_options import AsJson
from countersign.commands.store_options import Config, Database, KeyDatabase, KeyFile, opened, operator, store_place
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from datetime import datetime

    from enroll.access.tokens import Token

app = typer.Typer(no_args_is_help=True, help="The tokens that callers of the service show.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the caller is called in lists and in the audit log.")],
    scopes: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help="SCOPE:COLLECTION, such as verify:staff; repeat it. Scopes: verify, enroll, admin (list and erase); "
            "none contains another. Collection * is every one.",
        ),
    ],
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Days until it expires.")] = 365,
    never_expires: Annotated[
        bool, typer.Option("--never-expires", help="Let it be valid until it is revoked.")
    ] = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Make a token and print it, once: only a hash of it is stored. Running services know it within seconds.

    A service on loopback that ran without tokens goes on without until it is started again.

    Exit codes: 0 made, 3 name or scope, 7 database or keys, 8 setting.
    """
    from datetime import timedelta

    from enroll.access.grants import Grant, Grants
    from enroll.access.tokens import TokenStore

    with typed_exit():
        grants = Grants.of(Grant.parse(text) for text in scopes)
        with opened(store_place(config, database, key_database, key_file)) as store:
            lifetime = None if never_expires else timedelta(days=days)
            tokens = TokenStore(store.database, store.keys, recorder=store.recorder)
            text, token = tokens.create(name, grants, lifetime=lifetime, origin=operator())
    typer.echo(f"token {token.token_id}, valid until {_day(token.expires_at) or 'revoked'}:", err=True)
    typer.echo(text)


@app.command("list")
def list_tokens(
    as_json: AsJson = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Print every token there is or was, without its secret.

    Exit codes: 0 done, 7 database or keys, 8 setting.
    """
    from datetime import UTC, datetime

    from enroll.access.tokens import TokenStore

    with typed_exit(), opened(store_place(config, database, key_database, key_file)) as store:
        tokens = TokenStore(store.database, store.keys).all()
    now = datetime.now(UTC)
    if as_json:
        typer.echo(json.dumps([_as_json(token, now) for token in tokens], indent=2))
        return
    for token in tokens:
        granted = " ".join(map(str, sorted(token.grants.held)))
        typer.echo(f"{token.token_id}  {_state(token, now):<26}  {granted}  {token.name}")


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="The 16 digits that name it: see `countersign token list`.")],
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Close a token for good; running services refuse it within seconds.

    Exit codes: 0 revoked, now or before, 5 no such token, 7 database or keys, 8 setting.
    """
    from enroll.access.tokens import TokenStore

    with typed_exit(), opened(store_place(config, database, key_database, key_file)) as store:
        token = TokenStore(store.database, store.keys, recorder=store.recorder).revoke(token_id, origin=operator())
    typer.echo(f"token {token.token_id} ({token.name}) is revoked")


def _state(token: "Token", now: "datetime") -> str:
    if token.revoked_at is not None:
        return f"revoked {_day(token.revoked_at)}"
    if not token.intact:
        return "changed by hand: opens nothing"
    if token.valid(now):
        return f"valid until {_day(token.expires_at) or 'revoked'}"
    return f"expired {_day(token.expires_at)}"


def _as_json(token: "Token", now: "datetime") -> dict[str, object]:
    return {
        "token_id": token.token_id,
        "name": token.name,
        "valid": token.valid(now),
        "grants": [str(grant) for grant in sorted(token.grants.held)],
        "created_at": token.created_at.isoformat(),
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
        "revoked_at": None if token.revoked_at is None else token.revoked_at.isoformat(),
    }


def _day(moment: "datetime | None") -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d}"
