"""Settings of the service and of its client; the only place that reads the environment.

A setting is looked up in this order: command-line flag, environment variable ``COUNTERSIGN_<NAME>``, TOML file (the
service only; named by ``--config`` or ``COUNTERSIGN_CONFIG``), default.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from encode.errors import ConfigError
from verify.address import LOOPBACK

_PREFIX = "COUNTERSIGN_"
MEMORY = "memory:"

_Settings = TypeVar("_Settings", bound=BaseSettings)


class ServiceSettings(BaseSettings):
    """What `countersign serve` runs with.

    Attributes
    ----------
    host, port : where to listen; loopback unless told otherwise, and port 0 takes any free one.
    models : bundle folders, one a modality; in the environment separated by commas.
    policies : policy files that are used in place of those sealed into the bundles, at most one a modality; in the
        environment separated by commas.
    database : an SQLite file, or ``memory:`` for a store that dies with the process.
    workers : calls worked on at once, each on a thread of its own.
    max_waiting : calls that may wait for a worker; more are refused as SERVICE_OVERLOADED.
    threads : processors one inference may use; by default all that the process may.
    grace_seconds : how long calls under way may take to finish after SIGTERM.
    drain_delay_seconds : how long to go on answering after SIGTERM while load balancers notice that health says no.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 50_051
    models: Annotated[tuple[Path, ...], NoDecode, Field(min_length=1)] = (Path("models/face"),)
    policies: Annotated[tuple[Path, ...], NoDecode] = ()
    database: Annotated[str, Field(min_length=1)] = "countersign.sqlite"
    workers: Annotated[int, Field(ge=1, le=256)] = 4
    max_waiting: Annotated[int, Field(ge=0, le=10_000)] = 64
    threads: Annotated[int | None, Field(ge=1, le=256)] = None
    grace_seconds: Annotated[float, Field(ge=0, le=3_600)] = 10.0
    drain_delay_seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("models", "policies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def address(self) -> str:
        """``host:port``, with brackets around an IPv6 host."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK


class ClientSettings(BaseSettings):
    """What `countersign enroll` and `countersign verify` run with.

    Attributes
    ----------
    address : ``host:port`` of the service.
    collection : the gallery the people are in.
    timeout_seconds : the deadline of every call.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    address: Annotated[str, Field(min_length=1)] = "127.0.0.1:50051"
    collection: Annotated[str, Field(min_length=1)] = "default"
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 30.0


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


def how_to_set(name: str) -> str:
    """Where the setting `name` is given."""
    flag = name.removesuffix("_seconds").replace("_", "-")
    return f"give --{flag}, {_PREFIX}{name.upper()} or `{name}` in the configuration file"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"the configuration file {path} cannot be read: {error.strerror}", field="config", fix=how_to_set("config")
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file {path} is not TOML: {error}", field="config") from error
