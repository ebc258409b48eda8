"""The split depends on the name and on nothing else: pinned here, because a changed hash would leak people."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import CorpusOverlap
from eval.corpora.corpus import Corpus, Row
from train.people_split import BUCKETS, Role, SplitShares, require_disjoint, role_of, split_people

NAMES = tuple(f"corpus/person {number}" for number in range(4000))


def corpus(name: str, people: list[str]) -> Corpus:
    return Corpus(name, [Row(id=person, path=Path(person), person=person) for person in people])


def test_roles_of_known_names_never_change() -> None:
    by_role = {role: [name for name in NAMES[:60] if role_of(name) is role] for role in Role}
    assert by_role[Role.BACKGROUND] == ["corpus/person 4", "corpus/person 51", "corpus/person 55"]
    assert by_role[Role.POLICY] == ["corpus/person 58"]


def test_one_in_twenty_each_is_held_back() -> None:
    counts = Counter(role_of(name) for name in NAMES)
    assert counts[Role.BACKGROUND] == pytest.approx(200, abs=45)
    assert counts[Role.POLICY] == pytest.approx(200, abs=45)


@given(st.lists(st.text(max_size=20), unique=True, max_size=60))
def test_everyone_is_on_one_side_whoever_else_is_there(people: list[str]) -> None:
    parts = split_people(tuple(people))
    assert set(parts) == set(Role)
    together = [person for part in parts.values() for person in part]
    assert sorted(together) == sorted(people)
    for role, part in parts.items():
        assert list(part) == [person for person in people if person in set(part)]
        for person in part:
            assert split_people((person,))[role] == (person,)


def test_people_in_two_corpora_are_found() -> None:
    require_disjoint(corpus("a", ["anna", "boris"]), corpus("b", ["carla"]))
    with pytest.raises(CorpusOverlap, match="1 people are in both a and b") as caught:
        require_disjoint(corpus("a", ["anna", "boris"]), corpus("b", ["boris", "carla"]))
    assert "boris" not in str(caught.value)


def test_a_share_of_people_can_be_held_out_of_everything() -> None:
    held = {name for name in NAMES if role_of(name, 0.3) is Role.HELD_OUT}
    assert len(held) == pytest.approx(1200, abs=120)
    assert held < {name for name in NAMES if role_of(name, 0.5) is Role.HELD_OUT}
    assert all(role_of(name, 0.3) is role_of(name) for name in NAMES if name not in held)
    assert {role_of(name, 1.0) for name in NAMES} == {Role.HELD_OUT}
    roles = {role_of(name) for name in held}
    assert roles == {Role.TRAINING, Role.BACKGROUND, Role.POLICY}  # its hash is independent of the other


def test_people_are_held_out_by_corpus() -> None:
    everyone = ("a/anna", "a/boris", "b/anna", "b/carla")
    parts = split_people(everyone, {"a": 1.0})
    assert parts[Role.HELD_OUT] == ("a/anna", "a/boris")
    assert split_people(everyone)[Role.HELD_OUT] == ()
    parts = split_people(("s/old-1", "s/old-2", "s/new-1", "s2/old-1"), {"s": 0.0, "s/old": 1.0})
    assert parts[Role.HELD_OUT] == ("s/old-1", "s/old-2")
    assert split_people(("s/old-1", "s2/old-1"), {"s": 1.0})[Role.HELD_OUT] == ("s/old-1",)


def of(role: Role, shares: SplitShares) -> set[str]:
    return {name for name in NAMES if role_of(name, shares=shares) is role}


@pytest.mark.parametrize(("background", "policy"), [(1, 1), (3, 1), (1, 6), (5, 9), (18, 1), (1, 18)])
def test_shares_are_twentieths(background: int, policy: int) -> None:
    shares = SplitShares(background=background, policy=policy)
    found = {role: len(of(role, shares)) for role in Role}
    each = len(NAMES) / BUCKETS
    expected = {
        Role.BACKGROUND: background * each,
        Role.POLICY: policy * each,
        Role.TRAINING: (BUCKETS - background - policy) * each,
        Role.HELD_OUT: 0,
    }
    assert found == pytest.approx(expected, abs=150)
    assert found[Role.TRAINING] > 0
    assert sum(found.values()) == len(NAMES)


@given(st.integers(1, 17), st.integers(0, 17), st.integers(0, 3), st.integers(0, 3))
def test_more_buckets_only_take_people_from_training(background: int, policy: int, more: int, further: int) -> None:
    if background + policy + more + further >= BUCKETS:
        return
    before, after = SplitShares(background, policy), SplitShares(background + more, policy + further)
    for name in NAMES[:400]:
        role, other = role_of(name, shares=before), role_of(name, shares=after)
        assert other is role or role is Role.TRAINING


def test_the_default_shares_are_the_old_split() -> None:
    """Nobody on whom a shipped model was measured may train another one."""
    assert all(role_of(name, shares=SplitShares()) is role_of(name) for name in NAMES[:500])
    held = of(Role.BACKGROUND, SplitShares()) | of(Role.POLICY, SplitShares())
    more = SplitShares(background=3, policy=6)
    assert held < of(Role.BACKGROUND, more) | of(Role.POLICY, more)


def test_thresholds_may_be_set_on_one_corpus_alone() -> None:
    shares = SplitShares(background=3, policy_of={"s/new": 6, "s": 1})
    people = [f"{corpus}-{number}" for corpus in ("s/new", "s/old", "t/new", "s2/new") for number in range(2000)]
    parts = split_people(tuple(people), shares=shares)
    policy = [person.partition("-")[0] for person in parts[Role.POLICY]]
    assert set(policy) == {"s/new", "s/old"}
    assert policy.count("s/new") == pytest.approx(600, abs=80)
    assert policy.count("s/old") == pytest.approx(100, abs=40)
    background = [person.partition("-")[0] for person in parts[Role.BACKGROUND]]
    assert all(background.count(corpus) == pytest.approx(300, abs=60) for corpus in ("s/new", "t/new"))
    # Where a corpus sets no thresholds its people of that bucket are trained on.
    assert "t/new" in {person.partition("-")[0] for person in parts[Role.TRAINING]}
    assert sum(len(part) for part in parts.values()) == len(people)


def test_whoever_is_held_out_is_so_whatever_the_shares() -> None:
    shares = SplitShares(background=4, policy=4)
    for name in NAMES[:500]:
        held = role_of(name, 0.3) is Role.HELD_OUT
        assert (role_of(name, 0.3, shares) is Role.HELD_OUT) == held


@pytest.mark.parametrize(
    ("background", "policy", "policy_of"),
    [(0, 1, {}), (1, -1, {}), (10, 10, {}), (19, 1, {}), (10, 1, {"s": 10}), (1, 1, {"s": -1})],
)
def test_shares_that_leave_nobody_are_refused(background: int, policy: int, policy_of: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must leave some of the 20 buckets for training"):
        SplitShares(background, policy, policy_of)
