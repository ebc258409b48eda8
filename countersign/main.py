"""The `countersign` command: one program, its commands, and what becomes of an error that none of them answered.

A command's own module is imported to know its flags; whatever it works with (gRPC, ONNX Runtime, torch, figures) is
imported in its body. So `--help`, completion and a mistyped flag answer at once, in an install that lacks the rest.
"""

import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from countersign.commands import (
    audit,
    bundle,
    collection,
    db,
    demo,
    enroll,
    evaluate,
    health,
    identify,
    init,
    keys,
    migrate,
    receipt,
    reproduce,
    serve,
    template,
    token,
    train,
    verify,
)
from countersign.exit_codes import ExitCode, typed_exit
from encode.errors import ConfigError, CountersignError, FieldInvalid

# Before numpy is first imported: the matrices of scoring are 128 x 128, and threads for those would only compete with
# the encoder's and with each other. Who sets the variable means it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# gRPC's core writes lines of its own about whatever strangers send; what matters of that is in our errors and log.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

_EXTRAS = {
    "onnxruntime": "cpu",
    "sklearn": "eval",
    "pyarrow": "eval",
    "matplotlib": "eval",
    "jinja2": "eval",
    "numba": "eval",
    "threadpoolctl": "eval",
    "dask": "eval",
    "distributed": "eval",
    "torch": "train",
    "torchvision": "train",
    "onnx": "train",
    "onnxscript": "train",
}
"""Package that an install may lack → the extra that brings it."""

app = typer.Typer(
    name="countersign",
    help="Verification by face and handwritten signature, with error rates you can check.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # `run` below says what happened
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"countersign {version('countersign')}")
        raise typer.Exit


@app.callback()
def countersign(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Verification by face and handwritten signature, with error rates you can check."""


app.command()(init.init)
app.command()(serve.serve)
app.command()(health.health)
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(collection.app, name="collection")
app.add_typer(audit.app, name="audit")
app.add_typer(receipt.app, name="receipt")
app.command()(migrate.migrate)
app.command()(enroll.enroll)
app.command()(verify.verify)
app.command()(identify.identify)
app.add_typer(template.app, name="template")
app.add_typer(token.app, name="token")
app.add_typer(bundle.app, name="bundle")
app.add_typer(evaluate.app, name="eval")
app.add_typer(train.app, name="train")
app.add_typer(reproduce.app, name="reproduce")
app.command()(demo.demo)


def run() -> NoReturn:
    """Run the command line and exit with one of :mod:`countersign.exit_codes`."""
    try:
        # Errors that no command ended with itself; those of the tree are told here as they are there.
        with typed_exit():
            try:
                app(prog_name="countersign")
            except (ModuleNotFoundError, OSError) as error:
                explained = _missing_package(error) if isinstance(error, ModuleNotFoundError) else _bad_path(error)
                if explained is None:
                    raise
                raise explained from error
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except Exception as error:  # noqa: BLE001 - the last one who can tell
        traceback.print_exception(error)
        typer.echo("error: this should not have happened; please report it with the lines above", err=True)
        sys.exit(ExitCode.INTERNAL)
    sys.exit(ExitCode.OK)


def _missing_package(error: ModuleNotFoundError) -> CountersignError | None:
    """What to install, where the package is one of an extra; None where it is ours or unheard of."""
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRAS:
        return None
    return ConfigError(
        f"this command needs the package {package}, which is not installed",
        fix=f"pip install 'countersign[{_EXTRAS[package]}]'",
    )


def _bad_path(error: OSError) -> CountersignError | None:
    """A path that cannot be used is the caller's to mend; other failures of the system are not."""
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return FieldInvalid(f"{error.filename}: {error.strerror}", fix="check the path and its permissions")
    return None
