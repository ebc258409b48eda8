"""Many people in an SQLite store, written in bulk: what their enrolment would have left there, without their pictures.

Each has five references drawn with the covariances of the shipped face model. The rows are sealed as the store seals
them, each person with a data key of their own: the same functions, in transactions of some thousand people. The log of
audited calls does not grow, as after its entries were pruned.
"""

import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from encode.sample import Modality
from enroll.keys.cache import DataKey
from enroll.keys.envelope import KEY_BYTES, Cipher
from enroll.keys.schema import data_keys
from enroll.references import empty_template, with_references
from enroll.stores.changes import KEPT
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.schema import changes, people, templates
from enroll.stores.sealed import Held, seal_state, seal_template
from enroll.stores.sql import SqlStore
from identification.synthetic import CHUNK, People
from verify.model import Model

COLLECTION = "crowd"
_AT_ONCE = 5_000


def name(number: int) -> str:
    """What person `number`, from 0, is called."""
    return f"person-{number:07d}"


def crowd(folder: Path, model: Model, count: int) -> Path:
    """The SQLite file of a store with `count` people in `folder`; one that is there, whole or in part, is gone on with.

    Raises SystemExit if more are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "people.sqlite"
    with closing(open_sql_store(StorePlace(str(file)))) as store:
        with store.database.reading() as connection:
            there = connection.execute(select(func.count()).select_from(people)).scalar_one()
        if there > count:
            raise SystemExit(f"{file} holds {there} people, more than the {count} asked for")
        began = time.perf_counter()
        for begin, references in _batches(model, count):
            if begin + len(references) > there:
                _write(store, model, begin, references)
                done = begin + len(references)
                rate = (done - there) / (time.perf_counter() - began)
                print(f"\r  {done} of {count} people, {rate:.0f} a second", end="", file=sys.stderr)
        if there < count:
            print(file=sys.stderr)
        store.database.scrub()
        store.keys.database.scrub()
    return file


def disk_bytes(file: Path) -> int:
    """What the data and the keys of a store take on disk, logs included."""
    return sum(one.stat().st_size for one in file.parent.iterdir() if one.name.startswith(file.name))


def _batches(model: Model, count: int) -> Iterator[tuple[int, Any]]:
    assert CHUNK % _AT_ONCE == 0
    for begin, _, references in People(model.identity, count).chunks():
        for first in range(0, len(references), _AT_ONCE):
            yield begin + first, references[first : first + _AT_ONCE]


def _write(store: SqlStore, model: Model, begin: int, references: Any) -> None:
    """Keys first, as at an enrolment: one that seals nothing does no harm."""
    now = datetime.now(UTC)
    wrapping = store.keys.current_key_id()
    rows: dict[Any, list[dict[str, object]]] = {table: [] for table in (data_keys, people, templates, changes)}
    for number, mine in enumerate(references, begin):
        ref, raw = secrets.token_hex(16), secrets.token_bytes(KEY_BYTES)
        key = DataKey(ref, raw, Cipher(raw), 1)
        wrapped = store.keys.ring.wrap(wrapping, raw, ref)
        rows[data_keys].append({"key_ref": ref, "key_id": wrapping, "wrapped": wrapped, "revision": 1})
        empty = empty_template(model, COLLECTION, name(number), now=now)
        template = with_references(empty, mine, model.identity, now=now)
        state = seal_state(
            key.cipher,
            COLLECTION,
            template.person,
            1,
            {Modality.FACE: Held.only(template.template_id, template.version)},
        )
        owner = {"collection": COLLECTION, "person": template.person}
        rows[people].append({**owner, "key_ref": ref, "revision": 1, "state": state, "created_at": now})
        rows[templates].append(
            {
                **owner,
                "modality": template.modality.value,
                "template_id": template.template_id,
                "version": template.version,
                "model_digest": template.model_digest,
                "reason": "enroll",
                "payload": seal_template(key.cipher, template, "enroll"),
            }
        )
        rows[changes].append({"key_ref": ref})
    with store.keys.database.writing() as connection:
        connection.execute(insert(data_keys), rows[data_keys])
    with store.database.writing() as connection:
        for table in (people, templates, changes):
            connection.execute(insert(table), rows[table])
        last = connection.execute(select(func.max(changes.c.seq))).scalar_one()
        connection.execute(changes.delete().where(changes.c.seq <= last - KEPT))
