"""Candidate search in PostgreSQL with pgvector: for galleries larger than a process's memory, shared by all of them.

    countersign_gallery                    how far the vectors follow the store, and how many people there are
    countersign_gallery_<model digest>     one row a person: collection, reference, vector

Up to some thousand people of a model are compared one by one, which is exact; beyond, `tend` makes an HNSW graph
(Malkov & Yashunin 2016), searched on until enough people of the collection are found. The vectors lie outside of the
store's seals. They name nobody, and are turned by a secret of the key store, which is no encryption: whoever reads the
table learns who is near whom.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import text

from enroll.stores.changes import Position
from enroll.stores.postgres import PostgresDatabase
from verify.gallery.keeping import Keeping
from verify.gallery.search import Floats, Near, Plan
from verify.gallery.space import SearchSpace

GRAPH_FROM = 20_000
"""People of a model from whom on a graph is made."""

_LOCK = 0x67616C6C657279
_STATE = """
CREATE TABLE IF NOT EXISTS countersign_gallery (
    model varchar(64) NOT NULL, collection varchar(128) NOT NULL, people bigint NOT NULL, position text NOT NULL,
    PRIMARY KEY (model, collection)
)
"""
_OF_ALL = {"model": "", "collection": ""}
_COUNT = """
INSERT INTO countersign_gallery VALUES (:model, :collection, :more, '')
ON CONFLICT (model, collection) DO UPDATE SET people = countersign_gallery.people + excluded.people
"""


class PgvectorGallery(Keeping):
    """The vectors in the database at `url`, whose user may create tables and the extension ``vector``.

    What was kept for other models than these (their digests) is not followed on from, but read anew.

    Raises StoreUnavailable.
    """

    shared = True

    def __init__(self, url: str, models: Iterable[str]) -> None:
        self._models = sorted(models)
        self._database = PostgresDatabase(url)
        with self._database.writing() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
            connection.execute(text(_STATE))

    def open_search(self, collection: str, digest: str, space: SearchSpace) -> "PgvectorSearch":
        """The search of one collection and model."""
        return PgvectorSearch(self._database, collection, digest, space.dimensions)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with self._database.writing() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield

    def position(self) -> Position | None:
        with self._database.reading() as connection:
            found = connection.execute(
                text("SELECT position FROM countersign_gallery WHERE model = '' AND collection = ''")
            ).scalar_one_or_none()
        told = [] if found is None else json.loads(found)
        if len(told) != 4 or told[3] != self._models or not told[0]:
            return None
        last, ref, missing, _ = told
        return Position(last, ref, tuple(missing))

    def forget(self, refs: Sequence[str]) -> None:
        with self._database.writing() as connection:
            kept = connection.execute(text("SELECT model, collection FROM countersign_gallery WHERE model <> ''")).all()
            for model, collection in kept:
                gone = text(
                    f"DELETE FROM {_table(model)} WHERE collection = :collection AND ref = ANY(:refs)"  # noqa: S608
                )
                number = connection.execute(gone, {"collection": collection, "refs": list(refs)}).rowcount
                connection.execute(text(_COUNT), {"model": model, "collection": collection, "more": -number})

    def clear(self) -> None:
        with self._database.writing() as connection:
            models = connection.execute(text("SELECT DISTINCT model FROM countersign_gallery WHERE model <> ''"))
            for model in models.scalars().all():
                connection.execute(text(f"DROP TABLE IF EXISTS {_table(model)}"))
            connection.execute(text("DELETE FROM countersign_gallery"))

    def keep(self, position: Position) -> None:
        told = json.dumps([position.last, position.ref, position.missing, self._models])
        with self._database.writing() as connection:
            connection.execute(
                text(
                    "INSERT INTO countersign_gallery VALUES (:model, :collection, 0, :told) "
                    "ON CONFLICT (model, collection) DO UPDATE SET position = excluded.position"
                ),
                {**_OF_ALL, "told": told},
            )

    def close(self) -> None:
        self._database.close()


class PgvectorSearch:
    """A :class:`~verify.gallery.search.CandidateSearch` over one collection's rows of a model's table."""

    def __init__(self, database: PostgresDatabase, collection: str, digest: str, dimensions: int) -> None:
        self._database = database
        self._mine = {"model": digest, "collection": collection}
        self._table = _table(digest)
        self._graph = False
        with database.writing() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK + 1})
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {self._table} (collection varchar(128) NOT NULL, "
                    f"ref varchar(32) NOT NULL, place vector({dimensions}) NOT NULL, PRIMARY KEY (ref))"
                )
            )
            connection.execute(text(f"CREATE INDEX IF NOT EXISTS {self._table}_of ON {self._table} (collection)"))

    def __len__(self) -> int:
        return self._people("AND collection = :collection")

    def add(self, refs: Sequence[str], vectors: Floats) -> None:
        rows = [
            {"collection": self._mine["collection"], "ref": ref, "place": _literal(vector)}
            for ref, vector in zip(refs, vectors, strict=True)
        ]
        put = text(
            f"INSERT INTO {self._table} VALUES (:collection, :ref, CAST(:place AS vector)) "  # noqa: S608 - hex digits
            "ON CONFLICT (ref) DO UPDATE SET place = excluded.place RETURNING (xmax = 0)"
        )
        with self._database.writing() as connection:
            new = sum(bool(connection.execute(put, row).scalar_one()) for row in rows)
            connection.execute(text(_COUNT), {**self._mine, "more": new})

    def remove(self, refs: Sequence[str]) -> int:
        gone = text(
            f"DELETE FROM {self._table} WHERE collection = :collection AND ref = ANY(:refs)"  # noqa: S608
        )
        with self._database.writing() as connection:
            number = connection.execute(gone, {"collection": self._mine["collection"], "refs": list(refs)}).rowcount
            connection.execute(text(_COUNT), {**self._mine, "more": -number})
        return int(number)

    def search(self, vector: Floats, count: int) -> list[Near]:
        nearest = text(
            f"SELECT ref, place <-> CAST(:place AS vector) AS apart FROM {self._table} WHERE collection = :collection "  # noqa: S608
            "ORDER BY apart LIMIT :count"
        )
        wanted = {"collection": self._mine["collection"], "place": _literal(vector), "count": count}
        with self._database.writing() as connection:  # settings last as long as a transaction
            connection.execute(text(f"SET LOCAL hnsw.ef_search = {min(1_000, max(200, 8 * count))}"))
            connection.execute(text("SET LOCAL hnsw.iterative_scan = strict_order"))
            return [Near(row.ref, float(row.apart) ** 2) for row in connection.execute(nearest, wanted)]

    def tend(self) -> None:
        if self._graph or self._people("") < GRAPH_FROM:
            return
        with self._database.writing() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK + 1})
            connection.execute(
                text(f"CREATE INDEX IF NOT EXISTS {self._table}_near ON {self._table} USING hnsw (place vector_l2_ops)")
            )
        self._graph = True

    @property
    def memory(self) -> int:
        """Nothing but this object: the vectors are the database's."""
        return 0

    @property
    def plan(self) -> Plan:
        return Plan("pgvector")

    def close(self) -> None:
        """The connections are the gallery's."""

    def _people(self, where: str) -> int:
        counted = text(f"SELECT coalesce(sum(people), 0) FROM countersign_gallery WHERE model = :model {where}")  # noqa: S608
        with self._database.reading() as connection:
            return int(connection.execute(counted, self._mine).scalar_one())


def _table(digest: str) -> str:
    """The table of a model, named by hex digits of its digest alone; PostgreSQL's names have 63 letters."""
    return f"countersign_gallery_{int(digest[:32], 16):032x}"


def _literal(vector: Floats) -> str:
    return "[" + ",".join(f"{value:.7g}" for value in vector.tolist()) + "]"
