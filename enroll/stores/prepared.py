"""Statements that a Verify call waits for, given to the driver as they are, inside a transaction.

SQLAlchemy looks up the text, the types of the values and those of the result at every execution. That takes longer
than SQLite takes for a statement that touches one row. Here the text is made once for each kind of database; values and
results pass as the driver has them: numbers, texts and bytes alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """One statement, for any of the databases; safe to use from several threads. Raises as a connection does.

    `names` are the columns that an INSERT or UPDATE is given values of.
    """

    def __init__(self, statement: ClauseElement, names: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, SQLCompiler] = {}

    def first(self, connection: Connection, values: Mapping[str, object] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        rows, _ = self._run(connection, () if values is None else (values,), fetch=True)
        return None if not rows else tuple(rows[0])

    def run(self, connection: Connection, *rows: Mapping[str, object]) -> int:
        """Change something, once for each row of values; the number of rows it changed."""
        _, changed = self._run(connection, rows, fetch=False)
        return changed

    def _run(
        self, connection: Connection, rows: Sequence[Mapping[str, object]], *, fetch: bool
    ) -> tuple[Sequence[Any], int]:
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection)
        values = [_values(compiled, row) for row in rows]
        driver = connection.dialect.loaded_dbapi
        cursor = connection.connection.cursor()
        try:
            if len(values) > 1:
                cursor.executemany(compiled.string, values)
            else:
                cursor.execute(compiled.string, *values)
            # To the last row: a query that is not at its end keeps SQLite's log from being emptied.
            return (cursor.fetchall() if fetch else ()), cursor.rowcount
        except driver.Error as error:
            raise DBAPIError.instance(
                compiled.string, None, error, driver.Error, hide_parameters=True, dialect=connection.dialect
            ) from error
        finally:
            cursor.close()

    def _compile(self, connection: Connection) -> SQLCompiler:
        compiled = self._statement.compile(dialect=connection.dialect, column_keys=self._names)
        if not isinstance(compiled, SQLCompiler):
            raise TypeError("only a statement of SQL can be prepared")
        return self._compiled.setdefault(connection.dialect.name, compiled)


def _values(compiled: SQLCompiler, row: Mapping[str, object]) -> Any:
    """The values as the driver takes them: in order, or by name."""
    if compiled.positiontup is not None:
        return tuple(row[name] for name in compiled.positiontup)
    return dict(row)
