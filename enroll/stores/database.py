"""A database as the stores see it: reads, writes, errors in our words, and what is left of deleted rows.

    reading()   single statements, each of which sees one consistent state
    writing()   one transaction: all of it or nothing, durable once the block has ended

What SQLite and PostgreSQL do differently is in `enroll.stores.sqlite` and `enroll.stores.postgres`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from encode.errors import CountersignError


class Database(ABC):
    """One database and its pool of connections; safe to use from several threads.

    Attributes
    ----------
    name : what an operator calls it, without a password.
    engine : writes through it; `reader` is the same pool for statements that need no transaction.
    """

    def __init__(self, name: str, engine: Engine, reader: Engine, writer: Engine) -> None:
        self.name = name
        self.engine = engine
        self._reader = reader
        self._writer = writer

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection outside of any transaction. Raises StoreUnavailable."""
        try:
            with self._reader.connect() as connection:
                yield connection
        # Not chained: the driver's text quotes values, and nobody must find those in a log.
        except SQLAlchemyError as error:
            raise self.explain(error) from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed when the block ends and rolled back when it raises.

        Raises StoreUnavailable, or VersionConflict where another transaction came in between.
        """
        try:
            with self._writer.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self.explain(error) from None

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction for one long statement, whose rows are fetched while others write. Raises StoreUnavailable."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self.explain(error) from None

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
