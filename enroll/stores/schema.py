"""The tables of the template store, in SQLAlchemy Core, for SQLite and PostgreSQL alike.

    people                one row a person; `state` is the sealed list of the person's templates
    templates             one row a person and modality; `payload` is the template's stored form, sealed
    template_versions     the rows of `templates` that later versions replaced, as they were
    samples               one row a kept sample, sealed; only in collections that keep samples
    collections           one row a collection that anything was decided for; `settings` is sealed
    remembered_requests   one row a request_id; `key_ref` leads to whom it concerned until that person is erased
    shredding             data keys of erased people that are about to be destroyed
    changes               one row a change of a person, the latest of them: who follows the store reads on from there
    store_info            one row: the key store that this data belongs to

The data keys are elsewhere (`enroll.keys.schema`). Ids sort by code point everywhere: SQLite's default order, and the C
collation on PostgreSQL. Whatever changes here needs a migration in `enroll.stores.migrations.versions`.
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

metadata = MetaData()


def _text(length: int) -> String:
    return String(length).with_variant(String(length, collation="C"), "postgresql")


people = Table(
    "people",
    metadata,
    Column("collection", _text(128), primary_key=True),
    Column("person", _text(128), primary_key=True),
    Column("key_ref", _text(32), nullable=False, unique=True),
    # One more with every change; sealed into `state`, and known to the key store too.
    Column("revision", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("revision >= 1", name="people_revision_positive"),
)

templates = Table(
    "templates",
    metadata,
    Column("collection", _text(128), primary_key=True),
    Column("person", _text(128), primary_key=True),
    Column("modality", _text(16), primary_key=True),
    Column("template_id", _text(32), nullable=False, unique=True),
    Column("version", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("model_digest", _text(64), nullable=False, server_default=""),
    # Why this version was written, in the word of the audit log; part of what the payload is sealed for.
    Column("reason", _text(32), nullable=False, server_default=""),
    CheckConstraint("version >= 1", name="templates_version_positive"),
)

template_versions = Table(
    "template_versions",
    metadata,
    Column("collection", _text(128), primary_key=True),
    Column("person", _text(128), primary_key=True),
    Column("modality", _text(16), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("template_id", _text(32), nullable=False),
    Column("model_digest", _text(64), nullable=False),
    Column("reason", _text(32), nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("collection", _text(128), primary_key=True),
    Column("person", _text(128), primary_key=True),
    Column("modality", _text(16), primary_key=True),
    Column("sample_id", _text(32), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

collections = Table(
    "collections",
    metadata,
    Column("collection", _text(128), primary_key=True),
    Column("settings", LargeBinary, nullable=False),
)

remembered_requests = Table(
    "remembered_requests",
    metadata,
    # Keyed digests of collection and request_id, and of the body: neither can be confirmed by guessing.
    Column("request_mac", LargeBinary, primary_key=True),
    Column("method", _text(32), nullable=False),
    Column("body_mac", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("key_ref", _text(32), nullable=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("remembered_requests_by_time", "at"),
    Index("remembered_requests_by_key", "key_ref"),
)

shredding = Table(
    "shredding",
    metadata,
    Column("key_ref", _text(32), primary_key=True),
    # Made with the very key: whoever can write this table alone must not be able to have a key destroyed.
    Column("seal", LargeBinary, nullable=True),
)

changes = Table(
    "changes",
    metadata,
    # Never given twice, not even after the highest one was deleted.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("key_ref", _text(32), nullable=False),
    sqlite_autoincrement=True,
)

store_info = Table(
    "store_info",
    metadata,
    # One row only: the primary key is a constant.
    Column("id", Integer, primary_key=True),
    # 2 for good: what refuses the file to releases from before migrations.
    Column("version", Integer, nullable=False),
    Column("store_id", _text(32), nullable=False, server_default=""),
    CheckConstraint("id = 1", name="store_info_one_row"),
)
