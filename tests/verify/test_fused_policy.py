"""The policy of two modalities against naive twins: every pair by itself, and sums that were really drawn."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from encode.errors import TargetFarUnavailable
from verify.fused_policy import FusedPolicy, _Sum, fuse, independent_trials
from verify.policy import Policy, PolicyTrials, Rate
from verify.score_summary import summarize

MakePolicy = Callable[..., Policy]
FARS = (0.1, 0.01, 0.001)


@pytest.fixture(scope="module")
def part(make_policy: MakePolicy) -> Callable[..., Policy]:
    """``part("face", genuine, impostor, **changes)``: a policy with these scores; its own thresholds are made up."""

    def make(modality: str, genuine: Any, impostor: Any, **changes: object) -> Policy:
        scores = summarize(np.asarray(genuine, float), np.asarray(impostor, float))
        return make_policy("f" * 64, **{"modality": modality, "scores": scores, **changes})

    return make


def lowest_reached_by(sums: list[float], total: int, far: float) -> float:
    """The lowest of the sums that at most `far` of all reach, found by counting; just above all if there is none."""
    for candidate in sorted(sums):
        if sum(one >= candidate for one in sums) / total <= far:
            return candidate
    return float(np.nextafter(max(sums), np.inf))


SCORES = st.lists(st.integers(-40, 40).map(lambda n: n / 8) | st.just(-math.inf), min_size=1, max_size=9).filter(
    lambda scores: max(scores) > -math.inf
)


@settings(max_examples=50, deadline=None)
@given(a=SCORES, b=SCORES, c=SCORES, d=SCORES)
def test_every_pair_counted_by_itself(part: Callable[..., Policy], a: Any, b: Any, c: Any, d: Any) -> None:
    fused = fuse(part("face", a, b), part("signature", c, d))
    impostor = [x + y for x, y in itertools.product(b, d)]
    genuine = [x + y for x, y in itertools.product(a, c)]
    finite = [one for one in impostor if one > -math.inf]
    for far in FARS:
        row = fused.row_for(far)
        assert row.threshold == lowest_reached_by(finite, len(impostor), far)
        assert row.achieved_far.value == sum(one >= row.threshold for one in impostor) / len(impostor) <= far
        assert row.frr.value == sum(one < row.threshold for one in genuine) / len(genuine)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 350))
def test_a_modality_that_says_nothing_leaves_the_other_as_it_is(
    part: Callable[..., Policy], seed: int, count: int
) -> None:
    generator = np.random.default_rng(seed)
    genuine, impostor = np.round(generator.normal(2, 2, count), 2), np.round(generator.normal(-2, 2, count), 2)
    fused = fuse(part("face", genuine, impostor), part("signature", [0.0], [0.0]))
    for far in FARS:
        row = fused.row_for(far)
        assert row.threshold == lowest_reached_by(impostor.tolist(), count, far)
        assert row.frr.value == np.mean(genuine < row.threshold)


def test_sums_that_were_drawn_reach_the_thresholds_as_often_as_computed(part: Callable[..., Policy]) -> None:
    generator = np.random.default_rng(5)
    fused = fuse(
        part("face", generator.normal(4, 2, 20_000), generator.normal(-4, 2, 20_000)),
        part("signature", generator.normal(3, 2, 20_000), generator.gumbel(-5, 1.5, 20_000)),
    )
    draws = 2_000_000
    impostor = generator.normal(-4, 2, draws) + generator.gumbel(-5, 1.5, draws)
    genuine = generator.normal(4, 2, draws) + generator.normal(3, 2, draws)
    for far in FARS:
        row = fused.row_for(far)
        # Up to the scores' own noise (20,000 of them) and the summary's rounding, which is upwards.
        assert np.mean(impostor >= row.threshold) == pytest.approx(far, rel=0.12)
        assert np.mean(genuine < row.threshold) == pytest.approx(row.frr.value, rel=0.12, abs=2e-5)


def test_the_fused_threshold_is_lower_and_rejects_fewer_where_both_help(part: Callable[..., Policy]) -> None:
    """Why a missing modality must not count as 0: the threshold for both would let its impostors in."""
    generator = np.random.default_rng(6)
    genuine, impostor = generator.normal(4, 2, 5_000), generator.normal(-4, 2, 5_000)
    alone = fuse(part("face", genuine, impostor), part("signature", [0.0], [0.0])).row_for(0.001)
    both = fuse(part("face", genuine, impostor), part("signature", genuine, impostor)).row_for(0.001)
    assert both.threshold < alone.threshold
    assert both.frr.value < alone.frr.value
    assert np.mean(impostor >= both.threshold) > 10 * 0.001


def test_a_failure_to_acquire_either_is_a_rejection(part: Callable[..., Policy]) -> None:
    fused = fuse(
        part("face", [9.0] * 9 + [-np.inf], [-9.0] * 5 + [-np.inf] * 5),
        part("signature", [9.0] * 4 + [-np.inf], [-9.0]),
    )
    row = fused.row_for(0.1)
    assert row.frr.value == pytest.approx(1 - 0.9 * 0.8)
    assert row.achieved_far.value == 0
    assert row.threshold == np.nextafter(-18.0, 0.0)


def test_the_order_of_the_parts_does_not_matter_and_the_id_follows_them(part: Callable[..., Policy]) -> None:
    face, signature = part("face", [1.0], [0.0]), part("signature", [1.0], [0.0])
    fused = fuse(face, signature)
    assert fuse(signature, face) == fused
    assert fuse(signature, face).id == fused.id
    assert [one.modality for one in fused.parts] == ["face", "signature"]
    others = {fuse(part("face", [1.0], [0.5]), signature).id, face.id, signature.id}
    assert fused.id not in others
    assert len(fused.id) == 16


def test_the_rule_of_30_goes_by_the_part_with_fewer_trials(part: Callable[..., Policy]) -> None:
    face = part("face", [1.0], [0.0], trials={"genuine": 50, "impostor": 40_000})
    signature = part("signature", [1.0], [0.0], trials={"genuine": 900, "impostor": 2_999})
    fused = fuse(face, signature)
    assert fused.trials == PolicyTrials(genuine=50, impostor=2_999)
    assert [fused.beyond_evidence(row) for row in fused.table] == [False, True, True]


def test_the_estimate_is_no_worse_than_counting_over_the_smaller_sample() -> None:
    """The bound that the rule of 30 and the intervals rest on, in a simulation where one side is scarce."""
    generator = np.random.default_rng(7)
    few, many, replicates = 60, 2_000, 1_500
    estimates = []
    for _ in range(replicates):
        samples = generator.normal(size=few), generator.normal(size=many)
        a, b = (summarize(scores, scores).impostor.rounded_up() for scores in samples)
        estimates.append(_Sum(a, b).share_reaching(1.5))
    rate = float(np.mean(estimates))
    assert np.var(estimates) < rate * (1 - rate) / few
    # And it does far from reach what the pairs would give if they were evidence.
    assert np.var(estimates) > 50 * rate * (1 - rate) / (few * many)


@pytest.mark.parametrize(("errors", "trials"), [(0, 40), (3, 40), (40, 40), (17, 5_000)])
def test_an_exact_binomial_interval_is_worth_its_own_trials(errors: int, trials: int) -> None:
    high = float(beta.ppf(0.975, errors + 1, trials - errors)) if errors < trials else 1.0
    rate = Rate(value=errors / trials, low=0.0, high=high)
    assert independent_trials(rate, trials, 0.95) == pytest.approx(trials, rel=1e-6)
    if errors < trials:
        assert independent_trials(rate, 3 * trials, 0.95) == pytest.approx(trials, rel=1e-6)


def test_an_interval_is_worth_at_least_one_trial_and_at_most_those_made() -> None:
    assert independent_trials(Rate(value=0.1, low=0.0, high=1.0), 1_000, 0.95) == 1.0
    assert independent_trials(Rate(value=0.1, low=0.1, high=0.1), 1_000, 0.95) == 1_000


def test_the_intervals_are_those_of_the_less_certain_part(part: Callable[..., Policy]) -> None:
    def rows(spread: float) -> list[dict[str, object]]:
        rate = {"value": 0.01, "low": 0.01 / spread, "high": 0.01 * spread}
        return [{"target_far": 0.1, "threshold": 0.0, "achieved_far": rate, "frr": rate}]

    generator = np.random.default_rng(8)
    genuine, impostor = generator.normal(1, 2, 800), generator.normal(-1, 2, 800)

    def fused(*spreads: float) -> FusedPolicy:
        return fuse(
            *(
                part(modality, genuine, impostor, table=rows(spread), default_target_far=0.1)
                for modality, spread in zip(("face", "signature"), spreads, strict=True)
            )
        )

    sure, unsure = fused(1.5, 1.5).row_for(0.1), fused(1.5, 4.0).row_for(0.1)
    for one in (sure.achieved_far, sure.frr, unsure.achieved_far, unsure.frr):
        assert one.low < one.value < one.high
    assert unsure.achieved_far.high > sure.achieved_far.high
    assert unsure == fused(4.0, 4.0).row_for(0.1)


def test_only_shared_target_fars_are_offered(part: Callable[..., Policy]) -> None:
    def table(*fars: float) -> list[dict[str, object]]:
        rate = {"value": 0.01, "low": 0.005, "high": 0.02}
        return [
            {"target_far": far, "threshold": float(place), "achieved_far": rate, "frr": rate}
            for place, far in enumerate(fars)
        ]

    face = part("face", [1.0], [0.0], table=table(0.1, 0.01, 0.001, 0.0001))
    signature = part("signature", [1.0], [0.0], table=table(0.1, 0.05, 0.01), default_target_far=0.01)
    fused = fuse(face, signature)
    assert fused.target_fars == (0.1, 0.01)
    assert fused.row_for(None).target_far == fused.default_target_far == 0.01
    with pytest.raises(TargetFarUnavailable, match=r"0\.1, 0\.01"):
        fused.row_for(0.001)
    lenient = part("signature", [1.0], [0.0], table=table(0.1, 0.05), default_target_far=0.05)
    assert fuse(face, lenient).default_target_far == 0.1
    with pytest.raises(TargetFarUnavailable, match="share no target FAR") as caught:
        fuse(face, part("signature", [1.0], [0.0], table=table(0.05), default_target_far=0.05))
    assert caught.value.field == "samples"


@pytest.mark.parametrize("lacking", ["face", "signature"])
def test_a_policy_without_scores_is_named(part: Callable[..., Policy], lacking: str) -> None:
    parts = [
        part(modality, [1.0], [0.0], **({"scores": None} if modality == lacking else {}))
        for modality in ("face", "signature")
    ]
    with pytest.raises(TargetFarUnavailable, match=f"the {lacking} model's policy holds no scores") as caught:
        fuse(*parts)
    assert f"measure the {lacking} model again" in (caught.value.fix or "")
