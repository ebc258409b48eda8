"""What a batch is made of, and that it follows from the seed and the step alone."""

from collections import Counter

import numpy as np
import pytest
import torch

from encode.errors import TrainingError
from train.samplers import ForgeryPairSampler, PairSampler, PeopleSampler

LABELS = torch.tensor([0] * 5 + [1] * 4 + [2] * 3 + [3] * 2 + [4, 5, 6] + [7] * 6)
"""Rows 0 … 22: people 0, 1, 2, 3 and 7 have several samples, 4, 5 and 6 one each."""


def sampler(**changes: object) -> PeopleSampler:
    options: dict[str, object] = {"people": 3, "samples": 4, "seed": 0} | changes
    return PeopleSampler(LABELS, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", range(20))
def test_a_batch_is_p_people_with_k_samples(step: int) -> None:
    rows = sampler().batch(step)
    assert rows.dtype == torch.int64
    assert rows.shape == (12,)
    assert sorted(Counter(LABELS[rows].tolist()).values()) == [4, 4, 4]
    people = LABELS[rows].view(3, 4)
    assert bool((people == people[:, :1]).all())


@pytest.mark.parametrize("step", range(20))
def test_samples_are_given_twice_only_where_there_are_too_few(step: int) -> None:
    rows = sampler(people=5).batch(step)
    for person in (0, 1, 2, 3, 7):
        mine = rows[LABELS[rows] == person].tolist()
        available = int((person == LABELS).sum())
        assert len(set(mine)) == min(4, available)


def test_people_with_one_sample_join_with_two_views() -> None:
    seen: set[int] = set()
    for step in range(30):
        rows = sampler(people=2, singles=2).batch(step)
        assert rows.shape == (2 * 4 + 2 * 2,)
        alone = rows[8:].tolist()
        assert alone[0] == alone[1] != alone[2] == alone[3]
        assert set(LABELS[rows[8:]].tolist()) <= {4, 5, 6}
        assert set(LABELS[rows[:8]].tolist()) <= {0, 1, 2, 3, 7}
        seen |= set(alone)
    assert seen == {14, 15, 16}


def test_more_people_than_there_are_means_all_of_them() -> None:
    many = sampler(people=100, singles=100)
    rows = many.batch(0)
    assert (many.people, many.singles) == (5, 3)
    assert set(LABELS[rows].tolist()) == set(range(8))
    assert len(rows) == 5 * 4 + 3 * 2


def test_a_batch_follows_from_seed_and_step_alone() -> None:
    first, second = sampler(), sampler()
    late_first = [second.batch(step) for step in (9, 3, 9)]
    assert torch.equal(late_first[0], late_first[2])
    for step in range(10):
        assert torch.equal(first.batch(step), second.batch(step))
    assert not torch.equal(first.batch(0), first.batch(1))
    assert not torch.equal(first.batch(0), sampler(seed=1).batch(0))


def test_no_global_generator_is_touched() -> None:
    torch.manual_seed(5)
    state, numpy_state = torch.get_rng_state(), np.random.get_state(legacy=True)
    sampler().batch(0)
    PairSampler(LABELS, pairs=6, seed=0).batch(0)
    assert torch.equal(state, torch.get_rng_state())
    assert numpy_state[2] == np.random.get_state(legacy=True)[2]  # type: ignore[index]


GROUPS = ("a", "a", "b", "b", "c", "c", "c", "c")


def shares_of(found: PeopleSampler) -> dict[str, float]:
    totals: Counter[str] = Counter()
    for person, weight in zip(found.repeated.tolist(), found.weights.tolist(), strict=True):
        totals[GROUPS[person]] += weight
    return dict(totals)


def test_groups_get_their_shares_and_the_rest_is_even() -> None:
    assert shares_of(sampler(groups=GROUPS, shares={"a": 0.7})) == pytest.approx({"a": 0.7, "b": 0.2, "c": 0.1})
    assert shares_of(sampler(groups=GROUPS)) == pytest.approx({"a": 0.4, "b": 0.4, "c": 0.2})
    assert sampler(groups=GROUPS, shares={"a": 0.7}).weights.sum() == pytest.approx(1.0)


def test_shares_of_unknown_groups_are_passed_over() -> None:
    assert shares_of(sampler(groups=GROUPS, shares={"elsewhere": 0.9})) == pytest.approx({"a": 0.4, "b": 0.4, "c": 0.2})


def test_shares_that_leave_nothing_still_let_everyone_in() -> None:
    found = shares_of(sampler(groups=GROUPS, shares={"a": 1.0}))
    assert found["b"] > 0
    assert found["a"] > 0.99


def test_shares_are_what_batches_show() -> None:
    drawn: Counter[str] = Counter()
    found = sampler(people=1, groups=GROUPS, shares={"a": 0.7})
    for step in range(1500):
        drawn[GROUPS[int(LABELS[found.batch(step)[0]])]] += 1
    assert drawn["a"] / 1500 == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("step", range(10))
def test_pairs_are_half_genuine_and_half_impostor(step: int) -> None:
    rows = PairSampler(LABELS, pairs=40, seed=0).batch(step)
    assert rows.shape == (80,)
    left, right = rows.chunk(2)
    impostor = torch.arange(40) % 2 == 1
    assert torch.equal(LABELS[left] != LABELS[right], impostor)
    assert bool((left != right).all())


def test_pairs_are_ordered_and_reach_everyone() -> None:
    """Both (a, b) and (b, a) are drawn, and people with one sample serve in impostor pairs."""
    seen = set()
    people = Counter()
    pairs = PairSampler(LABELS, pairs=100, seed=0)
    for step in range(40):
        left, right = pairs.batch(step).chunk(2)
        seen |= set(zip(left.tolist(), right.tolist(), strict=True))
        people.update(LABELS[torch.cat([left, right])].tolist())
    genuine = {pair for pair in seen if LABELS[pair[0]] == LABELS[pair[1]]}
    assert len(genuine) == 5 * 4 + 4 * 3 + 3 * 2 + 2 * 1 + 6 * 5
    assert set(people) == set(range(8))


def test_pairs_follow_from_seed_and_step_alone() -> None:
    first, second = (PairSampler(LABELS, pairs=10, seed=3) for _ in range(2))
    second.batch(4)
    assert torch.equal(first.batch(7), second.batch(7))
    assert not torch.equal(first.batch(7), first.batch(8))
    assert not torch.equal(first.batch(7), PairSampler(LABELS, pairs=10, seed=4).batch(7))


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0, 1, 2], []])
def test_too_few_people_are_refused(labels: list[int]) -> None:
    with pytest.raises(TrainingError, match="at least two people with two samples") as caught:
        PeopleSampler(torch.tensor(labels, dtype=torch.int64), people=2, samples=2, seed=0)
    assert caught.value.field == "corpus"
    with pytest.raises(TrainingError):
        PairSampler(torch.tensor(labels, dtype=torch.int64), pairs=2, seed=0)


FORGED = torch.tensor([False] * 23 + [True] * 7)
WITH_FORGERIES = torch.cat([LABELS, torch.tensor([0] * 4 + [4] * 2 + [9])])
"""Rows 23 … 29: forgeries of person 0, of person 4 (one genuine sample) and of person 9 (none)."""


def forgery_pairs(pairs: int = 40, seed: int = 0, forged: torch.Tensor = FORGED) -> ForgeryPairSampler:
    return ForgeryPairSampler(WITH_FORGERIES, forged, pairs=pairs, seed=seed, forged_share=0.4, other_share=0.1)


@pytest.mark.parametrize("step", range(10))
def test_half_of_the_pairs_are_genuine_and_four_in_ten_forged(step: int) -> None:
    sampler = forgery_pairs()
    left, right = sampler.batch(step).chunk(2)
    assert left.shape == right.shape == (40,)
    same = WITH_FORGERIES[left] == WITH_FORGERIES[right]
    assert not bool(FORGED[left].any())
    assert FORGED[right].tolist() == [False] * 20 + [True] * 16 + [False] * 4
    assert same.tolist() == [True] * 36 + [False] * 4
    assert sampler.impostor.tolist() == [False] * 20 + [True] * 20
    assert bool((left != right).all())


def test_forged_pairs_are_of_those_who_were_forged_and_have_a_signature() -> None:
    seen: set[tuple[int, int]] = set()
    for step in range(60):
        left, right = forgery_pairs().batch(step).chunk(2)
        seen |= set(zip(left[20:36].tolist(), right[20:36].tolist(), strict=True))
    assert seen == {(own, forgery) for own in range(5) for forgery in range(23, 27)} | {(14, 27), (14, 28)}


def test_where_nobody_was_forged_forged_pairs_are_of_two_writers() -> None:
    sampler = ForgeryPairSampler(
        LABELS, torch.zeros(23, dtype=torch.bool), pairs=20, seed=0, forged_share=0.4, other_share=0.1
    )
    left, right = sampler.batch(0).chunk(2)
    assert torch.equal(LABELS[left] != LABELS[right], sampler.impostor)
    assert int(sampler.impostor.sum()) == 10


def test_forgery_pairs_follow_from_seed_and_step_alone() -> None:
    first, second = forgery_pairs(), forgery_pairs()
    second.batch(4)
    assert torch.equal(first.batch(7), second.batch(7))
    assert not torch.equal(first.batch(7), first.batch(8))
    assert not torch.equal(first.batch(7), forgery_pairs(seed=1).batch(7))


def test_shares_must_leave_genuine_pairs() -> None:
    with pytest.raises(TrainingError, match="leave no genuine ones"):
        ForgeryPairSampler(WITH_FORGERIES, FORGED, pairs=10, seed=0, forged_share=0.8, other_share=0.4)


def test_a_forgery_is_no_sample_of_the_person_it_imitates() -> None:
    people = PeopleSampler(WITH_FORGERIES, people=5, samples=6, singles=3, seed=0, forged=FORGED)
    pairs = PairSampler(WITH_FORGERIES, pairs=60, seed=0, forged=FORGED)
    for step in range(20):
        assert not bool(FORGED[people.batch(step)].any())
        assert not bool(FORGED[pairs.batch(step)].any())
    assert pairs.impostor.tolist() == [False, True] * 30


def with_forgeries(**changes: object) -> PeopleSampler:
    options: dict[str, object] = {"people": 5, "samples": 3, "seed": 0, "forged": FORGED, "forgeries": 2} | changes
    return PeopleSampler(WITH_FORGERIES, **options)  # type: ignore[arg-type]


def test_a_batch_holds_forgeries_of_its_people() -> None:
    """Of those who were forged; the others give as many more genuine samples."""
    for step in range(20):
        rows = with_forgeries().batch(step)
        assert rows.shape == (5 * 3 + 5 * 2,)
        people, more = WITH_FORGERIES[rows[:15]].view(5, 3)[:, 0], rows[15:].view(5, 2)
        assert not bool(FORGED[rows[:15]].any())
        assert torch.equal(WITH_FORGERIES[more], people[:, None].expand(5, 2))
        assert torch.equal(FORGED[more], (people == 0)[:, None].expand(5, 2))


@pytest.mark.parametrize("known", [0, 30])
def test_a_forgery_bears_a_label_that_nobody_shares(known: int) -> None:
    """One for each place of the batch, so that a forgery given twice is not its own positive; above all people."""
    sampler = with_forgeries(forgeries=6, known=known)
    rows = sampler.batch(0)
    labels = sampler.labels_of(rows)
    forged = FORGED[rows]
    assert len(set(rows[forged].tolist())) < int(forged.sum()) == 6
    assert labels.dtype == torch.int64
    assert torch.equal(labels[~forged], WITH_FORGERIES[rows][~forged])
    assert len(set(labels[forged].tolist())) == 6
    assert int(labels[forged].min()) >= max(known, 10)


def test_without_forgeries_labels_are_the_people() -> None:
    rows = sampler(singles=2).batch(3)
    assert torch.equal(sampler(singles=2).labels_of(rows), LABELS[rows])
