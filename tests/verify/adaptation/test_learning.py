"""Which decided claims a template learns from, and what a failing store does to the answer: nothing."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from encode.errors import StoreUnavailable, VersionConflict
from encode.sample import ImageSample, Modality
from enroll.audit.event import NOBODY, AuditEvent
from enroll.stores.collection import CollectionSettings
from enroll.stores.memory import MemoryStore
from enroll.template import Template

Face = Callable[..., ImageSample]
DAY = timedelta(days=1)
STAFF = "staff"


def test_an_accepted_probe_waits_a_day_and_the_next_claim_makes_it_a_reference(gate: Any, face: Face) -> None:
    before = gate.template("ada")
    gate.claim("ada", [face(1, 10)])
    waiting = gate.template("ada")
    assert (waiting.quarantined, waiting.adapted_count, waiting.version) == (True, 0, before.version + 1)

    gate.clock.now += DAY - timedelta(minutes=1)
    gate.claim("ada", [face(1, 11)])
    assert gate.template("ada").version == waiting.version

    gate.clock.now += timedelta(minutes=1)
    gate.claim("ada", [face(1, 12)])
    learned = gate.template("ada")
    assert learned.adapted_count == 1
    assert learned.adapted.references[0].tobytes() == waiting.adapted.candidate.tobytes()
    # The claim that let the first one in waits in its turn.
    assert (learned.quarantined, learned.version) == (True, waiting.version + 2)
    assert learned.enrolled.tobytes() == before.enrolled.tobytes()


def test_the_probe_most_like_what_was_enrolled_is_learned_and_no_other(gate: Any, face: Face) -> None:
    samples = [face(1, shot) for shot in (20, 21, 22)]
    decision = gate.claim("ada", samples)
    identity = gate.verifier.models[Modality.FACE].identity
    (compared,) = decision.compared
    ratios = identity.llr(identity.fit(compared.template.enrolled), compared.probes)
    assert gate.template("ada").adapted.candidate.tobytes() == compared.probes[ratios.argmax()].tobytes()


@pytest.mark.parametrize(
    ("settings", "options", "learns"),
    [
        ({}, {}, True),
        ({"update_target_far": 0.0001}, {"target_far": 0.1}, True),
        ({"update_target_far": 0.01}, {"target_far": 0.1}, True),
        ({"adapt": False}, {}, False),
        ({}, {"accept_partial": True}, False),
        ({"update_target_far": 0.01}, {"target_far": 0.01}, False),
        ({"update_target_far": 0.01}, {"target_far": 0.001}, False),
        ({}, {"target_far": 0.0001}, False),
        ({"update_target_far": 0.005}, {"target_far": 0.1}, False),
        ({"max_drift": 1e-6}, {}, False),
    ],
)
def test_what_a_claim_must_be_to_be_learned_from(
    gate: Any, face: Face, settings: dict[str, Any], options: dict[str, Any], learns: bool
) -> None:
    gate.store.configure(STAFF, replace(gate.store.settings_of(STAFF), **settings))
    assert gate.claim("ada", [face(1, 10)], **options).accepted
    assert gate.template("ada").quarantined == learns


def test_a_claim_accepted_on_part_of_what_was_sent_teaches_nothing(gate: Any, face: Face) -> None:
    decision = gate.verifier.verify(STAFF, "ada", [face(1, 10)])
    assert gate.adaptation.lesson(STAFF, "ada", decision) is not None
    from verify.decision import ModalityEvidence, Status

    missing = ModalityEvidence(Modality.SIGNATURE, None, "b" * 64, Status.UNUSABLE)
    partial = replace(decision, modalities=(*decision.modalities, missing), accept_partial=True)
    assert partial.accepted
    assert not partial.complete
    assert gate.adaptation.lesson(STAFF, "ada", partial) is None


def test_below_the_update_threshold_nothing_waits(gate: Any, face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = type(gate.verifier.models[Modality.FACE].identity)
    monkeypatch.setattr(identity, "llr", lambda self, person, probes: 2.5 + 0.0 * probes[..., 0].reshape(-1))
    assert gate.claim("ada", [face(1, 10)]).accepted
    assert gate.template("ada").adapted is None
    monkeypatch.setattr(identity, "llr", lambda self, person, probes: 3.0 + 0.0 * probes[..., 0].reshape(-1))
    gate.claim("ada", [face(1, 10)])
    assert gate.template("ada").quarantined


def test_a_rejected_claim_takes_the_candidate_away(gate: Any, face: Face) -> None:
    gate.claim("ada", [face(1, 10)])
    assert gate.template("ada").quarantined
    assert not gate.claim("ada", [face(2)]).accepted
    assert not gate.template("ada").quarantined
    version = gate.template("ada").version
    assert not gate.claim("ada", [face(2)]).accepted
    gate.claim("ada", [face(1, 11)])
    assert gate.template("ada").version == version
    gate.clock.now += DAY
    gate.claim("ada", [face(1, 12)])
    assert gate.template("ada").quarantined


def test_a_person_with_an_anchor_to_come_does_not_adapt(gate: Any, face: Face) -> None:
    gate.enroll("bob", [face(3, 0), face(3, 1)])
    assert gate.claim("bob", [face(3, 10)]).accepted
    assert gate.template("bob").adapted is None


def test_somebody_enrolled_anew_under_the_same_name_gets_nothing_of_the_claim_before(gate: Any, face: Face) -> None:
    decision = gate.verifier.verify(STAFF, "ada", [face(1, 10)])
    lesson = gate.adaptation.lesson(STAFF, "ada", decision)
    gate.enroller.erase(STAFF, "ada")
    gate.enroll("ada", [face(1, shot) for shot in range(3)])
    gate.adaptation.submit(lesson, NOBODY)
    gate.idle()
    assert gate.template("ada").adapted is None


def test_an_erased_person_is_not_brought_back(gate: Any, face: Face) -> None:
    lesson = gate.adaptation.lesson(STAFF, "ada", gate.verifier.verify(STAFF, "ada", [face(1, 10)]))
    gate.enroller.erase(STAFF, "ada")
    gate.adaptation.submit(lesson, NOBODY)
    gate.idle()
    assert gate.store.get(STAFF, "ada") == ()


def test_two_claims_at_once_make_one_candidate(gate: Any, face: Face) -> None:
    """Both were read before either was learned from: the second is judged by what is stored then."""
    decisions = [gate.verifier.verify(STAFF, "ada", [face(1, shot)]) for shot in (10, 11)]
    lessons = [gate.adaptation.lesson(STAFF, "ada", decision) for decision in decisions]
    for lesson in lessons:
        gate.adaptation.submit(lesson, NOBODY)
    gate.idle()
    assert gate.template("ada").version == 2
    assert gate.template("ada").adapted.candidate.tobytes() == decisions[0].compared[0].probes[0].tobytes()


def test_a_write_that_came_in_between_is_not_lost(gate: Any, face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = gate.adaptation.lesson(STAFF, "ada", gate.verifier.verify(STAFF, "ada", [face(1, 10)]))
    save, interrupted = gate.store.save, []

    def late(templates: list[Template], **options: Any) -> bytes:
        if not interrupted:
            interrupted.append(True)
            gate.enroll("ada", [face(1, 5)])
        answer: bytes = save(templates, **options)
        return answer

    monkeypatch.setattr(gate.store, "save", late)
    gate.adaptation.submit(lesson, NOBODY)
    gate.idle()
    stored = gate.template("ada")
    assert (len(stored.recent), stored.quarantined, stored.version) == (1, True, 3)


@pytest.mark.parametrize("failure", [VersionConflict, StoreUnavailable, RuntimeError])
def test_a_store_that_fails_costs_a_lesson_and_no_more(
    gate: Any, face: Face, monkeypatch: pytest.MonkeyPatch, log: io.StringIO, failure: type[Exception]
) -> None:
    def fail(*_: object, event: AuditEvent | None = None, **__: object) -> bytes:
        raise failure("the disk of ada is full")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryStore, "save", fail)
        assert gate.claim("ada", [face(1, 10)]).accepted
    assert gate.template("ada").adapted is None
    assert "disk" not in log.getvalue()
    assert ("not_adapted" in log.getvalue()) == (failure is not VersionConflict)
    gate.claim("ada", [face(1, 11)])
    assert gate.template("ada").quarantined


def test_settings_that_cannot_be_read_cost_a_lesson_and_no_more(
    gate: Any, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> CollectionSettings:
        raise StoreUnavailable("no settings")

    monkeypatch.setattr(MemoryStore, "settings_of", fail)
    decision = gate.verifier.verify(STAFF, "ada", [face(1, 10)])
    assert gate.adaptation.lesson(STAFF, "ada", decision) is None


def test_a_claim_that_teaches_nothing_asks_the_store_for_settings_alone(
    gate: Any, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.store.configure(STAFF, CollectionSettings())
    decision = gate.verifier.verify(STAFF, "ada", [face(1, 10)])
    asked: list[str] = []
    for name in ("get", "save", "settings_of", "versions_of"):
        real = getattr(gate.store, name)
        monkeypatch.setattr(
            gate.store, name, lambda *a, name=name, real=real, **k: (asked.append(name), real(*a, **k))[1]
        )
    gate.adaptation.submit(gate.adaptation.lesson(STAFF, "ada", decision), NOBODY)
    gate.idle()
    assert asked == ["settings_of"]


def test_more_decisions_than_may_wait_are_not_learned_from(gate: Any, face: Face) -> None:
    import threading

    from enroll.lineup import Lineup
    from verify.adaptation import Adaptation

    gate.enroll("bob", [face(3, shot) for shot in range(3)])
    small = Adaptation(Lineup.of(gate.verifier.models), gate.store, clock=gate.clock, waiting=1)
    held = threading.Event()
    small._pool.submit(held.wait)
    for person, number in (("ada", 1), ("bob", 3)):
        decision = gate.verifier.verify(STAFF, person, [face(number, 10)])
        small.submit(small.lesson(STAFF, person, decision), NOBODY)
    held.set()
    small._pool.submit(lambda: None).result()
    assert [gate.template(person).quarantined for person in ("ada", "bob")] == [True, False]
    small.close()
    small.submit(small.lesson(STAFF, "bob", gate.verifier.verify(STAFF, "bob", [face(3, 10)])), NOBODY)
    assert not gate.template("bob").quarantined


def test_a_decision_shows_neither_template_nor_probes(gate: Any, face: Face) -> None:
    decision = gate.verifier.verify(STAFF, "ada", [face(1, 10)])
    assert decision.compared
    assert "compared" not in repr(decision)
    assert "probes" not in repr(decision.compared[0])
    assert "ada" not in repr(decision.compared[0])
