"""The tables of the key store: the wrapped data keys, apart from what they seal.

    data_keys        one row a data key; `key_ref` is random and says nothing of the person
    key_store_info   one row: which data this store belongs to, and which key-encryption key wraps new data keys

They are never in a backup of the data (docs/decisions/0014-erasure-reaches-backups.md).
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, MetaData, String, Table

KEY_SCHEMA_VERSION = 1

metadata = MetaData()

data_keys = Table(
    "data_keys",
    metadata,
    Column("key_ref", String(32), primary_key=True),
    Column("key_id", String(128), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    # How often what the key seals has been changed: data of an earlier revision has been put back.
    Column("revision", BigInteger, nullable=False),
    Index("data_keys_by_key", "key_id", "key_ref"),
)

key_store_info = Table(
    "key_store_info",
    metadata,
    # One row only: the primary key is a constant.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("store_id", String(32), nullable=False),
    Column("current_key_id", String(128), nullable=False),
    CheckConstraint("id = 1", name="key_store_info_one_row"),
)
