"""The queue that callers share."""

from verify.fair_queue import FairQueue


def filled(*items: tuple[str, int]) -> FairQueue[int]:
    queue: FairQueue[int] = FairQueue()
    for owner, item in items:
        queue.put(owner, item)
    return queue


def drained(queue: FairQueue[int]) -> list[int]:
    taken = []
    while (item := queue.take()) is not None:
        taken.append(item)
    assert len(queue) == 0
    return taken


def test_callers_take_turns_and_each_keeps_its_order() -> None:
    assert drained(filled(("a", 1), ("a", 2), ("a", 3), ("b", 10), ("c", 20), ("b", 11))) == [1, 10, 20, 2, 11, 3]


def test_a_caller_who_comes_back_stands_behind_the_others() -> None:
    queue = filled(("a", 1), ("b", 10), ("b", 11))
    assert queue.take() == 1
    queue.put("a", 2)
    assert drained(queue) == [10, 2, 11]


def test_before_a_new_item_stand_its_owners_own_and_as_many_of_each_other() -> None:
    queue = filled(("a", 1), ("a", 2), ("a", 3), ("b", 10))
    assert [queue.ahead_of(owner) for owner in "abc"] == [4, 3, 2]
    for owner, ahead in (("a", 4), ("b", 3), ("c", 2)):
        again = filled(("a", 1), ("a", 2), ("a", 3), ("b", 10))
        again.put(owner, 99)
        assert drained(again).index(99) <= ahead


def test_an_item_is_withdrawn_once() -> None:
    queue = filled(("a", 1), ("a", 2))
    assert queue.withdraw("a", 1)
    assert not queue.withdraw("a", 1)
    assert not queue.withdraw("b", 2)
    assert queue.withdraw("a", 2)
    assert drained(queue) == []


def test_who_has_most_gives_way_to_who_has_at_least_two_fewer() -> None:
    queue = filled(("a", 1), ("a", 2), ("a", 3), ("b", 10))
    assert queue.give_way("a") is None
    assert queue.give_way("c") == 3
    assert queue.give_way("b") is None
    assert len(queue) == 3
    assert queue.give_way("c") == 2
    assert queue.give_way("c") is None
    assert FairQueue[int]().give_way("a") is None


def test_asking_whether_somebody_would_give_way_takes_nothing_out() -> None:
    queue = filled(("a", 1), ("a", 2), ("a", 3), ("b", 10))
    assert queue.gives_way("c")
    assert queue.gives_way("c")
    assert not queue.gives_way("a")
    assert queue.gives_way("b")
    assert not FairQueue[int]().gives_way("a")
    assert len(queue) == 4
