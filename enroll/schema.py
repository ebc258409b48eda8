"""The tables of the template store, in SQLAlchemy Core, for SQLite now and PostgreSQL alike.

    templates    one row a person and modality; `payload` is the template's stored form
    requests     one row a remembered request_id; `person` leads back to whom it concerned until that person is erased
    store_info   the schema's version

Ids sort by code point everywhere: SQLite's default order, and the C collation on PostgreSQL.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

SCHEMA_VERSION = 1

metadata = MetaData()


def _text(length: int) -> String:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


templates = Table(
    "templates",
    metadata,
    Column("collection", _text(128), primary_key=True),
    Column("person", _text(128), primary_key=True),
    Column("modality", _text(16), primary_key=True),
    Column("template_id", _text(32), nullable=False, unique=True),
    Column("version", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    CheckConstraint("version >= 1", name="templates_version_positive"),
)

requests = Table(
    "requests",
    metadata,
    Column("collection", _text(128), primary_key=True),
    Column("request_id", _text(128), primary_key=True),
    Column("method", _text(32), nullable=False),
    Column("body_digest", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("person", _text(128), nullable=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("requests_by_time", "at"),
    Index("requests_by_person", "collection", "person"),
)

store_info = Table(
    "store_info",
    metadata,
    # One row only: the primary key is a constant.
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    CheckConstraint("id = 1", name="store_info_one_row"),
)
