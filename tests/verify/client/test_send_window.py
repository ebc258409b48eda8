"""How fast a batch is sent: additive increase, multiplicative decrease."""

import pytest

from verify.client.send_window import DEFAULT_WAIT, SendWindow
from verify.messages import MAX_MESSAGE_BYTES


def test_a_window_opens_full() -> None:
    window = SendWindow(8)
    assert [window.room(out, 0) for out in (0, 7, 8)] == [True, True, False]
    assert window.wait(5.0) == 0.0


def test_bytes_count_too_but_one_message_may_always_go() -> None:
    window = SendWindow(8)
    assert not window.room(1, MAX_MESSAGE_BYTES)
    assert window.room(1, MAX_MESSAGE_BYTES - 1)
    assert window.room(0, MAX_MESSAGE_BYTES)


def test_later_halves_once_a_moment_and_holds_back() -> None:
    window = SendWindow(32)
    window.refused(2.0, now=10.0)
    window.refused(1.0, now=10.5)
    assert window.allowed == 16
    assert window.wait(10.5) == pytest.approx(1.5)
    window.refused(1.0, now=12.0)
    assert window.allowed == 8


def test_where_nothing_is_said_of_when_it_waits_a_little() -> None:
    window = SendWindow(4)
    window.refused(0.0, now=1.0)
    assert window.wait(1.0) == pytest.approx(DEFAULT_WAIT)


def test_it_never_closes_for_good_and_opens_again() -> None:
    window = SendWindow(4)
    for moment in range(20):
        window.refused(0.1, now=float(moment))
    assert window.allowed == 1
    assert window.room(0, 0)
    for _ in range(100):
        window.answered()
    assert window.allowed == 4
