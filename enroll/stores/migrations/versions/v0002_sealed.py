"""Data keys of people, and everything that was stored in the clear sealed with them.

Runs in one transaction on the data. Data keys enter the key store before; should the transaction fail, they seal
nothing and another run makes others.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from enroll.keys.cache import DataKey
from enroll.keys.store import KeyStore
from enroll.stores.requests import RememberedRequests
from enroll.stores.sealed import Held, seal_state, seal_template
from enroll.stores.store import Request
from enroll.template import Template

revision = "0002"
down_revision = "0001"

_Owner = tuple[str, str]


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables of sealed data, seal what there is, and drop what held it in the clear."""
    keys: KeyStore = op.get_context().opts["key_store"]
    op.add_column("templates", sa.Column("model_digest", _text(64), nullable=False, server_default=""))
    op.add_column("store_info", sa.Column("store_id", _text(32), nullable=False, server_default=""))
    people = op.create_table(
        "people",
        sa.Column("collection", _text(128), primary_key=True),
        sa.Column("person", _text(128), primary_key=True),
        sa.Column("key_ref", _text(32), nullable=False, unique=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("revision >= 1", name="people_revision_positive"),
    )
    remembered = op.create_table(
        "remembered_requests",
        sa.Column("request_mac", sa.LargeBinary, primary_key=True),
        sa.Column("method", _text(32), nullable=False),
        sa.Column("body_mac", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("key_ref", _text(32), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("remembered_requests_by_time", "remembered_requests", ["at"])
    op.create_index("remembered_requests_by_key", "remembered_requests", ["key_ref"])
    op.create_table("shredding", sa.Column("key_ref", _text(32), primary_key=True))

    connection = op.get_bind()
    connection.execute(sa.text("UPDATE store_info SET version = 2, store_id = :id"), {"id": keys.store_id})
    held = _seal_people(connection, people, keys)
    _seal_requests(connection, remembered, keys, held)
    op.drop_table("requests")


def _seal_people(connection: sa.Connection, people: sa.Table, keys: KeyStore) -> dict[_Owner, DataKey]:
    owners = connection.execute(sa.text("SELECT DISTINCT collection, person FROM templates")).all()
    held: dict[_Owner, DataKey] = {}
    for collection, person in owners:
        owner = {"collection": collection, "person": person}
        mine = "collection = :collection AND person = :person"
        rows = connection.execute(sa.text(f"SELECT payload FROM templates WHERE {mine}"), owner).scalars()  # noqa: S608
        templates = [Template.from_bytes(payload) for payload in rows]
        key = held[collection, person] = keys.create()
        for template in templates:
            connection.execute(
                sa.text(
                    f"UPDATE templates SET payload = :payload, model_digest = :digest WHERE {mine} AND modality = :one"  # noqa: S608
                ),
                {
                    **owner,
                    "payload": seal_template(key.cipher, template),
                    "digest": template.model_digest,
                    "one": template.modality.value,
                },
            )
        state = {template.modality: Held.only(template.template_id, template.version) for template in templates}
        connection.execute(
            people.insert().values(
                **owner,
                key_ref=key.ref,
                revision=1,
                state=seal_state(key.cipher, collection, person, 1, state),
                created_at=min(template.created_at for template in templates),
            )
        )
    return held


def _seal_requests(
    connection: sa.Connection, remembered: sa.Table, keys: KeyStore, held: dict[_Owner, DataKey]
) -> None:
    sealing = RememberedRequests(keys, lambda: datetime.now(UTC))
    at = sa.column("at", sa.DateTime(timezone=True))
    plain: list[sa.ColumnClause[Any]] = [
        sa.column(name) for name in ("collection", "request_id", "method", "body_digest", "answer", "person")
    ]
    for row in connection.execute(sa.select(*plain, at).select_from(sa.table("requests"))).all():
        request = Request(row.collection, row.request_id, row.method, row.body_digest)
        key = None if row.person is None else held.get((row.collection, row.person))
        sealed = sealing.row(request, row.answer, key, row.at)
        if not row.body_digest or (row.person is not None and key is None):  # of an erased person
            sealed |= {"body_mac": b"", "answer": b"", "key_ref": None}
        connection.execute(remembered.insert().values(sealed))
