"""The two tables of the audit log, in the store's own metadata, so that a mutation and its entry are one transaction.

    audit        one row an entry; `entry` is canonical JSON in UTF-8, `link` ties it to all entries before it
    audit_head   one row: where the log ends, sealed with a key that the database does not hold

No row of `audit` is ever updated or deleted. Every append locks `audit_head` and moves it on; that lock is what keeps
two processes on one database from continuing the same entry twice.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, Table

from enroll.stores.schema import metadata

entries = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    # Bytes, not text: what was tampered with need not be text any more, and must still come out to be looked at.
    Column("entry", LargeBinary, nullable=False),
    Column("link", LargeBinary, nullable=False),
    CheckConstraint("sequence >= 1", name="audit_sequence_positive"),
)

head = Table(
    "audit_head",
    metadata,
    # One row only: the primary key is a constant.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("link", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="audit_head_one_row"),
)
