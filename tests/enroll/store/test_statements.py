"""A read of a person is one statement, whatever the history: it is of one moment, and as fast as Verify needs it."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from encode.sample import Modality
from enroll.stores.collection import CollectionSettings
from enroll.stores.opening import StorePlace
from enroll.stores.sql import SqlStore
from enroll.template import Template

FACE = Modality.FACE


@pytest.mark.parametrize(
    ("read", "statements"),
    [
        (lambda store: store.get("staff", "ada"), 1),
        (lambda store: store.get("staff", "nobody"), 1),
        (lambda store: store.versions_of("staff", "ada", FACE), 1),
        (lambda store: store.version("staff", "ada", FACE, 2), 1),
        (lambda store: store.samples_of("staff", "ada", FACE), 1),
        (lambda store: store.settings_of("staff"), 0),
        (lambda store: store.settings_of("another"), 1),
        (lambda store: store.iterate_people(limit=10), 1),
        (lambda store: store.list_people("staff", limit=10), 1),
    ],
    ids=["get", "get nobody", "versions", "version", "samples", "settings", "other settings", "everybody", "list"],
)
def test_reads_take_so_many_statements(
    place: StorePlace,
    open_store: Callable[..., SqlStore],
    make_template: Callable[..., Template],
    read: Callable[[SqlStore], object],
    statements: int,
) -> None:
    store = open_store(place)
    store.configure("staff", CollectionSettings(keep_samples=True))
    template = None
    for _ in range(3):
        template = make_template(before=template)
        store.save([template], answer=b"", request=None)
    store.settings_of("staff")
    seen: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        # What a pool asks of a connection that lay idle is not a statement of ours.
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    event.listen(store.database.engine, "before_cursor_execute", count)
    read(store)
    event.remove(store.database.engine, "before_cursor_execute", count)
    assert len(seen) == statements
