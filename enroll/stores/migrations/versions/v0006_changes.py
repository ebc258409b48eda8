"""Who was changed, in order."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table, empty: whoever follows the store begins by reading everybody."""
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("key_ref", sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql"), nullable=False),
        sqlite_autoincrement=True,
    )
