"""Lock-out: after how many rejections, for how long, of whom, and in how much memory."""

import threading
from collections.abc import Callable, Mapping

import pytest

from encode.errors import LockedOut, TooFewReferences
from encode.sample import ImageSample, Modality
from enroll.stores.sql import SqlStore
from verify.access.claims import REJECTIONS_OF_A_CALLER
from verify.access.lockout import FIRST_WAIT, FORGET_SECONDS, LONGEST_WAIT, Lockout
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings

Face = Callable[..., ImageSample]


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def claim(lockout: Lockout, person: str, accepted: bool) -> None:
    with lockout.attempt("staff", person) as attempt:
        attempt.decide(accepted)


def wait_of(lockout: Lockout, person: str) -> float:
    with pytest.raises(LockedOut) as caught, lockout.attempt("staff", person):
        pass
    return caught.value.retry_after


def test_after_five_rejections_the_wait_doubles_up_to_an_hour(clock: Clock) -> None:
    lockout = Lockout(5, "of this person", clock=clock)
    for _ in range(5):
        claim(lockout, "ada", False)
    waits = []
    for _ in range(10):
        waits.append(wait_of(lockout, "ada"))
        clock.seconds += waits[-1]
        claim(lockout, "ada", False)
    assert waits == [min(LONGEST_WAIT, FIRST_WAIT * 2**n) for n in range(10)]


def test_asking_while_locked_does_not_make_it_longer_and_an_accepted_claim_starts_over(clock: Clock) -> None:
    lockout = Lockout(2, "of this person", clock=clock)
    for _ in range(2):
        claim(lockout, "ada", False)
    assert [wait_of(lockout, "ada") for _ in range(3)] == [FIRST_WAIT] * 3
    clock.seconds += FIRST_WAIT
    claim(lockout, "ada", True)
    claim(lockout, "ada", False)
    claim(lockout, "ada", True)
    assert len(lockout) == 0


def test_people_are_counted_apart_and_names_do_not_run_together(clock: Clock) -> None:
    lockout = Lockout(1, "of this person", clock=clock)
    with lockout.attempt("staff", "ada") as attempt:
        attempt.decide(False)
    assert wait_of(lockout, "ada") == FIRST_WAIT
    for name in (("staff", "bob"), ("staffa", "da"), ("staf", "fada"), ("visitors", "ada")):
        with lockout.attempt(*name):
            pass


def test_an_attempt_without_a_verdict_counts_for_nothing(clock: Clock) -> None:
    lockout = Lockout(1, "of this person", clock=clock)
    for _ in range(9):
        with pytest.raises(TooFewReferences), lockout.attempt("staff", "ada"):
            raise TooFewReferences("cannot be compared")
    assert len(lockout) == 0


def test_claims_at_once_are_no_way_around_it(clock: Clock) -> None:
    """A hundred threads that all ask before any has been answered get no more tries than one that asks in turn."""
    lockout = Lockout(5, "of this person", clock=clock)
    begin, end, tried = threading.Barrier(100), threading.Barrier(100), []

    def run() -> None:
        begin.wait()
        try:
            with lockout.attempt("staff", "ada") as attempt:
                tried.append(1)
                end.wait()
                attempt.decide(False)
        except LockedOut:
            end.wait()

    threads = [threading.Thread(target=run) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tried) == 5
    assert wait_of(lockout, "ada") == FIRST_WAIT
    clock.seconds += FIRST_WAIT
    with lockout.attempt("staff", "ada"):
        assert wait_of(lockout, "ada") == 1.0


def test_a_day_without_a_rejection_is_forgotten(clock: Clock) -> None:
    lockout = Lockout(2, "of this person", clock=clock)
    claim(lockout, "ada", False)
    clock.seconds += FORGET_SECONDS + 1
    claim(lockout, "ada", False)
    claim(lockout, "ada", False)
    assert wait_of(lockout, "ada") == FIRST_WAIT


def test_memory_is_bounded_and_holds_no_name(clock: Clock) -> None:
    lockout = Lockout(5, "of this person", clock=clock, capacity=100)
    for number in range(1_000):
        claim(lockout, f"person-{number}", False)
    assert len(lockout) == 100
    assert all(isinstance(key, bytes) and len(key) == 16 for key in lockout._records)


def test_a_service_locks_people_out_alike_whether_they_exist_or_not(
    models: Mapping[Modality, Model], sql_store: SqlStore, make_token: Callable[..., str], face: Face
) -> None:
    kiosk, desk = make_token("verify:staff"), make_token("enroll:staff", "verify:staff")
    settings = ServiceSettings(port=0, access="tokens", lockout_rejections=3, calls_per_second=0)
    with serving(models, sql_store, settings) as address, Client(address, token=desk) as enrolling:
        enrolling.enroll("staff", "eve", [face(1), face(1, 1)])
        with Client(address, token=kiosk) as client:
            for person in ("eve", "not there"):
                for _ in range(3):
                    assert not client.verify("staff", person, [face(2)]).accepted
                with pytest.raises(LockedOut) as caught:
                    client.verify("staff", person, [face(2)])
                assert 25.0 < caught.value.retry_after <= FIRST_WAIT
            # The genuine person has to wait as well, at whatever door; others need not.
            with pytest.raises(LockedOut):
                enrolling.verify("staff", "eve", [face(1, 2)])
            enrolling.enroll("staff", "bob", [face(3)])
            assert client.verify("staff", "bob", [face(3, 1)]).accepted


def test_a_caller_who_tries_many_people_is_locked_out(
    models: Mapping[Modality, Model], sql_store: SqlStore, make_token: Callable[..., str], face: Face
) -> None:
    kiosk, other = make_token("verify:staff"), make_token("verify:staff")
    settings = ServiceSettings(port=0, access="tokens", lockout_rejections=1, calls_per_second=0)
    with serving(models, sql_store, settings) as address, Client(address, token=kiosk) as client:
        for number in range(REJECTIONS_OF_A_CALLER):
            assert not client.verify("staff", f"guess {number}", [face(2)]).accepted
        with pytest.raises(LockedOut, match="by this caller"):
            client.verify("staff", "another guess", [face(2)])
        with Client(address, token=other) as another:
            assert not another.verify("staff", "another guess", [face(2)]).accepted
