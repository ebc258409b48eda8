"""Rows of `tokens` and `shredding` are sealed.

Nobody who can write the database alone can write themselves a token, or have a data key destroyed.
"""

import sqlalchemy as sa
from alembic import op

from enroll.access.token_seal import seal_token
from enroll.keys.store import KeyStore
from enroll.stores.person_keys import doom

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Seal the tokens that are open, and what an erasure cut short has left; a revoked token opens nothing anyway."""
    for name in ("tokens", "shredding"):
        op.add_column(name, sa.Column("seal", sa.LargeBinary, nullable=True))
    keys: KeyStore = op.get_context().opts["key_store"]
    moment = sa.DateTime(timezone=True)
    table = sa.table(
        "tokens",
        *(sa.column(name) for name in ("token_id", "name", "grants")),
        sa.column("secret_hash", sa.LargeBinary),
        sa.column("created_at", moment),
        sa.column("expires_at", moment),
        sa.column("revoked_at", moment),
        sa.column("seal", sa.LargeBinary),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(table).where(table.c.revoked_at.is_(None))).all():
        seal = seal_token(keys, row.token_id, row.name, row.secret_hash, row.grants, row.created_at, row.expires_at)
        connection.execute(table.update().where(table.c.token_id == row.token_id).values(seal=seal))
    shredding = sa.table("shredding", sa.column("key_ref"), sa.column("seal", sa.LargeBinary))
    for ref in connection.execute(sa.select(shredding.c.key_ref)).scalars().all():
        if (key := keys.get(ref)) is not None:
            connection.execute(shredding.update().where(shredding.c.key_ref == ref).values(doom(key)))
