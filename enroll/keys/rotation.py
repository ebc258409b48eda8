"""Rotation: every data key wrapped anew with another key-encryption key, while services run.

    name the new key in the key store  →  unwrap and wrap what older keys wrap, in batches  →  drop the older keys

From the first step on nothing new is wrapped with an older key, so that the second one ends. It looks for what is left
to do in the key store itself: a rotation that was stopped is carried on by running it again. What backups and logs
still hold of wrapped data keys was wrapped with the older keys: once those are gone, so is that.
"""

from collections.abc import Callable

from sqlalchemy import select, update

from encode.errors import ConfigError, StoreUnavailable
from enroll.keys.file import add_key, keep_keys
from enroll.keys.providers import KeySource
from enroll.keys.schema import data_keys, key_store_info
from enroll.keys.store import KeyStore

BATCH = 500


def begin(keys: KeyStore, source: KeySource) -> str:
    """Choose the key to rotate to and return its id: one not in force yet, or a new one in the key file.

    An unfinished rotation is carried on with its own key.

    Raises
    ------
    ConfigError : there is no other key, and none can be made here.
    """
    keys.ring.reload()
    in_force, first = keys.current_key_id(), keys.ring.current.key_id
    if first != in_force:
        return first
    if set(keys.in_use()) - {in_force}:
        return in_force
    if source.file is None:
        raise ConfigError(
            "there is no new key to rotate to",
            field="key" if source.secret is not None else "key_provider",
            fix="put the new key before the old one, restart the services with both, and run the command again",
        )
    add_key(source.file)
    keys.ring.reload()
    return keys.ring.current.key_id


def rewrap(keys: KeyStore, key_id: str, *, told: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Put `key_id` in force and wrap with it whatever another key wraps; returns how many data keys that were.

    `told` is called after each batch with how many are done and how many there were.

    Raises
    ------
    StoreKeyMissing : an older key in use is not at hand. StoreUnavailable : the database failed; run it again.
    """
    keys.ring.get(key_id)
    with keys.database.writing() as connection:
        connection.execute(update(key_store_info).values(current_key_id=key_id))
    total = sum(count for wrapped_by, count in keys.in_use().items() if wrapped_by != key_id)
    done = 0
    while moved := _batch(keys, key_id):
        done += moved
        told(done, max(total, done))
    if not keys.database.scrub():
        raise StoreUnavailable(
            "a reader keeps the key store's log from being emptied", fix="run the command again to finish"
        )
    return done


def unneeded(keys: KeyStore) -> tuple[str, ...]:
    """Ids of the keys at hand that this store needs no more."""
    needed = {*keys.in_use(), keys.current_key_id()}
    return tuple(key_id for key_id in keys.ring.key_ids if key_id not in needed)


def prunable(keys: KeyStore, source: KeySource) -> tuple[str, ...]:
    """Ids of the keys in the key file that have done their service: older than the one in force, and wrapping nothing.

    Raises
    ------
    ConfigError : the keys are in no file; the first of them is not in force yet; or an older one still wraps a key.
    """
    keys.ring.reload()
    in_use, in_force = keys.in_use(), keys.current_key_id()
    if source.file is None:
        raise ConfigError(
            "the keys are in no file",
            field="key_file",
            fix="take out of their place what `countersign keys status` shows with 0 data keys",
        )
    if keys.ring.current.key_id != in_force:
        raise ConfigError(
            f"key {keys.ring.current.key_id} is the first of the file and not in force yet",
            field="key_file",
            fix="run `countersign keys rotate`, or take the key out of the file",
        )
    for key_id in sorted(in_use.keys() - {in_force}):
        raise ConfigError(
            f"key {key_id} still wraps {in_use[key_id]} data keys",
            field="key_file",
            fix="run `countersign keys rotate` to its end",
        )
    return unneeded(keys)


def retire(keys: KeyStore, source: KeySource) -> tuple[str, ...]:
    """Drop from the key file what :func:`unneeded` names, and return it. Another store's key would be lost with it.

    Raises ConfigError if the file cannot be written.
    """
    dropped = unneeded(keys)
    if source.file is not None and dropped:
        keep_keys(source.file, [key_id for key_id in keys.ring.key_ids if key_id not in dropped])
    return dropped


def _batch(keys: KeyStore, key_id: str) -> int:
    rows = (
        select(data_keys.c.key_ref, data_keys.c.key_id, data_keys.c.wrapped)
        .where(data_keys.c.key_id != key_id)
        .order_by(data_keys.c.key_ref)
        .limit(BATCH)
    )
    with keys.database.reading() as connection:
        found = connection.execute(rows).all()
    # Outside of the transaction: a key management service takes its time, and nobody waits for it.
    wrapped = [
        (row, keys.ring.wrap(key_id, keys.ring.unwrap(row.key_id, row.wrapped, row.key_ref), row.key_ref))
        for row in found
    ]
    with keys.database.writing() as connection:
        for row, anew in wrapped:
            # Never an insert: a key destroyed meanwhile stays destroyed.
            connection.execute(
                update(data_keys)
                .where(data_keys.c.key_ref == row.key_ref, data_keys.c.key_id == row.key_id)
                .values(key_id=key_id, wrapped=anew)
            )
    return len(found)
