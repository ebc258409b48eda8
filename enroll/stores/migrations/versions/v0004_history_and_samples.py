"""Settings of collections, earlier versions of templates, and kept samples."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create their tables, empty, and the column that says why a version was written."""
    op.add_column("templates", sa.Column("reason", _text(32), nullable=False, server_default=""))
    op.create_table(
        "template_versions",
        sa.Column("collection", _text(128), primary_key=True),
        sa.Column("person", _text(128), primary_key=True),
        sa.Column("modality", _text(16), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("template_id", _text(32), nullable=False),
        sa.Column("model_digest", _text(64), nullable=False),
        sa.Column("reason", _text(32), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("collection", _text(128), primary_key=True),
        sa.Column("person", _text(128), primary_key=True),
        sa.Column("modality", _text(16), primary_key=True),
        sa.Column("sample_id", _text(32), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "collections",
        sa.Column("collection", _text(128), primary_key=True),
        sa.Column("settings", sa.LargeBinary, nullable=False),
    )
