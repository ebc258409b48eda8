"""The split depends on the name and on nothing else: pinned here, because a changed hash would leak people."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import CorpusOverlap
from eval.corpora.corpus import Corpus, Row
from train.people_split import Role, require_disjoint, role_of, split_people

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
