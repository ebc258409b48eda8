"""Options of commands that work on the store itself, beside or without a running service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from enroll.audit.event import Origin
    from enroll.stores.opening import StorePlace
    from enroll.stores.sql import SqlStore

Config = Annotated[Path | None, typer.Option(help="The service's TOML file of settings.")]
Database = Annotated[
    str | None, typer.Option(help="SQLite file or postgresql:// address. Default: the service's setting.")
]
KeyDatabase = Annotated[str | None, typer.Option(help="Where data keys are. Default: the service's setting.")]
KeyFile = Annotated[Path | None, typer.Option(help="File of the keys that open them. Default: the service's setting.")]


def store_place(
    config: Path | None, database: str | None, key_database: str | None, key_file: Path | None
) -> "StorePlace":
    """Where the service's settings and these flags say that the store is. Raises ConfigError."""
    from encode.errors import ConfigError
    from verify.settings import MEMORY, how_to_set, service_settings

    place = service_settings(config, database=database, key_database=key_database, key_file=key_file).store
    if place.database == MEMORY:
        raise ConfigError("a store in memory has no database", field="database", fix=how_to_set("database"))
    return place


def require_database(place: "StorePlace") -> None:
    """Raise StoreUnavailable for an SQLite file that is not there, which opening would make."""
    from encode.errors import StoreUnavailable
    from verify.settings import how_to_set

    if place.embedded and not Path(place.database).exists():
        raise StoreUnavailable(f"there is no database {place.database}", field="database", fix=how_to_set("database"))


@contextmanager
def opened(place: "StorePlace") -> Iterator["SqlStore"]:
    """The store at `place`, which must be there; closed afterwards. Raises as ``open_sql_store``."""
    from enroll.stores.opening import open_sql_store

    require_database(place)
    store = open_sql_store(place)
    try:
        yield store
    finally:
        store.close()


def operator() -> "Origin":
    """Who works on the store, for its audit log: the command line, and the account that it runs under."""
    import os
    import pwd

    from enroll.audit.event import Origin

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        name = str(os.getuid())
    return Origin(caller=f"command line of {name}")
