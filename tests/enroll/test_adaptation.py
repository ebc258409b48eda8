"""The rule of adaptation: each condition by itself, drift against a naive twin, and a bound that poison cannot pass."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from encode.manifest import CalibrationSpec, IdentitySpec, MatchingSpec
from encode.sample import Modality
from enroll.adaptation import Move, Refusal, Step, UpdateRule, admit, dismiss, drift, incapable, judge, settle
from enroll.adapted import Adapted
from enroll.identity import IdentityModel
from enroll.template import Template

Rows = NDArray[np.float32]

NOW = datetime(2025, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SIZE = 4
WITHIN = 0.04 * np.eye(SIZE) + 0.01
BACKGROUND = {"mean": np.zeros(SIZE), "total": np.eye(SIZE) * 2, "within": WITHIN}
RULE = UpdateRule(threshold=-4.0, quarantine=DAY, max_drift=10.0)
HERE = np.full(SIZE, 1.0)


def model(**identity: object) -> IdentityModel:
    spec = IdentitySpec.model_validate({"kind": "map", "strength": 20.0, "anchors": 3, "recent": 2, **identity})
    return IdentityModel(spec, BACKGROUND)


def near(seed: int, *, shift: float = 0.0, count: int = 1) -> Rows:
    """Samples (count, 4) of one person, `shift` to the side of where that person is."""
    noise = np.random.default_rng(seed).multivariate_normal(np.zeros(SIZE), WITHIN, size=count)
    return (HERE + shift + noise).astype(np.float32)


def enrolled(identity: IdentityModel, count: int = 3, seed: int = 0) -> Template:
    empty = Template.empty("staff", "ada", Modality.FACE, "a" * 64, size=SIZE, now=NOW)
    return empty.with_references(
        near(seed, count=count), anchors_capacity=identity.anchors, recent_capacity=identity.recent, now=NOW
    )


def quarantined(identity: IdentityModel, row: Rows) -> Template:
    step = admit(enrolled(identity), row, identity, RULE, NOW)
    assert isinstance(step, Step)
    return step.template


def test_a_good_probe_waits_and_then_becomes_a_reference() -> None:
    identity, row = model(), near(1)[0]
    first = enrolled(identity)
    step = admit(first, row, identity, RULE, NOW)
    assert isinstance(step, Step)
    assert step.move is Move.QUARANTINED
    waiting = step.template
    assert (waiting.version, waiting.updated_at, waiting.quarantined) == (first.version + 1, NOW, True)
    assert settle(waiting, identity, RULE, NOW + DAY - timedelta(seconds=1)) is None

    promoted = settle(waiting, identity, RULE, NOW + DAY)
    assert promoted is not None
    assert promoted.move is Move.PROMOTED
    assert promoted.template.references[-1].tobytes() == row.tobytes()
    assert promoted.template.enrolled.tobytes() == first.enrolled.tobytes()
    assert not promoted.template.quarantined
    assert promoted.template.version == waiting.version + 1
    assert settle(promoted.template, identity, RULE, NOW + 2 * DAY) is None


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (lambda t: replace(t, anchors=t.anchors[:2]), Refusal.FEW_ANCHORS),
        (lambda t: replace(t, anchors=t.anchors[:0]), Refusal.FEW_ANCHORS),
        (lambda t: Template.empty("s", "a", Modality.FACE, "a" * 64, size=4, now=NOW, compact=True), Refusal.COMPACT),
    ],
    ids=["one anchor short", "no anchor", "compact"],
)
def test_templates_that_nothing_holds_in_place_never_adapt(
    change: Callable[[Template], Template], refusal: Refusal
) -> None:
    identity = model()
    template = change(enrolled(identity))
    assert incapable(template, identity) is refusal
    assert admit(template, near(1)[0], identity, RULE, NOW) is refusal


def test_a_model_without_a_ring_or_without_anchors_never_adapts() -> None:
    template = enrolled(model())
    assert incapable(template, model(recent=0)) is Refusal.NO_ROOM
    none = model(anchors=0)
    assert incapable(enrolled(none), none) is Refusal.FEW_ANCHORS


def threshold_between(identity: IdentityModel, template: Template, row: Rows) -> tuple[float, float]:
    """The ratio of a row against all references and against those enrolled alone."""
    whole, alone = identity.fit(template.references), identity.fit(template.enrolled)
    return float(identity.llr(whole, row)[0]), float(identity.llr(alone, row)[0])


def test_each_threshold_refuses_by_itself() -> None:
    identity = model()
    row = (HERE + 0.8).astype(np.float32)
    # What was learned has moved towards the row: all references accept it sooner than those enrolled alone.
    moved = enrolled(identity).with_adapted(
        replace(Adapted.none(SIZE), references=near(4, shift=0.8, count=2)), now=NOW
    )
    whole, alone = threshold_between(identity, moved, row)
    assert alone < whole
    for threshold, refusal in (
        (whole + 1e-6, Refusal.UNLIKE),
        ((whole + alone) / 2, Refusal.UNLIKE_ENROLLED),
        (alone - 1e-6, None),
    ):
        assert judge(moved, row, identity, replace(RULE, threshold=threshold)) is refusal


def test_a_reference_that_is_there_teaches_nothing() -> None:
    identity = model()
    template = enrolled(identity)
    assert admit(template, template.anchors[1], identity, RULE, NOW) is Refusal.KNOWN


def naive_drift(anchors: Rows, references: Rows) -> float:
    """Component by component, with an inverse of its own."""
    middle = [sum(float(one[k]) for one in anchors) / len(anchors) for k in range(SIZE)]
    whole = [sum(float(one[k]) for one in references) / len(references) for k in range(SIZE)]
    inverse = np.linalg.inv(WITHIN)
    shift = [whole[k] - middle[k] for k in range(SIZE)]
    total = sum(shift[i] * inverse[i, j] * shift[j] for i in range(SIZE) for j in range(SIZE))
    return float((total / SIZE) ** 0.5)


@given(seed=st.integers(0, 10_000), anchors=st.integers(1, 6), later=st.integers(0, 6))
def test_drift_is_its_formula(seed: int, anchors: int, later: int) -> None:
    rows = near(seed, count=anchors + later)
    found = drift(rows[:anchors], rows, model())
    assert found == pytest.approx(naive_drift(rows[:anchors], rows), abs=1e-9)


def test_drift_does_not_look_at_a_trace_behind_the_embedding() -> None:
    rows = near(0, count=5)
    traced = np.concatenate([rows, np.random.default_rng(0).normal(size=(5, 90)).astype(np.float32)], axis=1)
    assert drift(traced[:2], traced, model()) == drift(rows[:2], rows, model())


def test_the_drift_bound_counts_the_reference_that_would_be_added() -> None:
    identity, row = model(), near(3, shift=0.3)[0]
    template = enrolled(identity)
    after = naive_drift(template.anchors, np.concatenate([template.enrolled, row[np.newaxis]]))
    assert judge(template, row, identity, replace(RULE, threshold=-1e9, max_drift=after * 0.999)) is Refusal.DRIFT
    assert judge(template, row, identity, replace(RULE, threshold=-1e9, max_drift=after * 1.001)) is None


def test_one_candidate_in_the_length_of_a_quarantine() -> None:
    identity = model()
    waiting = quarantined(identity, near(1)[0])
    assert admit(waiting, near(2)[0], identity, RULE, NOW + 2 * DAY) is Refusal.TOO_SOON
    gone = dismiss(waiting, NOW + timedelta(hours=1))
    assert gone is not None
    assert gone.move is Move.DISCARDED
    assert not gone.template.quarantined
    assert admit(gone.template, near(2)[0], identity, RULE, NOW + DAY - timedelta(seconds=1)) is Refusal.TOO_SOON
    assert isinstance(admit(gone.template, near(2)[0], identity, RULE, NOW + DAY), Step)


def test_with_nothing_in_quarantine_there_is_nothing_to_dismiss_or_settle() -> None:
    identity = model()
    for template in (enrolled(identity), enrolled(identity).with_adapted(Adapted.none(SIZE), now=NOW)):
        assert dismiss(template, NOW) is None
        assert settle(template, identity, RULE, NOW + 9 * DAY) is None


def test_a_candidate_is_judged_anew_after_its_quarantine() -> None:
    identity, row = model(), near(1, shift=0.3)[0]
    waiting = quarantined(identity, row)
    # Enrolled meanwhile, under supervision: the person is elsewhere than the candidate.
    moved = waiting.with_references(near(8, shift=-0.6, count=2), anchors_capacity=3, recent_capacity=2, now=NOW)
    _, alone = threshold_between(identity, moved, row)
    step = settle(moved, identity, replace(RULE, threshold=alone + 1e-6), NOW + DAY)
    assert step is not None
    assert (step.move, step.why) == (Move.DISCARDED, Refusal.UNLIKE)
    assert step.template.references.tobytes() == moved.references.tobytes()


def test_somebody_with_authority_shortens_the_time_and_not_the_tests() -> None:
    identity = model()
    waiting = quarantined(identity, near(1)[0])
    soon = settle(waiting, identity, RULE, NOW, early=True)
    assert soon is not None
    assert soon.move is Move.PROMOTED
    strict = settle(waiting, identity, replace(RULE, threshold=1e9), NOW, early=True)
    assert strict is not None
    assert (strict.move, strict.why) == (Move.DISCARDED, Refusal.UNLIKE)


def test_the_ring_of_what_was_learned_is_as_long_as_the_models() -> None:
    identity, now = model(), NOW
    template = enrolled(identity)
    for seed in range(10, 15):
        step = admit(template, near(seed)[0], identity, RULE, now)
        assert isinstance(step, Step)
        now += DAY
        settled = settle(step.template, identity, RULE, now)
        assert settled is not None
        template = settled.template
    assert template.adapted_count == identity.recent
    assert template.references[-1].tobytes() == near(14)[0].tobytes()
    assert template.enrolled.tobytes() == enrolled(identity).enrolled.tobytes()


@given(seed=st.integers(0, 1_000), gain=st.floats(0, 3), count=st.integers(1, 2), where=st.floats(-2, 2))
def test_nothing_that_was_learned_raises_a_ratio_by_more_than_the_gain(
    seed: int, gain: float, count: int, where: float
) -> None:
    """Whatever got into the template: poison of any number, anywhere."""
    identity = model(calibration=CalibrationSpec(scale=0.5, offset=1.0))
    template = enrolled(identity, seed=seed)
    poison = near(seed + 1, shift=where, count=count)
    learned = template.with_adapted(replace(Adapted.none(SIZE), references=poison), now=NOW)
    probes = np.concatenate([poison, near(seed + 2, shift=where, count=5), near(seed + 3, count=5)])
    whole = identity.llr(identity.fit(learned.references), probes)
    alone = identity.llr(identity.fit(learned.enrolled), probes)
    bounded = identity.llr(identity.fit_template(learned, gain=gain), probes)
    np.testing.assert_allclose(bounded, np.minimum(whole, alone + gain))


def test_poison_walks_an_unbounded_template_to_the_attacker_and_a_bounded_one_never() -> None:
    """A gradual injection with full knowledge: each step as far towards the attacker as the rule lets in."""
    identity, gain, accept = model(), 0.5, 0.0
    rule = replace(RULE, threshold=2.0)
    attacker = HERE.astype(np.float32)
    attacker[0] += 1.6
    template, now = enrolled(identity), NOW
    before = threshold_between(identity, template, attacker)[1]
    assert before < accept - gain
    for _ in range(6):
        steps = [(HERE + share * (attacker - HERE)).astype(np.float32) for share in np.linspace(1, 0, 101)]
        row = next(step for step in steps if judge(template, step, identity, rule) is None)
        found = admit(template, row, identity, rule, now)
        assert isinstance(found, Step)
        now += DAY
        settled = settle(found.template, identity, rule, now)
        assert settled is not None
        template = settled.template
    whole, alone = threshold_between(identity, template, attacker)
    assert whole > before + gain
    assert alone == before
    assert identity.llr(identity.fit_template(template, gain=gain), attacker)[0] == pytest.approx(before + gain)


def signature_rows(count: int, seed: int) -> Rows:
    """Embeddings (3 values) with traces of 20 points behind, all of one hand."""
    noise = np.random.default_rng(seed)
    trace = np.zeros((count, 4, 20))
    trace[:, :2] = np.random.default_rng(99).normal(size=(2, 20)).cumsum(1) + noise.normal(0, 0.05, size=(count, 2, 20))
    trace[:, 2:] = 1.0
    vectors = np.ones((count, 3)) + noise.normal(0, 0.1, size=(count, 3))
    return np.concatenate([vectors, trace.reshape(count, -1)], axis=1).astype(np.float32)


def test_signatures_adapt_by_the_same_rule_with_their_traces() -> None:
    weights = {"shape.log_mean": -1.0, "embedding.log_min": -0.5, "shape.log_spread": 1.0}
    spec = IdentitySpec(kind="pooled", matching=MatchingSpec(weights=weights), anchors=3, recent=2)
    background = {"mean": np.zeros(3), "total": np.eye(3), "within": 0.01 * np.eye(3)}
    identity = IdentityModel(spec, background)
    rows = signature_rows(3, 0)
    empty = Template.empty("staff", "ada", Modality.SIGNATURE, "a" * 64, size=rows.shape[1], now=NOW)
    template = empty.with_references(rows, anchors_capacity=3, recent_capacity=2, now=NOW)
    probe, other = signature_rows(1, 5)[0], signature_rows(1, 6)[0]
    ratio = float(identity.llr(identity.fit(rows), probe)[0])
    rule = UpdateRule(ratio - 0.01, DAY, 5.0)
    step = admit(template, probe, identity, rule, NOW)
    assert isinstance(step, Step)
    assert admit(template, probe, identity, replace(rule, threshold=ratio + 0.01), NOW) is Refusal.UNLIKE
    promoted = settle(step.template, identity, rule, NOW + DAY)
    assert promoted is not None
    assert promoted.move is Move.PROMOTED
    person = identity.fit_template(promoted.template, gain=0.1)
    assert len(person.references) == 4
    alone = identity.llr(identity.fit(rows), other)
    assert identity.llr(person, other) <= alone + 0.1 + 1e-12
