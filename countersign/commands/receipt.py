"""`countersign receipt`: proofs of erasure: the key to check them with, and the check."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.store_options import Config, Database, KeyDatabase, KeyFile, opened, store_place
from countersign.exit_codes import typed_exit

if TYPE_CHECKING:
    from enroll.receipts import PublicKey, Statement
    from enroll.stores.sql import SqlStore

app = typer.Typer(no_args_is_help=True, help="Receipts of erasures: check one, and publish the key to check them with.")


@app.command()
def key(
    config: Config = None, database: Database = None, key_database: KeyDatabase = None, key_file: KeyFile = None
) -> None:
    """Print the public key that the service's receipts are checked with, in PEM.

    It stays the same for as long as the key store lives.

    Exit codes: 0 done, 7 database or keys, 8 setting.
    """
    with typed_exit(), opened(store_place(config, database, key_database, key_file)) as store:
        public = _public(store)
    typer.echo(public.to_pem(), nl=False)
    typer.echo(f"key {public.key_id}", err=True)


@app.command()
def verify(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="The receipt, or the answer of DeletePerson, as JSON."),
    ],
    public_key: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Check the signature alone, with this key in PEM: no database is needed. Default: the log too.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    config: Config = None,
    database: Database = None,
    key_database: KeyDatabase = None,
    key_file: KeyFile = None,
) -> None:
    """Check that a receipt was issued by the service as it stands, and that the audit log records that erasure.

    Exit codes: 0 it was, 3 it was not, or the file holds none, 7 the audit log is broken, or the database or keys
    cannot be used, 8 setting.
    """
    from enroll.receipts import PublicKey
    from verify.receipt_form import read_receipt

    with typed_exit(as_json=as_json):
        statement, key_id, signature = read_receipt(file)
        entry = None
        if public_key is not None:
            PublicKey.from_pem(public_key.read_bytes()).check(statement, key_id, signature)
        else:
            with opened(store_place(config, database, key_database, key_file)) as store:
                _public(store).check(statement, key_id, signature)
                entry = _recorded(store, statement)
    if as_json:
        told = {"receipt_id": statement.receipt_id, "key_id": key_id, "signed": True, "audit_entry": entry}
        typer.echo(json.dumps(told))
        return
    references = sum(one.references for one in statement.templates)
    typer.echo(
        f"receipt {statement.receipt_id}: signed by key {key_id}; {len(statement.templates)} templates of {references} "
        f"references erased at {statement.erased_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    if entry is not None:
        typer.echo(f"recorded in entry {entry} of the audit log, which is intact")


def _public(store: "SqlStore") -> "PublicKey":
    from enroll.receipts import key_of

    found = key_of(store)
    if found is None:
        raise AssertionError("a store with keys signs receipts")
    return found.public


def _recorded(store: "SqlStore", statement: "Statement") -> int:
    """The entry of the audit log. Raises ReceiptInvalid, AuditBroken."""
    from encode.errors import AuditBroken
    from enroll.audit.chain import AuditKeys
    from enroll.audit.check import check_stored
    from enroll.audit.reading import stored_log
    from enroll.receipts import find_entry
    from enroll.stores.opening import AUDIT_SECRET

    keys = AuditKeys.derive(store.keys.secret(AUDIT_SECRET))
    with store.database.reading() as connection:
        entry = find_entry(
            stored_log(connection)[1], statement, keys.pseudonym_of(statement.collection, statement.person)
        )
        stored, rows = stored_log(connection)
        if not check_stored(rows, stored, keys).intact:
            raise AuditBroken("the audit log is broken", fix="see `countersign audit verify`")
    return entry
