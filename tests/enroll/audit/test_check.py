"""Whatever is done to an audit log is found; what was not touched is found intact."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enroll.audit.chain import START, AuditKeys, Head, following
from enroll.audit.check import MAX_FINDINGS, Checked, Damage, Row, SealedHead, check_chain, check_stored
from enroll.audit.event import Action, AuditEvent, Outcome

KEYS = AuditKeys.derive(b"k" * 32)
OTHER_KEYS = AuditKeys.derive(b"o" * 32)
AT = datetime(2025, 3, 1, tzinfo=UTC)

Log = tuple[list[Row], SealedHead]


def sealed(head: Head, keys: AuditKeys = KEYS) -> SealedHead:
    return SealedHead(head, keys.seal(head))


def chained(entries: list[bytes]) -> list[Row]:
    rows, head = [], START
    for entry in entries:
        head = following(head, entry)
        rows.append(Row(head.sequence, entry, head.link))
    return rows


def written(count: int) -> Log:
    """A log of `count` decisions."""
    rows = chained(
        [
            AuditEvent(Action.VERIFY, Outcome.REJECTED, collection="staff", person=f"p{number % 3}").entry(KEYS, AT)
            for number in range(count)
        ]
    )
    return rows, sealed(end_of(rows))


def end_of(rows: list[Row]) -> Head:
    return Head(rows[-1].sequence, rows[-1].link)


def check(log: Log, **options: object) -> Checked:
    rows, head = log
    return check_stored(rows, head, KEYS, **options)  # type: ignore[arg-type]


logs = st.integers(2, 12).map(written)


@st.composite
def places(draw: st.DrawFn, least: int = 1) -> tuple[Log, list[int]]:
    """A log and `least` different places in it, in any order."""
    log = draw(logs)
    chosen = draw(st.lists(st.integers(0, len(log[0]) - 1), min_size=least, max_size=least, unique=True))
    return log, chosen


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def naive_is_intact(rows: list[Row], stored: SealedHead) -> bool:
    """All of the chain anew, from the definition."""
    link = hashlib.sha256(b"countersign audit log, format 1").digest()
    for number, row in enumerate(rows, 1):
        link = hashlib.sha256(link + number.to_bytes(8, "big") + row.entry).digest()
        if (row.sequence, row.link) != (number, link):
            return False
    return stored == SealedHead(Head(len(rows), link), KEYS.seal(Head(len(rows), link)))


@given(logs)
def test_an_untouched_log_is_intact_also_from_any_place_on_and_against_any_head(log: Log) -> None:
    rows, _ = log
    assert naive_is_intact(*log)
    heads = [Head(row.sequence, row.link) for row in rows]
    assert check(log, kept=heads) == Checked(len(rows), heads[-1], ())
    for place, head in enumerate(heads):
        assert check((rows[place + 1 :], log[1]), after=head, kept=[head, heads[-1]]).intact


@given(places(), st.integers(0, 10_000), st.sampled_from(["entry", "link"]))
def test_any_flipped_bit_is_found_where_it_is(made: tuple[Log, list[int]], bit: int, part: str) -> None:
    (rows, head), [place] = made
    rows[place] = replace(rows[place], **{part: flipped(getattr(rows[place], part), bit)})
    assert not naive_is_intact(rows, head)
    checked = check((rows, head))
    assert not checked.intact
    # A link that was changed shows at the next entry too, and at the head if it was the last.
    assert {finding.damage for finding in checked.findings} == {Damage.CHANGED}
    assert checked.findings[0].sequence == rows[place].sequence


@given(places(), st.data())
def test_any_missing_entries_are_found(made: tuple[Log, list[int]], data: st.DataObject) -> None:
    (rows, head), _ = made
    gone = data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=1, max_size=len(rows) - 1))
    left = [row for place, row in enumerate(rows) if place not in gone]
    assert not naive_is_intact(left, head)
    damages = {finding.damage for finding in check((left, head)).findings}
    assert damages <= {Damage.MISSING, Damage.TRUNCATED}
    assert (Damage.TRUNCATED in damages) is (len(rows) - 1 in gone)
    assert damages


@given(places(2))
def test_entries_that_changed_places_are_found_with_or_without_their_links_and_numbers(
    made: tuple[Log, list[int]],
) -> None:
    (rows, head), [a, b] = made
    one, other = rows[a], rows[b]
    for swapped in (
        {a: other, b: one},
        {a: replace(other, sequence=one.sequence), b: replace(one, sequence=other.sequence)},
        {a: replace(one, entry=other.entry), b: replace(other, entry=one.entry)},
    ):
        mixed = [swapped.get(place, row) for place, row in enumerate(rows)]
        # Two decisions of one moment about one person are the same entry: nothing has been changed then.
        intact = naive_is_intact(mixed, head)
        assert check((mixed, head)).intact is intact
        assert intact is (mixed == rows)


@given(places(), st.booleans())
def test_an_entry_put_in_is_found_also_if_all_after_it_was_computed_anew(
    made: tuple[Log, list[int]], anew: bool
) -> None:
    (rows, head), [place] = made
    forged = AuditEvent(Action.VERIFY, Outcome.ACCEPTED, collection="staff", person="eve").entry(OTHER_KEYS, AT)
    if anew:
        mixed = chained([row.entry for row in rows[:place]] + [forged] + [row.entry for row in rows[place:]])
    else:
        before = START if place == 0 else end_of(rows[:place])
        into = following(before, forged)
        moved = [replace(row, sequence=row.sequence + 1) for row in rows[place:]]
        mixed = [*rows[:place], Row(into.sequence, forged, into.link), *moved]
    assert not check((mixed, head)).intact
    # Nor does a head help that says just this, without the key or with another.
    for stored in (replace(head, head=end_of(mixed)), sealed(end_of(mixed), OTHER_KEYS)):
        assert Damage.HEAD_NOT_SEALED in {finding.damage for finding in check((mixed, stored)).findings}


@given(places())
def test_a_log_put_back_with_its_own_earlier_head_is_found_by_a_head_kept_elsewhere(
    made: tuple[Log, list[int]],
) -> None:
    (rows, _), [place] = made
    earlier = rows[: place + 1]
    put_back = (earlier, sealed(end_of(earlier)))
    assert check(put_back).intact  # this is what the database alone cannot tell
    [*found] = check(put_back, kept=[end_of(rows)]).findings
    assert [finding.damage for finding in found] == ([] if place == len(rows) - 1 else [Damage.TRUNCATED])


@given(places())
def test_another_log_with_the_right_key_is_found_by_a_head_kept_elsewhere(made: tuple[Log, list[int]]) -> None:
    (rows, _), [place] = made
    other = chained([b"{}", *(row.entry for row in rows[1:])])
    assert check((other, sealed(end_of(other)))).intact
    kept = Head(rows[place].sequence, rows[place].link)
    [finding] = check((other, sealed(end_of(other))), kept=[kept]).findings
    assert (finding.damage, finding.sequence) == (Damage.NOT_AS_KEPT, kept.sequence)


@given(places())
def test_entries_beyond_the_head_are_found(made: tuple[Log, list[int]]) -> None:
    (rows, _), [place] = made
    [*found] = check((rows, sealed(end_of(rows[: place + 1])))).findings
    assert [finding.damage for finding in found] == ([] if place == len(rows) - 1 else [Damage.BEYOND_HEAD])


def test_a_log_without_a_head_is_found() -> None:
    rows, _ = written(3)
    [finding] = check_stored(rows, None, KEYS).findings
    assert finding.damage is Damage.HEAD_MISSING


def test_an_emptied_log_is_found() -> None:
    _, head = written(3)
    [finding] = check(([], head)).findings
    assert finding.damage is Damage.TRUNCATED


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: replace(row, sequence=-1),
        lambda row: replace(row, sequence=2**70),
        lambda row: replace(row, link=b""),
        lambda row: replace(row, link=row.link + b"\0"),
        lambda row: replace(row, entry=b""),
        lambda row: replace(row, entry=b"\xff\xfe"),
    ],
)
def test_values_that_no_service_writes_are_findings_too(spoil: Callable[[Row], Row]) -> None:
    rows, head = written(4)
    for place in range(4):
        spoilt = [spoil(row) if row is rows[place] else row for row in rows]
        assert not check((spoilt, head)).intact
    stored = replace(head, head=end_of([spoil(rows[-1])]))
    assert check((rows, stored)).intact is (stored == head)


def test_findings_are_limited() -> None:
    rows, head = written(3 * MAX_FINDINGS)
    broken = [replace(row, entry=b"{}") for row in rows]
    assert len(check((broken, head)).findings) == MAX_FINDINGS


def test_without_a_key_the_chain_itself_is_checked() -> None:
    rows, _ = written(5)
    assert check_chain(rows).intact
    assert not check_chain([*rows[:2], *rows[3:]]).intact
    assert check_chain(rows[:3]).intact
    assert not check_chain(rows[:3], kept=[end_of(rows)]).intact


def test_a_head_from_before_the_part_that_is_checked_is_not_passed_over() -> None:
    rows, head = written(5)
    early, middle = end_of(rows[:1]), end_of(rows[:3])
    [finding] = check((rows[3:], head), after=middle, kept=[early]).findings
    assert (finding.damage, finding.sequence) == (Damage.NOT_AS_KEPT, 1)
