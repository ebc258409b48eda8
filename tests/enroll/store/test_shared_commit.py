"""Group commit: what is shared, what is not, and whose error is whose."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from enroll.stores.shared_commit import MOST, SharedCommit


class Disk:
    """Transactions over a list: what is committed, in which groups."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    @contextmanager
    def transaction(self) -> Iterator[list[str]]:
        written: list[str] = []
        self.entered.release()
        assert self.gate.wait(20)
        yield written
        if "full" in written:
            raise OSError("the disk is full")
        self.groups.append(written)


def write(name: str, shared: SharedCommit[list[str]]) -> str:
    def work(session: list[str]) -> str:
        session.append(name)
        if name == "wrong":
            raise LookupError(name)
        return name.upper()

    return shared.run(work)


def test_one_alone_is_committed_alone() -> None:
    disk = Disk()
    assert write("a", SharedCommit(disk.transaction, shared=True)) == "A"
    assert disk.groups == [["a"]]


def together(disk: Disk, names: list[str]) -> dict[str, str]:
    """Write `names` while the disk is busy with another; what each thread returned or raised."""
    shared = SharedCommit(disk.transaction, shared=True)

    def outcome(name: str) -> str:
        try:
            return write(name, shared)
        except (LookupError, OSError) as error:
            return repr(error)

    disk.gate.clear()
    with ThreadPoolExecutor(len(names) + 1) as pool:
        first = pool.submit(outcome, "first")
        assert disk.entered.acquire(timeout=20)
        running = {name: pool.submit(outcome, name) for name in names}
        while len(shared._waiting) < len(names):
            pass
        disk.gate.set()
        assert first.result(20) == "FIRST"
        return {name: one.result(20) for name, one in running.items()}


def test_those_who_come_while_the_disk_is_busy_share_one_commit() -> None:
    disk = Disk()
    told = together(disk, ["a", "b", "c"])
    assert told == {"a": "A", "b": "B", "c": "C"}
    assert [sorted(group) for group in disk.groups] == [["first"], ["a", "b", "c"]]


@pytest.mark.parametrize(("bad", "error"), [("wrong", "LookupError('wrong')"), ("full", "OSError('the disk is full')")])
def test_an_error_is_told_to_whose_it_is_and_the_others_are_committed(bad: str, error: str) -> None:
    disk = Disk()
    told = together(disk, ["a", bad, "c"])
    assert told == {"a": "A", bad: error, "c": "C"}
    assert sorted(disk.groups) == [["a"], ["c"], ["first"]]


def test_groups_are_bounded() -> None:
    disk = Disk()
    told = together(disk, [str(n) for n in range(MOST + 5)])
    assert len(told) == MOST + 5
    assert sorted(len(group) for group in disk.groups) == [1, 5, MOST]


def test_where_writers_need_not_wait_for_each_other_none_does() -> None:
    disk = Disk()
    shared = SharedCommit(disk.transaction, shared=False)
    disk.gate.clear()
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(write, name, shared) for name in "abc"]
        for _ in running:
            assert disk.entered.acquire(timeout=20)
        disk.gate.set()
        assert [one.result(20) for one in running] == ["A", "B", "C"]
    assert sorted(disk.groups) == [["a"], ["b"], ["c"]]
