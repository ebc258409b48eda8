"""Who takes part, what enrolls them, and what is asked."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from countersign.demo.scene import set_scene
from encode.errors import TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row


def corpus(**samples: int) -> Corpus:
    return Corpus(
        "letters",
        [
            Row(id=f"{person}/{number:02}", path=Path(f"{person}{number}"), person=person, order=number)
            for person, count in samples.items()
            for number in range(count)
        ],
    )


def test_everyone_is_claimed_once_by_themselves_and_once_by_somebody_else() -> None:
    scene = set_scene(corpus(a=8, b=8, c=8, d=7), Modality.FACE, people=10, references=5)
    assert Counter((question.claim, question.genuine) for question in scene.questions) == Counter(
        {(person, genuine): 1 for person in "abcd" for genuine in (True, False)}
    )
    impostors = [question.probe.person for question in scene.questions if not question.genuine]
    assert sorted(impostors) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("people", [2, 3])
def test_no_probe_was_a_reference_and_nobody_is_their_own_impostor(people: int) -> None:
    for seed in range(20):
        scene = set_scene(corpus(a=6, b=6, c=9), Modality.FACE, people=people, references=5, seed=seed)
        enrolled = {row.id for rows in scene.references.values() for row in rows}
        assert all(len(rows) == 5 for rows in scene.references.values())
        assert not enrolled & {question.probe.id for question in scene.questions}
        assert [question.genuine for question in scene.questions] == [True, False] * people


def test_people_with_too_few_samples_do_not_take_part() -> None:
    scene = set_scene(corpus(a=5, b=6, c=1, d=7, e=9), Modality.FACE, people=2, references=5)
    assert set(scene.references) == {"b", "d"}
    assert scene.corpus.people == ("b", "d")


@pytest.mark.parametrize(
    "cast", [lambda: corpus(a=9), lambda: corpus(a=6, b=5)], ids=["one person", "one with a probe"]
)
def test_it_takes_two(cast: Callable[[], Corpus]) -> None:
    with pytest.raises(TrialsError, match="1 people of letters have more than 5 face samples") as caught:
        set_scene(cast(), Modality.FACE, people=20, references=5)
    assert caught.value.fix == "use a corpus with at least 6 samples a person"


def test_samples_of_another_modality_are_not_asked_about() -> None:
    with pytest.raises(TrialsError, match="0 people"):
        set_scene(corpus(a=9, b=9), Modality.SIGNATURE, people=20, references=5)
