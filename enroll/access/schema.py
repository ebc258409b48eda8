"""The two tables of access, in the store's own metadata.

    tokens           one row a bearer token, kept after it has expired or been revoked, so that its id in the audit
                     log still means something; `secret_hash` is all that is stored of the secret
    access_secrets   random keys that must be the same in every replica and after every restart

Neither holds anything of a person.
"""

from sqlalchemy import Column, DateTime, LargeBinary, String, Table, Text

from enroll.stores.schema import metadata

tokens = Table(
    "tokens",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("name", String(128), nullable=False),
    # SHA-256 of a random secret of 256 bits: nothing to guess, so nothing that a slow hash would make slower.
    Column("secret_hash", LargeBinary(32), nullable=False),
    # JSON: [["verify", "staff"], ["admin", "*"]]
    Column("grants", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=True),
    Column("revoked_at", DateTime(timezone=True), nullable=True),
    # Of all above it, with a key of the key store: see enroll.access.token_seal.
    Column("seal", LargeBinary, nullable=True),
)

secrets = Table(
    "access_secrets",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", LargeBinary(32), nullable=False),
)

TABLES = (tokens, secrets)
"""What this module adds to the schema."""
