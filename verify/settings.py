"""Settings of the service and of its client; the only place that reads the environment.

A setting is looked up in this order: command-line flag, environment variable ``COUNTERSIGN_<NAME>``, TOML file (the
service only; named by ``--config`` or ``COUNTERSIGN_CONFIG``), default.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from encode.errors import ConfigError
from enroll.keys.providers import KeySource
from enroll.stores.opening import StorePlace
from verify.address import LOOPBACK
from verify.audit_trail import AuditLevel
from verify.gallery.bounds import Bounds, GallerySettings
from verify.tls.files import TlsFiles

_PREFIX = "COUNTERSIGN_"
SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Where worker processes leave their counts: the name that the client library of Prometheus gives it."""
_TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
MEMORY = "memory:"
SECRETS = frozenset({"key"})
"""Settings without a flag: what stands on a command line, every user of the machine can read."""

_Settings = TypeVar("_Settings", bound=BaseSettings)


class ServiceSettings(BaseSettings):
    """What `countersign serve` runs with.

    Attributes
    ----------
    host, port : where to listen; loopback unless told otherwise, and port 0 takes any free one.
    tls_cert, tls_key : PEM files of the service's certificate and key; both or neither.
    tls_client_ca : PEM file of who signs callers' certificates; if given, no caller connects without one.
    access : ``tokens``, callers need a token; ``open``, they need none, which only loopback allows. By default tokens
        are needed beyond loopback, and on loopback once one has been made.
    insecure_plaintext : listen beyond loopback without TLS, because something else encrypts.
    calls_per_second : from one token, lasting; twice as many may come at once. 0 sets no limit.
    stranger_calls_per_second : without a valid token from one address, lasting, before such calls are told to wait; ten
        times as many questions for health. 0 sets no limit.
    lockout_rejections : rejected claims of a person in a row before the next has to wait. 0 locks nobody out.
    models : bundle folders, one a modality; in the environment separated by commas.
    retiring : bundle folders that answer only for people whose templates they made, until those are migrated; any
        number a modality that `models` has. In the environment separated by commas.
    policies : policy files that are used in place of those sealed into the bundles, at most one a bundle; in the
        environment separated by commas.
    database : an SQLite file, ``postgresql://…``, or ``memory:`` for a store that dies with the process.
    key_database : likewise, where the wrapped data keys are; by default beside an SQLite file.
    key_file : the keys that wrap data keys; by default beside an SQLite file, made with it.
    key : the same in base64, from the environment alone: other people's `ps` shows flags.
    key_provider : ``module:factory`` of a plug-in for a key management service.
    workers : processes that answer at one port, each with all of the below; 0 takes one a processor.
    concurrency : calls worked on at once in a process, each on a thread of its own.
    max_waiting : calls that may wait for a worker; more are refused as SERVICE_OVERLOADED.
    max_wait_seconds : how long a call may be expected to wait for one; with more before it, it is refused so.
    batch_rows, batch_ms : samples of concurrent calls that go through the network together at most, and for how long.
    cache_mib : mebibytes of people kept ready for their next claim, in each process; 0 keeps none.
    threads : processors one inference may use; by default all that the process may.
    grace_seconds : how long calls under way may take to finish after SIGTERM.
    audit : what the audit log records: `all`, mutations and decisions; `mutations` alone; or nothing, `off`.
    audit_head_seconds : between two lines of the service's log that say where the audit log ends.
    drain_delay_seconds : how long to go on answering after SIGTERM while load balancers notice that health says no.
    metrics_port : where Prometheus finds the metrics, over HTTP; 0 takes any free port. By default there are none.
    metrics_host : the address of that port; loopback unless told otherwise.
    traces_endpoint : ``http://…/v1/traces`` of an OpenTelemetry collector; needs the extra ``otel``. By default the
        standard variables of OpenTelemetry decide (:func:`standard_traces`).
    identify : `on` answers Identify, for which everybody's search vector is read when the service starts; see
        docs/identification.md.
    gallery_ms, gallery_mib : what a search may take on one processor, and a collection in memory for
        each model; from these and the number of people follows how the gallery is searched.
    gallery_database : ``postgresql://…`` with the extension pgvector, where search vectors are kept instead of in
        memory.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 50_051
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    access: Literal["open", "tokens"] | None = None
    insecure_plaintext: bool = False
    calls_per_second: Annotated[float, Field(ge=0, le=1_000_000)] = 100.0
    stranger_calls_per_second: Annotated[float, Field(ge=0, le=1_000_000)] = 10.0
    lockout_rejections: Annotated[int, Field(ge=0, le=1_000)] = 5
    models: Annotated[tuple[Path, ...], NoDecode, Field(min_length=1)] = (Path("models/face"),)
    retiring: Annotated[tuple[Path, ...], NoDecode] = ()
    policies: Annotated[tuple[Path, ...], NoDecode] = ()
    database: Annotated[str, Field(min_length=1)] = "countersign.sqlite"
    key_database: Annotated[str | None, Field(min_length=1)] = None
    key_file: Path | None = None
    key: SecretStr | None = None
    key_provider: Annotated[str | None, Field(pattern=r"^[\w.]+:\w+$")] = None
    workers: Annotated[int, Field(ge=0, le=256)] = 1
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    max_waiting: Annotated[int, Field(ge=0, le=10_000)] = 64
    max_wait_seconds: Annotated[float, Field(gt=0, le=3_600)] = 1.0
    batch_rows: Annotated[int, Field(ge=1, le=256)] = 32
    batch_ms: Annotated[float, Field(gt=0, le=10_000)] = 50.0
    cache_mib: Annotated[int, Field(ge=0, le=65_536)] = 32
    threads: Annotated[int | None, Field(ge=1, le=256)] = None
    grace_seconds: Annotated[float, Field(ge=0, le=3_600)] = 10.0
    drain_delay_seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    audit: AuditLevel = "all"
    audit_head_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    metrics_port: Annotated[int | None, Field(ge=0, le=65_535)] = None
    metrics_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    traces_endpoint: Annotated[str | None, Field(pattern=r"^https?://\S+$")] = None
    identify: Literal["off", "on"] = "off"
    gallery_ms: Annotated[float, Field(gt=0, le=60_000)] = 5.0
    gallery_mib: Annotated[float, Field(gt=0, le=1_048_576)] = 1_024.0
    gallery_database: Annotated[str | None, Field(pattern=r"^postgresql://")] = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("models", "retiring", "policies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def store(self) -> StorePlace:
        """Where templates and keys are. Raises ConfigError if keys come from two places."""
        secret = None if self.key is None else self.key.get_secret_value()
        keys = KeySource(file=self.key_file, secret=secret, plugin=self.key_provider)
        return StorePlace(self.database, self.key_database, keys)

    @property
    def gallery(self) -> GallerySettings | None:
        """How people are searched; None where the service does not identify."""
        if self.identify == "off":
            return None
        bounds = Bounds(self.gallery_ms / 1e3, int(self.gallery_mib * 2**20))
        return GallerySettings(bounds, self.gallery_database)

    @property
    def tls(self) -> TlsFiles | None:
        """Where certificate and key are; None without TLS. Raises ConfigError if one is given without the other."""
        if self.tls_cert is not None and self.tls_key is not None:
            return TlsFiles(self.tls_cert, self.tls_key, self.tls_client_ca)
        if (self.tls_cert, self.tls_key, self.tls_client_ca) == (None, None, None):
            return None
        missing = "tls_key" if self.tls_cert is not None else "tls_cert"
        raise ConfigError("TLS needs a certificate and its key", field=missing, fix=how_to_set(missing))

    @property
    def address(self) -> str:
        """``host:port``, with brackets around an IPv6 host."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK


class ClientSettings(BaseSettings):
    """What the commands that call a service run with.

    Attributes
    ----------
    address : ``host:port`` of the service.
    collection : the gallery the people are in.
    timeout_seconds : the deadline of every call.
    token : sent with every call; see `countersign token create`.
    tls : encrypt, and trust the certificate authorities that gRPC knows.
    tls_ca : encrypt, and trust the certificates in this PEM file alone.
    tls_cert, tls_key : PEM files of this caller's own certificate, for services that ask for one.
    insecure_plaintext : send a token beyond loopback without TLS, because something else encrypts.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    address: Annotated[str, Field(min_length=1)] = "127.0.0.1:50051"
    collection: Annotated[str, Field(min_length=1)] = "default"
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 30.0
    token: SecretStr | None = None
    tls: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure_plaintext: bool = False


def service_settings(config: Path | None = None, **flags: Any) -> ServiceSettings:
    """The service's settings; flags that are None were not given. Raises ConfigError naming the setting."""
    named = config or (Path(os.environ[_PREFIX + "CONFIG"]) if os.environ.get(_PREFIX + "CONFIG") else None)
    from_file = {} if named is None else _read_toml(named)

    class Layered(ServiceSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, from_file)

    return _build(Layered, flags)


def client_settings(**flags: Any) -> ClientSettings:
    """The client's settings; flags that are None were not given. Raises ConfigError naming the setting."""
    return _build(ClientSettings, flags)


def _build(kind: type[_Settings], flags: dict[str, Any]) -> _Settings:
    try:
        return kind(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        if first["type"] == "extra_forbidden":
            raise ConfigError("there is no such setting", field=name, fix="check the spelling") from error
        raise ConfigError(first["msg"], field=name, fix=how_to_set(name)) from error


def environment_without_settings() -> dict[str, str]:
    """This process's environment for a service that is to run by its flags alone."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}


def environment_with(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, and `more`, for a process that it starts."""
    return {**os.environ, **more}


def shared_metrics_folder() -> Path | None:
    """Where this process leaves its counts for the one that started it; None if it tells them itself."""
    named = os.environ.get(SHARED_METRICS)
    return Path(named) if named else None


def standard_traces() -> bool:
    """Whether the standard variables of OpenTelemetry name a collector; its exporter reads them itself."""
    return any(os.environ.get(name) for name in _TRACES)


def how_to_set(name: str) -> str:
    """Where the setting `name` is given."""
    variable = _PREFIX + name.upper()
    if name in SECRETS:
        return f"give {variable}"
    flag = name.removesuffix("_seconds").replace("_", "-")
    return f"give --{flag}, {variable} or `{name}` in the configuration file"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"the configuration file {path} cannot be read: {error.strerror}", field="config", fix=how_to_set("config")
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {path} is not TOML: {error}", field="config") from error
