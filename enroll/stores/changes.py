"""Which people were changed, in order: how a gallery that is kept in memory follows the store.

    change of a person  →  a row (seq, key_ref) in the same transaction  →  whoever reads behind `seq` learns of it

The row names the person by the reference of the data key, a random number that leads to nobody once the person is
erased. A transaction takes its number when it writes and shows it when it commits: on PostgreSQL a lower number may
appear after a higher one. So a :class:`Position` remembers the numbers that were missing below it, and they are looked
for again. Numbers that stay missing, because a transaction failed, are given up once `PATIENCE` later ones were seen.

Only the latest `KEPT` changes are kept. Whoever comes from further back, or from another history (a backup was put in
place), is told to read everybody anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select

from enroll.stores.schema import changes

KEPT = 200_000
PATIENCE = 1_000
AT_ONCE = 1_000
_PRUNE_EVERY = 1_000

_BEHIND = (
    select(changes.c.seq, changes.c.key_ref)
    .where(changes.c.seq >= bindparam("last"))
    .order_by(changes.c.seq)
    .limit(AT_ONCE + 1)
)
_AMONG = select(changes.c.seq, changes.c.key_ref).where(changes.c.seq.in_(bindparam("missing", expanding=True)))
_LATEST = select(changes.c.seq, changes.c.key_ref).order_by(changes.c.seq.desc()).limit(PATIENCE)


@dataclass(frozen=True, slots=True)
class Position:
    """How far changes were read.

    Attributes
    ----------
    last : the highest number seen, 0 before any.
    ref : whom the change of that number concerned: another one there means another history.
    missing : lower numbers that were not there yet, ascending.
    """

    last: int = 0
    ref: str = ""
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """Who was changed, each once, and from where to read on; `more`: there is more behind it."""

    refs: tuple[str, ...]
    position: Position
    more: bool = False


def note_change(connection: Connection, key_ref: str) -> None:
    """Within the transaction that changes, adds or removes a person."""
    result = connection.execute(insert(changes).values(key_ref=key_ref))
    [seq] = result.inserted_primary_key or (0,)
    if seq % _PRUNE_EVERY == 0:
        connection.execute(delete(changes).where(changes.c.seq <= seq - KEPT))


def latest(connection: Connection) -> Position:
    """The position from which on nothing is missed of what is not to be read yet."""
    rows = connection.execute(_LATEST).all()
    if not rows:
        return Position()
    return _position(
        Position(max(0, int(rows[0].seq) - PATIENCE)), [(int(row.seq), row.key_ref) for row in reversed(rows)]
    )


def since(connection: Connection, position: Position) -> Changed | None:
    """The changes behind `position`, at most some thousand; None where it belongs to no history that is kept."""
    rows = [(int(row.seq), row.key_ref) for row in connection.execute(_BEHIND, {"last": position.last})]
    if position.last and (not rows or rows[0] != (position.last, position.ref)):
        return None
    late = connection.execute(_AMONG, {"missing": list(position.missing)}).all() if position.missing else []
    seen = [(int(row.seq), row.key_ref) for row in late] + rows[1 if position.last else 0 :]
    return changed(position, seen, more=len(rows) > AT_ONCE)


def changed(position: Position, seen: Sequence[tuple[int, str]], *, more: bool = False) -> Changed:
    """What `seen`, numbers and whom they concern, amounts to."""
    return Changed(tuple(dict.fromkeys(ref for _, ref in seen)), _position(position, seen), more)


def _position(before: Position, seen: Sequence[tuple[int, str]]) -> Position:
    refs = dict(seen)
    last = max([before.last, *refs])
    missing = ({*before.missing} | set(range(max(before.last + 1, last - PATIENCE + 1), last))) - refs.keys()
    ref = refs.get(last, before.ref)
    return Position(last, ref, tuple(sorted(number for number in missing if number > last - PATIENCE)))
