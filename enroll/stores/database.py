"""A database as the stores see it: reads, writes, errors in our words, and what is left of deleted rows.

    reading()   single statements, each of which sees one consistent state
    writing()   one transaction: all of it or nothing, durable once the block has ended
    snapshot()  one moment of everything, for as long as it takes to read

What SQLite and PostgreSQL do differently is in `enroll.stores.sqlite` and `enroll.stores.postgres`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from encode.errors import CountersignError, StoreCorrupt


class Database(ABC):
    """One database and its pool of connections; safe to use from several threads.

    Attributes
    ----------
    name : what an operator calls it, without a password.
    engine : the pool itself; `reader`, `writer` and `long_reader` are the same pool for single statements, for
        transactions that write, and for such as read one state of everything for as long as they last.
    one_writer : whether transactions that write come one after the other.
    """

    one_writer = False

    def __init__(self, name: str, engine: Engine, *, reader: Engine, writer: Engine, long_reader: Engine) -> None:
        self.name = name
        self.engine = engine
        self._reader = reader
        self._writer = writer
        self._long_reader = long_reader

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection outside of any transaction. Raises StoreUnavailable."""
        try:
            with self._reading() as connection:
                yield connection
        # Not chained: the driver's text quotes values, and nobody must find those in a log.
        except SQLAlchemyError as error:
            raise self.explain(error) from None
        except UnicodeDecodeError:
            raise _no_text() from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed when the block ends and rolled back when it raises.

        Raises StoreUnavailable, or VersionConflict where another transaction came in between.
        """
        try:
            with self._transaction() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self.explain(error) from None
        except UnicodeDecodeError:
            raise _no_text() from None

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that reads one moment of everything, while others write. Raises StoreUnavailable."""
        try:
            with self._long_reader.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self.explain(error) from None
        except UnicodeDecodeError:
            raise _no_text() from None

    def _reading(self) -> AbstractContextManager[Connection]:
        """A connection for single statements."""
        return self._reader.connect()

    def _transaction(self) -> AbstractContextManager[Connection]:
        """One transaction that writes."""
        return self._writer.begin()

    def tables(self) -> frozenset[str]:
        """The names of the tables there are. Raises StoreUnavailable."""
        with self.reading() as connection:
            return frozenset(inspect(connection).get_table_names())

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @abstractmethod
    def lock(self, connection: Connection, *names: bytes) -> None:
        """Until the transaction ends, let no other one pass that locks one of `names` (8 bytes each)."""

    @abstractmethod
    def scrub(self) -> bool:
        """Leave nothing of deleted rows in files, as far as this database can; False if it should be tried again."""

    @abstractmethod
    def explain(self, error: SQLAlchemyError) -> CountersignError:
        """The error of our tree that a failure of the database stands for, free of stored values."""


def _no_text() -> StoreCorrupt:
    """A damaged schema, told by its driver in bytes that are no text."""
    return StoreCorrupt("the database is damaged: a name in it is no text", fix="restore a backup")
