"""Alembic's revisions of the data's schema, one file each in `versions`; `enroll.stores.schema_version` runs them."""
