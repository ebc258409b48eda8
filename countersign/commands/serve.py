"""`countersign serve`: run the service in the foreground until SIGTERM or Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer

from countersign.exit_codes import typed_exit


def serve(
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; flags and COUNTERSIGN_* variables go before it.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any free one. Default: 50051.")] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file of the certificate, read again when it changes. Default: no TLS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its private key.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(help="PEM file of who signs callers' certificates; callers then need one.")
    ] = None,
    access: Annotated[
        str | None,
        typer.Option(
            help="tokens: callers need one. open: they need none, on loopback alone. Default: tokens, but open on "
            "loopback until one has been made."
        ),
    ] = None,
    insecure_plaintext: Annotated[
        bool | None,
        typer.Option(
            "--insecure-plaintext",
            help="Listen beyond loopback without TLS: only behind a proxy or service mesh that encrypts.",
        ),
    ] = None,
    calls_per_second: Annotated[
        float | None, typer.Option(help="From one token, lasting; 0 sets no limit. Default: 100.")
    ] = None,
    stranger_calls_per_second: Annotated[
        float | None, typer.Option(help="Without a valid token, from one address; 0 sets no limit. Default: 10.")
    ] = None,
    lockout_rejections: Annotated[
        int | None,
        typer.Option(help="Rejected claims of a person in a row before the next must wait; 0: never. Default: 5."),
    ] = None,
    models: Annotated[
        list[Path] | None,
        typer.Option(
            "--models",
            "--model",
            help="Folder of a model bundle; repeat it for a second modality. Default: models/face.",
        ),
    ] = None,
    retiring: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of a bundle that still answers for the people it enrolled; repeat it for more. Default: none.",
        ),
    ] = None,
    policies: Annotated[
        list[Path] | None,
        typer.Option(
            "--policies",
            "--policy",
            help="Policy file to decide by in place of a bundle's own; repeat it for more. Default: none.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="SQLite file, postgresql:// address, or memory: to keep nothing. Default: countersign.sqlite."
        ),
    ] = None,
    key_database: Annotated[
        str | None, typer.Option(help="Where data keys are, kept out of backups. Default: beside an SQLite file.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="File of the keys that open them. Default: beside an SQLite file.")
    ] = None,
    key_provider: Annotated[
        str | None, typer.Option(help="module:factory of a plug-in that holds the keys. Default: none.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that answer at one port; 0 takes one a processor. Default: 1.")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls a process works on at once. Default: 8.")] = None,
    max_waiting: Annotated[int | None, typer.Option(help="Calls that may wait for a worker. Default: 64.")] = None,
    max_wait: Annotated[
        float | None, typer.Option(help="Seconds a call may be expected to wait for a worker. Default: 1.")
    ] = None,
    batch_rows: Annotated[
        int | None, typer.Option(help="Samples of concurrent calls that are embedded together at most. Default: 32.")
    ] = None,
    batch_ms: Annotated[
        float | None, typer.Option(help="Milliseconds that embedding several together may take. Default: 50.")
    ] = None,
    cache_mib: Annotated[
        int | None, typer.Option(help="Mebibytes of people kept ready for their next claim. Default: 32.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Processors one inference may use. Default: all.")] = None,
    grace: Annotated[float | None, typer.Option(help="Seconds for calls under way after SIGTERM. Default: 10.")] = None,
    drain_delay: Annotated[
        float | None, typer.Option(help="Seconds to go on answering after SIGTERM, health already down. Default: 0.")
    ] = None,
    audit: Annotated[
        str | None, typer.Option(help="What the audit log records: all, mutations or off. Default: all.")
    ] = None,
    audit_head: Annotated[
        float | None, typer.Option(help="Seconds between two lines of the log that say where it ends. Default: 60.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port of the metrics for Prometheus; 0 takes any free one. Default: none.")
    ] = None,
    metrics_host: Annotated[str | None, typer.Option(help="Address of that port. Default: 127.0.0.1.")] = None,
    traces_endpoint: Annotated[
        str | None,
        typer.Option(
            help="http://.../v1/traces of an OpenTelemetry collector. Default: as OTEL_* variables say, or none."
        ),
    ] = None,
    identify: Annotated[
        str | None, typer.Option(help="on: search for people too, see docs/identification.md. Default: off.")
    ] = None,
    gallery_ms: Annotated[
        float | None, typer.Option(help="What finding candidates may take on one processor. Default: 2.")
    ] = None,
    gallery_mib: Annotated[
        float | None, typer.Option(help="What a collection may take in memory, for each model. Default: 1024.")
    ] = None,
    gallery_database: Annotated[
        str | None,
        typer.Option(help="postgresql:// address with pgvector, to search in instead of memory. Default: none."),
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error. Default: info.")] = None,
    log_format: Annotated[str | None, typer.Option(help="json or console. Default: json.")] = None,
) -> None:
    """Serve enrolment and verification over gRPC; logs go to standard error as JSON.

    Exit codes: 0 stopped as asked, 5 policy of another model, 6 bundle or policy, 7 database, 8 setting, or address in
    use.
    """
    from verify.process_life import run_service
    from verify.settings import service_settings

    with typed_exit():
        settings = service_settings(
            config,
            host=host,
            port=port,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_client_ca=tls_client_ca,
            access=access,
            insecure_plaintext=insecure_plaintext,
            calls_per_second=calls_per_second,
            stranger_calls_per_second=stranger_calls_per_second,
            lockout_rejections=lockout_rejections,
            models=tuple(models) if models else None,
            retiring=tuple(retiring) if retiring else None,
            policies=tuple(policies) if policies else None,
            database=database,
            key_database=key_database,
            key_file=key_file,
            key_provider=key_provider,
            workers=workers,
            concurrency=concurrency,
            max_waiting=max_waiting,
            max_wait_seconds=max_wait,
            batch_rows=batch_rows,
            batch_ms=batch_ms,
            cache_mib=cache_mib,
            threads=threads,
            grace_seconds=grace,
            drain_delay_seconds=drain_delay,
            audit=audit,
            audit_head_seconds=audit_head,
            metrics_port=metrics_port,
            metrics_host=metrics_host,
            traces_endpoint=traces_endpoint,
            identify=identify,
            gallery_ms=gallery_ms,
            gallery_mib=gallery_mib,
            gallery_database=gallery_database,
            log_level=log_level,
            log_format=log_format,
        )
        code = run_service(settings)
    if code:
        raise typer.Exit(code)
