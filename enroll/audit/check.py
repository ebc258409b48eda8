"""Checking an audit log: every edit, gap, reordering and truncation is found, and named by the entry it shows at.

    each row      link = SHA-256( link of the row before ‖ number ‖ entry )      edits, swaps, insertions, gaps
    the last row  is where the head says, and the head carries its seal          truncation, all links computed anew
    a head kept elsewhere lies on the chain                                      log and head put back together

One pass in constant memory. After a row that does not follow, the check goes on from that row as it stands, so that
each damage is told once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from enroll.audit.chain import START, AuditKeys, Head, following


@dataclass(frozen=True, slots=True)
class Row:
    """One stored row: number, entry, link (32 bytes unless it was damaged)."""

    sequence: int
    entry: bytes
    link: bytes


@dataclass(frozen=True, slots=True)
class SealedHead:
    """The head as stored, with its seal."""

    head: Head
    seal: bytes


class Damage(StrEnum):
    """What is wrong with a log."""

    CHANGED = "changed"
    MISSING = "missing"
    OUT_OF_ORDER = "out of order"
    TRUNCATED = "truncated"
    BEYOND_HEAD = "beyond the head"
    HEAD_MISSING = "no head"
    HEAD_NOT_SEALED = "head not sealed"
    NOT_AS_KEPT = "not as kept"


@dataclass(frozen=True, slots=True)
class Finding:
    """One damage, the number of the entry at which it shows, and a sentence about it."""

    damage: Damage
    sequence: int
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The entries looked at, where they end, and what is wrong with them: nothing, or the first findings in order."""

    entries: int
    end: Head
    findings: tuple[Finding, ...]

    @property
    def intact(self) -> bool:
        return not self.findings


MAX_FINDINGS = 100
"""Findings told: a log with more is no more broken for the rest."""


def check_stored(
    rows: Iterable[Row],
    stored: SealedHead | None,
    keys: AuditKeys,
    *,
    after: Head = START,
    kept: Iterable[Head] = (),
) -> Checked:
    """Check a database's log: its rows after `after` in order of their numbers, and its head.

    Parameters
    ----------
    after : where to begin, if not at the start: a head that an earlier check found intact.
    kept : heads kept elsewhere; each must lie on the chain.
    """
    checked = check_chain(rows, after=after, kept=kept)
    findings = [*checked.findings, *_against_head(checked.end, stored, keys)]
    return Checked(checked.entries, checked.end, tuple(findings[:MAX_FINDINGS]))


def check_chain(rows: Iterable[Row], *, after: Head = START, kept: Iterable[Head] = ()) -> Checked:
    """Check rows alone, such as those of an exported log: no key is needed, and only `kept` heads tell truncation."""
    expected: dict[int, set[Head]] = {}
    for head in kept:
        expected.setdefault(head.sequence, set()).add(head)
    findings: list[Finding] = []
    end, count = after, 0
    for row in rows:
        count += 1
        found = [*_follows(end, row)]
        end = Head(row.sequence, row.link)
        found += _as_kept(end, expected.pop(row.sequence, set()))
        findings += found[: MAX_FINDINGS - len(findings)]
    never_met = set().union(*expected.values())
    findings += [finding for head in never_met for finding in _never_met(head, after, end)]
    return Checked(count, end, tuple(findings[:MAX_FINDINGS]))


def _follows(before: Head, row: Row) -> Iterator[Finding]:
    wanted = before.sequence + 1
    if row.sequence > wanted:
        span = f"entry {wanted} is" if row.sequence == wanted + 1 else f"entries {wanted} to {row.sequence - 1} are"
        yield Finding(Damage.MISSING, wanted, f"{span} missing")
    elif row.sequence < wanted:
        yield Finding(Damage.OUT_OF_ORDER, row.sequence, f"entry {row.sequence} stands after entry {before.sequence}")
    elif following(before, row.entry) != Head(row.sequence, row.link):
        earlier = f", or entry {before.sequence} with its link," if before.sequence else ""
        yield Finding(Damage.CHANGED, row.sequence, f"entry {row.sequence}{earlier} is not what was written")


def _as_kept(head: Head, kept: set[Head]) -> Iterator[Finding]:
    if kept - {head}:
        yield Finding(Damage.NOT_AS_KEPT, head.sequence, f"entry {head.sequence} is not the one of the head kept")


def _never_met(kept: Head, after: Head, end: Head) -> Iterator[Finding]:
    if kept.sequence > end.sequence:
        yield Finding(
            Damage.TRUNCATED, end.sequence, f"the log ends at entry {end.sequence}, the head kept is {kept.sequence}"
        )
    elif kept.sequence > after.sequence:
        yield Finding(Damage.MISSING, kept.sequence, f"entry {kept.sequence}, whose head was kept, is missing")
    elif kept != after:
        # It lies before what is checked, where nothing of it can be seen.
        yield Finding(Damage.NOT_AS_KEPT, kept.sequence, f"the head kept at {kept.sequence} lies before the check")


def _against_head(end: Head, stored: SealedHead | None, keys: AuditKeys) -> Iterator[Finding]:
    if stored is None:
        yield Finding(Damage.HEAD_MISSING, end.sequence, "the log has no head")
        return
    head = stored.head
    if not keys.sealed(head, stored.seal):
        yield Finding(Damage.HEAD_NOT_SEALED, head.sequence, "the head was not sealed with this key")
    if head.sequence > end.sequence:
        yield Finding(
            Damage.TRUNCATED, end.sequence, f"the log ends at entry {end.sequence}, the head says {head.sequence}"
        )
    elif head.sequence < end.sequence:
        yield Finding(
            Damage.BEYOND_HEAD,
            head.sequence + 1,
            f"entries up to {end.sequence} stand beyond the head at {head.sequence}",
        )
    elif head.link != end.link:
        yield Finding(Damage.CHANGED, end.sequence, f"entry {end.sequence} is not the one that the head was sealed on")
