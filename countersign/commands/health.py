"""`countersign health`: is the service up and ready, told by the exit code. Container health checks run it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countersign.commands.client_options import Tls, TlsCa, TlsCert, TlsKey
from countersign.exit_codes import ExitCode, typed_exit

if TYPE_CHECKING:
    from verify.client.client import Client
    from verify.settings import ServiceSettings

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, never listened on


def health(
    address: Annotated[
        str | None, typer.Option(help="host:port of the service. Default: where `countersign serve` would listen.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=60.0, help="Seconds to wait for the answer.")] = 3.0,
    tls: Tls = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
) -> None:
    """Ask a running service whether it is ready; no token is needed.

    Without --address the service is looked for where its settings say, and must show the certificate they name.

    Exit codes: 0 ready, 1 not ready: starting or draining, 4 no service, 8 setting.
    """
    from verify.client.client import Client
    from verify.settings import client_settings, service_settings

    with typed_exit():
        if address is None:
            client = _here(service_settings(), timeout, tls_cert, tls_key)
        else:
            given = {"tls": tls, "tls_ca": tls_ca, "tls_cert": tls_cert, "tls_key": tls_key}
            settings = client_settings(address=address, timeout_seconds=timeout, **given)
            client = Client.of(settings.model_copy(update={"token": None}))
        with client:
            ready = client.healthy()
    typer.echo("serving" if ready else "not serving", err=not ready)
    if not ready:
        raise typer.Exit(ExitCode.REJECTED)


def _here(settings: "ServiceSettings", timeout: float, certificate: Path | None, key: Path | None) -> "Client":
    """A client of the service that runs with these settings on this machine."""
    from verify.client.channel import ClientTls
    from verify.client.client import Client

    # A service that listens on every address is asked on this machine's own.
    address = settings.model_copy(update={"host": _EVERY_ADDRESS.get(settings.host, settings.host)}).address
    if (files := settings.tls) is None:
        return Client(address, timeout=timeout)
    # Where callers must show a certificate too, the service's own may do, if its authority is the callers' as well.
    shown = (certificate, key) if certificate is not None else (files.certificate, files.key)
    mine, my_key = shown if files.client_ca is not None else (None, None)
    return Client(address, timeout=timeout, tls=ClientTls(files.certificate, mine, my_key, files.server_name()))
