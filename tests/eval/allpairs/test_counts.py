"""Counts of all comparisons against a double loop with the identity model: what is genuine, what is left out, rates."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encode.errors import FieldInvalid, TrialsError
from eval.allpairs.grid import Grid
from eval.allpairs.kernel import accumulate
from eval.allpairs.rates import Rates
from eval.allpairs.sketch import ScoreSketch
from eval.allpairs.tail import Tail
from eval.measures.sorted_scores import SortedScores

CASES = [("pooled", 1, 1), ("map", 1, 1), ("map", 3, 2), ("diagonal", 2, 3), ("full_oas", 2, 2), ("spherical", 4, 4)]


@pytest.mark.parametrize(("kind", "references", "draws"), CASES)
def test_counts_are_those_of_a_double_loop(
    make_people: Callable[..., Any], counted: Any, naive: Any, kind: str, references: int, draws: int
) -> None:
    people = make_people()
    model = people.model(kind)
    run = people.prepared(model, references=references, draws=draws, seed=5)
    sketch, scores = counted(run), naive(run, model, people)
    grid = run.work.grid
    assert sketch.trials.sum(axis=1).tolist() == [len(scores.genuine), len(scores.impostor)]
    assert sketch.comparisons == len(scores.genuine) + len(scores.impostor)
    kept = grid.low + (sketch.highest.values.astype(np.float64) - 1.0) * grid.width
    np.testing.assert_allclose(kept, scores.impostor, atol=1e-4)
    lowest = grid.low + (-sketch.lowest.values[::-1].astype(np.float64) - 1.0) * grid.width
    np.testing.assert_allclose(lowest, scores.genuine, atol=1e-4)
    # Of a score within rounding of an edge nobody can tell the bin: the sketch's own scores must agree with its bins.
    own = np.bincount(np.clip(sketch.highest.values, 0, grid.bins).astype(int), minlength=grid.bins + 1)
    assert np.array_equal(own, sketch.counts[1].sum(axis=0))
    assert sketch.acting.sum() == sketch.counts[1].sum()


def test_dense_templates_are_counted_like_others(make_people: Callable[..., Any], counted: Any, naive: Any) -> None:
    people = make_people()
    for person in (0, 3):  # two people whose samples are all equal
        own = people.owner == person
        people.embeddings[own] = people.embeddings[own][0]
    model = people.model("diagonal")
    run = people.prepared(model, references=3, draws=2)
    assert 0 < run.work.dense.sum() < len(run.work.dense)
    sketch, scores = counted(run), naive(run, model, people)
    assert sketch.trials.sum(axis=1).tolist() == [len(scores.genuine), len(scores.impostor)]
    for own, theirs in ((sketch.highest.values, scores.impostor), (-sketch.lowest.values[::-1], scores.genuine)):
        np.testing.assert_allclose(
            run.work.grid.low + (own.astype(np.float64) - 1.0) * run.work.grid.width, theirs, rtol=1e-5, atol=1e-3
        )


def test_scores_by_acting_group_are_those_of_a_double_loop(make_people: Callable[..., Any], counted: Any) -> None:
    people = make_people(people=40, samples=3)
    model = people.model("pooled")
    run = people.prepared(model)
    work, sketch = run.work, counted(run)
    made_by = np.searchsorted(work.acting_offsets, np.arange(len(work.features)), side="right") - 1
    positions = work.features @ work.weights[0].T
    owner = np.searchsorted(work.sample_offsets, np.arange(len(work.features)), side="right") - 1
    for group in range(work.groups):
        impostor = positions[made_by == group][owner[made_by == group][:, None] != work.owner[None, :]]
        places = np.searchsorted(work.edges, np.clip(impostor, 0, work.grid.bins).astype(int), side="right") - 1
        expected = np.bincount(places, minlength=len(work.edges))
        # A product of another shape may round a score to the other side of an edge.
        assert np.abs(sketch.acting[group] - expected).sum() <= 4
    assert len(set(made_by.tolist())) == work.groups == 32


def test_a_sample_that_failed_is_rejected_by_every_template(make_people: Callable[..., Any], counted: Any) -> None:
    people = make_people(people=6, samples=4)
    usable = np.ones(24, np.bool_)
    usable[np.flatnonzero(people.owner == 2)[:2]] = False
    people.embeddings[~usable] = np.nan
    run = people.prepared(people.model("pooled"), usable=usable)
    sketch = counted(run)
    # 22 templates; person 2 keeps two samples, against each of which the two failed ones are genuine trials.
    assert sketch.failed.sum(axis=1).tolist() == [2 * 2, 20 * 2]
    assert sketch.trials.sum(axis=1).tolist() == [5 * 4 * 3 + 2 * 1 + 4, 20 * 20 + 2 * 22 - 2 * 2]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-3.0, 40.0, width=32), min_size=1, max_size=700),
    st.floats(-5.0, 40.0, width=32),
)
def test_the_kernel_counts_as_numpy_does(values: list[float], cut: float) -> None:
    positions = np.array(values, np.float32)
    counts, tail = np.zeros((2, 33), np.uint32), np.full(len(values) + 3, -99.0, np.float32)
    held = accumulate(positions, counts, np.float32(cut), tail, 2)
    expected = np.bincount(np.clip(positions, 0, 32).astype(int), minlength=33)
    assert np.array_equal(counts.sum(axis=0), expected)
    assert np.array_equal(np.sort(tail[2:held]), np.sort(positions[positions > np.float32(cut)]))


def test_what_is_no_number_is_counted_at_the_bottom() -> None:
    counts, tail = np.zeros((2, 9), np.uint32), np.zeros(9, np.float32)
    held = accumulate(np.array([np.nan, -np.inf, 1e30], np.float32), counts, np.float32(np.inf), tail, 0)
    assert (counts[:, 0].sum(), counts[:, 8].sum(), held) == (2, 1, 0)


def rates_of(genuine: Any, impostor: Any, limit: int, bins: int = 40) -> tuple[Rates, SortedScores]:
    """Rates from a sketch of positions, and from the scores one by one."""
    grid = Grid(0.0, 1.0, bins)
    genuine, impostor = np.asarray(genuine, np.float32), np.asarray(impostor, np.float32)
    counts = [np.bincount(np.clip(side, 0, bins).astype(int), minlength=bins + 1) for side in (genuine, impostor)]
    sketch = ScoreSketch(
        np.array([0]),
        np.stack(counts)[:, None],
        np.zeros((1, 1), np.int64),
        np.zeros((2, 1), np.int64),
        Tail.of(impostor, limit),
        Tail.of(-genuine, limit),
    )
    return Rates(sketch, grid), SortedScores(genuine, impostor)


SCORES = st.lists(st.floats(1.0, 40.0, width=32), min_size=1, max_size=60)
TARGETS = st.sampled_from([0.0, 0.01, 0.1, 0.29, 0.5, 1.0])


@given(SCORES, SCORES, TARGETS, st.integers(1, 80))
def test_thresholds_meet_their_target_and_are_a_bin_from_the_exact_ones(
    genuine: list[float], impostor: list[float], target: float, limit: int
) -> None:
    rates, exact = rates_of(genuine, impostor, limit)
    at_far, at_frr = rates.threshold_at_far(target), rates.threshold_at_frr(target)
    assert exact.far(at_far) <= target
    assert exact.frr(at_frr) <= target
    assert exact.threshold_at_frr(target) - at_frr <= 1.0
    # Above the highest score that must be rejected, and within a bin of it.
    rejected = exact.impostor[exact.impostor < at_far]
    assert not len(rejected) or at_far - rejected[-1] <= 1.0 or exact.far(rejected[-1]) > target
    if limit >= len(impostor):
        assert at_far == exact.threshold_at_far(target)
    for position in (at_far, at_frr, 7.5):
        accepts, accepts_exactly = rates.false_accepts(position)
        rejects, rejects_exactly = rates.false_rejects(position)
        assert accepts == exact.false_accepts(position) if accepts_exactly else accepts >= exact.false_accepts(position)
        assert rejects == exact.false_rejects(position) if rejects_exactly else rejects >= exact.false_rejects(position)
    assert rates.false_accepts(at_far)[1]


@given(
    st.lists(st.floats(-30.0, 10.0, width=32), min_size=1, max_size=60),
    st.lists(st.floats(-30.0, 10.0, width=32), min_size=1, max_size=60),
    TARGETS,
    st.integers(1, 80),
)
def test_scores_below_the_grid_make_no_rate_too_low(
    genuine: list[float], impostor: list[float], target: float, limit: int
) -> None:
    genuine = sorted(set(genuine))  # ties at its end can leave a tail empty
    rates, exact = rates_of(genuine, impostor, limit)
    at_far, at_frr = rates.threshold_at_far(target), rates.threshold_at_frr(target)
    assert exact.far(at_far) <= target
    assert exact.frr(at_frr) <= target
    for position in (at_far, at_frr, 0.0, -7.5, 0.5):
        accepts, accepts_exactly = rates.false_accepts(position)
        rejects, rejects_exactly = rates.false_rejects(position)
        assert accepts == exact.false_accepts(position) if accepts_exactly else accepts >= exact.false_accepts(position)
        assert rejects == exact.false_rejects(position) if rejects_exactly else rejects >= exact.false_rejects(position)


@given(SCORES, SCORES)
def test_the_area_lies_within_its_bound(genuine: list[float], impostor: list[float]) -> None:
    rates, exact = rates_of(genuine, impostor, 5)
    area, bound = rates.auc()
    assert abs(area - exact.auc()) <= bound + 1e-12


def test_d_prime_is_that_of_the_middles_of_bins() -> None:
    genuine, impostor = np.arange(10, 30) + 0.5, np.arange(2, 22, 0.5)
    rates, _ = rates_of(genuine, impostor, 5)
    assert rates.d_prime() == pytest.approx(SortedScores(genuine, np.floor(impostor) + 0.5).d_prime())
    below, _ = rates_of(genuine, [0.5, 3.0], 5)
    assert below.d_prime() is None


def test_draws_are_those_of_the_derived_protocol(make_people: Callable[..., Any]) -> None:
    from pathlib import Path

    from encode.sample import Modality
    from eval.corpora.corpus import Row
    from eval.plans.protocol import Protocol, derive

    people = make_people()
    usable = np.ones(len(people.owner), np.bool_)
    usable[::5] = False
    rows = [
        Row(id=f"{i:03}", path=Path(f"{i}"), person=people.names[owner], modality=Modality.FACE, kind="genuine")
        for i, owner in enumerate(people.owner)
    ]
    plan = derive(rows, Protocol(3, 4, 11), usable)
    run = people.prepared(people.model("map"), usable=usable, references=3, draws=4, seed=11)
    order, templates = run.templates.order, run.templates
    mine = {tuple(order[templates.references[i]].tolist()) for i in range(len(templates.owner))}
    assert mine == {tuple(claim.references.tolist()) for claim in plan.claims}
    assert templates.genuine_probes == len({(c.person, s) for c in plan.claims for s in c.genuine.tolist()})
    assert templates.failed[0].sum() == sum((~usable[c.genuine]).sum() for c in plan.claims)
    assert templates.people == len({claim.person for claim in plan.claims})
    assert templates.failed_to_enroll == len(plan.failed_to_enroll)


@pytest.mark.parametrize(("samples", "references", "enroll"), [(3, 3, 0), (4, 3, 1), (1, 1, 1)])
def test_whoever_could_not_be_claimed_anyway_did_not_fail_to_enroll(
    make_people: Callable[..., Any], samples: int, references: int, enroll: int
) -> None:
    people = make_people()
    own = np.flatnonzero(people.owner == 0)
    people.owner[own[samples:]] = 1
    usable = np.ones(len(people.owner), np.bool_)
    usable[own[: samples - references + 1]] = False
    found = people.prepared(people.model("pooled"), usable=usable, references=references).templates
    assert (found.failed_to_enroll, found.too_few_samples) == (enroll, 1 - enroll)


@pytest.mark.parametrize(
    ("change", "options", "match"),
    [
        (lambda people: people.owner.fill(0), {}, "1 people have templates"),
        (lambda people: people.embeddings.__setitem__(3, np.nan), {}, "NaN or infinity, the first in row 3"),
        (lambda people: people.embeddings.__setitem__((4, 1), np.inf), {}, "1 samples hold NaN"),
        (lambda people: None, {"references": 6}, "0 people have templates"),
        (lambda people: people.owner.__setitem__(slice(None), np.arange(72)), {}, "no genuine trial"),
    ],
)
def test_input_that_gives_no_rates_is_refused(
    make_people: Callable[..., Any], change: Callable[[Any], object], options: dict[str, int], match: str
) -> None:
    people = make_people()
    people = type(people)(people.embeddings, people.owner, tuple(map(str, range(72))), people.within)
    change(people)
    with pytest.raises(TrialsError, match=match):
        people.prepared(people.model("pooled"), **options)


def test_embeddings_of_another_size_are_refused(make_people: Callable[..., Any]) -> None:
    people, other = make_people(), make_people(d=5)
    with pytest.raises(TrialsError, match="embeddings of 5 values"):
        people.prepared(other.model("pooled"))


def test_draws_of_single_references_are_refused(make_people: Callable[..., Any]) -> None:
    people = make_people()
    with pytest.raises(FieldInvalid, match="every sample is a template already"):
        people.prepared(people.model("pooled"), draws=3)
