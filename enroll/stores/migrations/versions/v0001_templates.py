"""The first tables: templates in the clear, and requests with their bodies' plain digests."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "templates",
        sa.Column("collection", _text(128), primary_key=True),
        sa.Column("person", _text(128), primary_key=True),
        sa.Column("modality", _text(16), primary_key=True),
        sa.Column("template_id", _text(32), nullable=False, unique=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("version >= 1", name="templates_version_positive"),
    )
    op.create_table(
        "requests",
        sa.Column("collection", _text(128), primary_key=True),
        sa.Column("request_id", _text(128), primary_key=True),
        sa.Column("method", _text(32), nullable=False),
        sa.Column("body_digest", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("person", _text(128), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("requests_by_time", "requests", ["at"])
    op.create_index("requests_by_person", "requests", ["collection", "person"])
    info = op.create_table(
        "store_info",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("id = 1", name="store_info_one_row"),
    )
    op.bulk_insert(info, [{"id": 1, "version": 1}])
