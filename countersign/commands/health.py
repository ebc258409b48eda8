"""`countersign health`: is the service up and ready, told by the exit code. Container health checks run it."""

from typing import Annotated

import typer

from countersign.exit_codes import ExitCode, typed_exit

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, never listened on


def health(
    address: Annotated[
        str | None, typer.Option(help="host:port of the service. Default: where `countersign serve` would listen.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=60.0, help="Seconds to wait for the answer.")] = 3.0,
) -> None:
    """Ask a running service whether it is ready.

    Exit codes: 0 ready, 1 not ready: starting or draining, 4 no service, 8 setting.
    """
    from verify.client import Client
    from verify.settings import service_settings

    with typed_exit():
        if address is None:
            settings = service_settings()
            # A service that listens on every address is asked on this machine's own.
            address = settings.model_copy(update={"host": _EVERY_ADDRESS.get(settings.host, settings.host)}).address
        with Client(address, timeout=timeout) as client:
            ready = client.healthy()
    typer.echo("serving" if ready else "not serving", err=not ready)
    if not ready:
        raise typer.Exit(ExitCode.REJECTED)
