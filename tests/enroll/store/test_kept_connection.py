"""Writers of one SQLite file hand a connection on; one in which something went wrong is not handed on."""

from pathlib import Path

import pytest
from sqlalchemy import event, text

from encode.errors import StoreUnavailable
from enroll.stores.sqlite import SqliteDatabase


def connection_of(database: SqliteDatabase) -> object:
    with database.writing() as connection:
        return connection.connection.driver_connection


def test_one_connection_writes_as_long_as_all_goes_well(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "people.sqlite")
    checkouts: list[object] = []
    event.listen(database.engine, "checkout", lambda *_: checkouts.append(_))
    assert len({id(connection_of(database)) for _ in range(5)}) == 1
    assert len(checkouts) == 1
    database.close()


@pytest.mark.parametrize("mistake", ["statement", "caller"])
def test_what_went_wrong_leaves_nothing_behind(tmp_path: Path, mistake: str) -> None:
    database = SqliteDatabase(tmp_path / "people.sqlite")
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))

    def write_wrongly() -> None:
        with database.writing() as connection:
            connection.execute(text("INSERT INTO numbers VALUES (1)"))
            if mistake == "caller":
                raise ZeroDivisionError
            connection.execute(text("INSERT INTO nothing VALUES (1)"))

    with pytest.raises((StoreUnavailable, ZeroDivisionError)):
        write_wrongly()
    with database.writing() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (2)"))
    with database.reading() as connection:
        assert connection.execute(text("SELECT number FROM numbers")).scalars().all() == [2]
    assert database.scrub()
    database.close()


def test_closing_leaves_no_connection_open(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "people.sqlite")
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))
    database.close()
    # The last connection that is closed takes the log away.
    assert [path.name for path in tmp_path.iterdir()] == ["people.sqlite"]
