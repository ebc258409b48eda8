"""After a power cut: what the disk had confirmed is there, what it had not is there whole or not at all.

The cuts are made on photographs of the files: a log cut at any byte, its end torn, pages half written; data and key
store each at the moment before or after the last write, in every combination.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import pytest

from encode.errors import StoreCorrupt, StoreError
from enroll.stores.reconcile import reconcile
from enroll.stores.sql import SqlStore

DATA, KEYS = "people.sqlite", "people.sqlite.keystore"
LOG = "-wal"
HEADER, FRAME = 32, 24 + 4096

Reopen = Callable[..., AbstractContextManager[SqlStore]]
Versions = Callable[[SqlStore], dict[str, int]]
Intact = Callable[..., bool]
Files = dict[str, bytes]


@pytest.fixture
def history(photographed: Any) -> Any:
    """Enrolments new and further, and one erasure, each photographed."""
    for person in ("ada", "bob", "ada", "eve"):
        photographed.enroll(person)
    photographed.erase("bob")
    for person in ("bob", "ada"):
        photographed.enroll(person)
    return photographed


def cuts(before: bytes, after: bytes, draw: random.Random) -> Iterator[int]:
    """Lengths of a log that grew from `before` to `after`: every frame's ends and header's, and some in between."""
    frames = range((len(before) - HEADER) // FRAME, (len(after) - HEADER) // FRAME + 1)
    edges = {HEADER + FRAME * frame + offset for frame in frames for offset in (-1, 0, 24)}
    edges |= {draw.randrange(len(before), len(after) + 1) for _ in range(2)}
    yield from sorted(edge for edge in edges if len(before) <= edge <= len(after))


def torn(log: bytes, cut: int, draw: random.Random) -> Iterator[bytes]:
    """The log up to `cut`, and behind it nothing, zeros, or what lay on the disk before."""
    behind = len(log) - cut
    yield log[:cut] + draw.choice([b"", bytes(behind), draw.randbytes(behind)])


def pairs(moments: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Moments one after the other between which the data's log only grew: an enrolment, without a checkpoint."""
    for before, after in pairwise(moments):
        if after.data[DATA + LOG].startswith(before.data[DATA + LOG]) and before.data[DATA + LOG]:
            yield before, after


def test_a_log_cut_anywhere_keeps_what_was_answered_before(
    history: Any, reopened: Reopen, versions: Versions, chain_intact: Intact
) -> None:
    draw, tried = random.Random(1), 0
    for before, after in pairs(history.moments):
        log = after.data[DATA + LOG]
        for cut in cuts(before.data[DATA + LOG], log, draw):
            for end in torn(log, cut, draw):
                tried += 1
                # An enrolment's key is on the disk before its rows are, and the revision is noted after them.
                with reopened({**after.data, DATA + LOG: end}, after.keys_during) as store:
                    assert versions(store) in (before.answered, after.answered)
                    assert chain_intact(store)
    assert tried > 80


def test_a_log_of_the_key_store_cut_anywhere_takes_nobody_along(
    history: Any, reopened: Reopen, versions: Versions
) -> None:
    draw = random.Random(1)
    for before, after in pairs(history.moments):
        for answered, data, first, last in (
            (before.answered, before.data, before.keys, after.keys_during),
            (after.answered, after.data, after.keys_during, after.keys),
        ):
            for cut in cuts(first[KEYS + LOG], last[KEYS + LOG], draw):
                for end in torn(last[KEYS + LOG], cut, draw):
                    with reopened(data, {**last, KEYS + LOG: end}) as store:
                        assert versions(store) == answered


def test_the_whole_log_is_there_without_the_shared_memory_beside_it(
    history: Any, reopened: Reopen, versions: Versions, chain_intact: Intact
) -> None:
    for moment in history.moments:
        with reopened(moment.data, moment.keys) as store:
            assert versions(store) == moment.answered
            assert chain_intact(store)
        stale = {DATA + "-shm": random.Random(1).randbytes(32_768), KEYS + "-shm": b"\xff" * 32_768}
        with reopened(moment.data, moment.keys, stale) as store:
            assert versions(store) == moment.answered


@pytest.mark.parametrize(("newer", "older"), [("data", "keys"), ("keys", "data")])
def test_one_of_the_two_files_is_a_write_behind(
    history: Any, reopened: Reopen, versions: Versions, chain_intact: Intact, newer: str, older: str
) -> None:
    """A disk that lied about one of them: nobody is taken for who they were, and `db reconcile` puts it right."""
    for before, after in pairwise(history.moments):
        parts = {newer: getattr(after, newer), older: getattr(before, older)}
        with reopened(parts["data"], parts["keys"]) as store:
            told = (before if older == "data" else after).answered
            damaged = {person for person in told if refused(store, person)}
            assert {person for person in damaged if before.answered.get(person) == after.answered.get(person)} == set()
            reconcile(store.database, store.keys)
            found = versions(store)
            assert damaged >= told.keys() - found.keys()
            assert found == {person: told[person] for person in found}
            assert chain_intact(store)


def refused(store: SqlStore, person: str) -> bool:
    """Whether the person's rows are called damaged, with what to do about it."""
    try:
        store.get("staff", person)
    except StoreCorrupt as error:
        return "countersign db reconcile" in (error.fix or "")
    return False


def test_pages_half_written_by_a_checkpoint_are_taken_from_the_log(
    photographed: Any, reopened: Reopen, versions: Versions, chain_intact: Intact
) -> None:
    """The log is emptied only once the file is on the disk: until then the file's own pages may be anything."""
    for person in ("ada", "bob", "eve"):
        photographed.enroll(person)
    logged = photographed.photograph()
    assert photographed.store.database.scrub()
    copied = photographed.photograph().data[DATA]
    draw = random.Random(1)
    assert len(copied) > len(logged.data[DATA])
    for _ in range(30):
        file = bytearray(logged.data[DATA].ljust(len(copied), b"\0"))
        for start in range(0, len(copied), 512):
            if draw.random() < 0.5:
                file[start : start + 512] = copied[start : start + 512]
        size = draw.choice([len(copied), draw.randrange(len(logged.data[DATA]), len(copied))])
        with reopened({**logged.data, DATA: bytes(file[:size])}, logged.keys) as store:
            assert versions(store) == logged.answered
            assert chain_intact(store)


@pytest.mark.parametrize("name", [DATA, KEYS])
def test_a_log_whose_head_is_garbage_is_not_passed_over_in_silence(
    photographed: Any, reopened: Reopen, name: str
) -> None:
    """SQLite takes such a log for empty, and everything in it for never written."""
    photographed.enroll("ada")
    moment = photographed.moments[-1]
    files = {**moment.data, **moment.keys}
    for start in (0, 4, 8, 16, 24, 28):
        log = bytearray(files[name + LOG])
        log[start] ^= 0x5A
        with pytest.raises(StoreCorrupt, match="log") as caught, reopened({**files, name + LOG: bytes(log)}):
            pass
        assert "countersign db restore" in (caught.value.fix or "")


def test_a_log_damaged_in_its_middle_is_told_by_a_head_kept_elsewhere(
    photographed: Any, reopened: Reopen, versions: Versions, chain_intact: Intact
) -> None:
    """No power cut, but a disk that changes what it confirmed: SQLite drops all that follows, without a word."""
    writer = photographed.store.audit_writer()
    for person in ("ada", "bob", "eve"):
        photographed.enroll(person)
    head = writer.confirmed
    writer.close()
    moment = photographed.moments[-1]
    begun = len(photographed.moments[1].data[DATA + LOG])
    log = bytearray(moment.data[DATA + LOG])
    log[begun + 100] ^= 1
    with reopened(moment.data, moment.keys) as store:
        assert chain_intact(store, head)
    with reopened({**moment.data, DATA + LOG: bytes(log)}, moment.keys) as store:
        assert versions(store) == {"ada": 1}
        assert chain_intact(store)
        assert not chain_intact(store, head)


@pytest.mark.parametrize("name", [DATA, KEYS])
def test_a_log_that_was_never_begun_is_no_damage(
    photographed: Any, reopened: Reopen, versions: Versions, name: str
) -> None:
    """Power that goes before the first write is confirmed leaves a log of no bytes, or of zeros."""
    photographed.enroll("ada")
    assert photographed.store.database.scrub()
    assert photographed.store.keys.database.scrub()
    moment = photographed.photograph()
    for log in (b"", b"\0" * 31, b"\0" * 32, b"\0" * FRAME):
        with reopened({**moment.data, **moment.keys, name + LOG: log}) as store:
            assert versions(store) == moment.answered


@pytest.mark.parametrize("name", [DATA, KEYS])
def test_a_damaged_file_is_an_error_or_changes_nothing(photographed: Any, reopened: Reopen, name: str) -> None:
    """A page of the file itself lost or garbled: never another person's template, never half a person."""
    for person in ("ada", "bob", "eve"):
        photographed.enroll(person)
    assert photographed.store.database.scrub()
    assert photographed.store.keys.database.scrub()
    moment = photographed.photograph()
    whole = {person: photographed.store.get("staff", person)[0].to_bytes() for person in moment.answered}
    files, draw, told = {**moment.data, **moment.keys}, random.Random(2), 0
    pages = len(files[name]) // 4096
    damaged = [files[name][: 4096 * (pages - 1) + cut] for cut in (0, 1, 512, 4095)]
    damaged += [
        files[name][: 4096 * page] + garbage + files[name][4096 * (page + 1) :]
        for page in range(pages)
        for garbage in (bytes(4096), draw.randbytes(4096))
    ]
    for content in damaged:
        try:
            with reopened({**files, name: content}) as store:
                for person, stored in whole.items():
                    assert [one.to_bytes() for one in store.get("staff", person)] in ([stored], [])
        except StoreError as error:
            told += bool(error.fix)
    assert told > len(damaged) // 4
