"""Who takes part, what enrolls them, and what is asked."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from countersign.demo.cast import chimeras
from countersign.demo.scene import Scene, set_scene
from encode.errors import TrialsError
from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row
from eval.trials import TrialKind

BOTH = {Modality.FACE: 5, Modality.SIGNATURE: 5}


def corpus(modality: Modality = Modality.FACE, *, forgeries: int = 0, **samples: int) -> Corpus:
    def row(person: str, kind: str, number: int) -> Row:
        return Row(
            id=f"{person}/{kind}{number:02}",
            path=Path(f"{person}{kind}{number}"),
            person=person,
            modality=modality,
            kind="forgery" if kind == "forgery" else "genuine",
            order=number,
        )

    return Corpus(
        "letters",
        [
            row(person, kind, number)
            for person, count in samples.items()
            for kind, wanted in (("genuine", count), ("forgery", forgeries))
            for number in range(wanted)
        ],
    )


def faces(people: int = 10, *, seed: int = 0, **samples: int) -> Scene:
    return set_scene({Modality.FACE: corpus(**samples)}, people, BOTH, seed=seed)


def both(people: int = 10, *, seed: int = 0, forgeries: int = 3) -> Scene:
    signed = corpus(Modality.SIGNATURE, forgeries=forgeries, a=7, b=8, c=9, d=7)
    corpora = {Modality.FACE: corpus(a=8, b=8, c=6, d=7), Modality.SIGNATURE: signed}
    return set_scene(corpora, people, BOTH, seed=seed)


def test_everyone_is_claimed_once_by_themselves_and_once_by_somebody_else() -> None:
    scene = faces(a=8, b=8, c=8, d=7)
    assert Counter((attempt.claim, attempt.genuine) for attempt in scene.attempts) == Counter(
        {(person, genuine): 1 for person in "abcd" for genuine in (True, False)}
    )
    impostors = [attempt.really for attempt in scene.attempts if not attempt.genuine]
    assert sorted(impostors) == ["a", "b", "c", "d"]
    for attempt in scene.attempts:
        assert attempt.probes[Modality.FACE].person == attempt.really


@pytest.mark.parametrize("people", [2, 3])
def test_no_probe_was_a_reference_and_nobody_is_their_own_impostor(people: int) -> None:
    for seed in range(20):
        for scene in (faces(people, seed=seed, a=6, b=6, c=9), both(people, seed=seed)):
            enrolled = {(row.modality, row.id) for rows in scene.references.values() for row in rows}
            assert all(len(rows) == 5 * len(scene.corpora) for rows in scene.references.values())
            for attempt in scene.attempts:
                assert not enrolled & {(modality, row.id) for modality, row in attempt.probes.items()}
                assert (attempt.really == attempt.claim) is attempt.genuine


def test_a_forger_brings_a_forgery_and_a_face_of_his_own() -> None:
    scene = both()
    assert Counter(attempt.kind for attempt in scene.attempts) == dict.fromkeys(TrialKind, 4)
    for attempt in scene.attempts:
        face, signature = attempt.probes[Modality.FACE], attempt.probes[Modality.SIGNATURE]
        assert face.person == attempt.really
        if attempt.kind is TrialKind.SKILLED:
            assert (signature.kind, signature.person) == ("forgery", attempt.claim)
            assert attempt.description == f"forger {attempt.really}"
        else:
            assert (signature.kind, signature.person) == ("genuine", attempt.really)
            assert attempt.description == ("the same" if attempt.genuine else attempt.really)


def test_the_same_attempts_are_asked_every_way() -> None:
    scene = both()
    face, signature = Modality.FACE, Modality.SIGNATURE
    assert scene.ways == ((face,), (signature,), (face, signature))
    for way in scene.ways:
        questions = scene.questions(way)
        assert [question.attempt for question in questions] == list(scene.attempts)
        assert all([row.modality for row in question.rows] == list(way) for question in questions)
    assert faces(a=6, b=6).ways == ((face,),)


def test_without_faces_a_forger_shows_none() -> None:
    signed = corpus(Modality.SIGNATURE, forgeries=2, a=7, b=8)
    scene = set_scene({Modality.SIGNATURE: signed}, 5, BOTH)
    assert [attempt.description for attempt in scene.attempts] == ["the same", "b", "forger", "the same", "a", "forger"]


def test_without_forgeries_there_is_no_forger() -> None:
    assert {attempt.kind for attempt in both(forgeries=0).attempts} == {TrialKind.GENUINE, TrialKind.RANDOM}


def test_people_with_too_few_samples_do_not_take_part() -> None:
    scene = faces(2, a=5, b=6, c=1, d=7, e=9)
    assert set(scene.references) == {"b", "d"}
    assert scene.corpora[Modality.FACE].people == ("b", "d")


@pytest.mark.parametrize(
    "cast", [lambda: corpus(a=9), lambda: corpus(a=6, b=5)], ids=["one person", "one with a probe"]
)
def test_it_takes_two(cast: Callable[[], Corpus]) -> None:
    with pytest.raises(TrialsError, match="1 people of letters have more than 5 face samples") as caught:
        set_scene({Modality.FACE: cast()}, 20, BOTH)
    assert caught.value.fix == "use a corpus with at least 6 samples a person"


def test_it_takes_two_with_both() -> None:
    corpora = {Modality.FACE: corpus(a=9, b=9, c=9), Modality.SIGNATURE: corpus(Modality.SIGNATURE, c=9, d=9)}
    with pytest.raises(TrialsError, match="1 people have enough samples of every modality"):
        set_scene(corpora, 20, BOTH)


def test_samples_of_another_modality_are_not_asked_about() -> None:
    with pytest.raises(TrialsError, match="0 people"):
        set_scene({Modality.SIGNATURE: corpus(a=9, b=9)}, 20, BOTH)


def test_chimeras_have_one_name_in_both_corpora_and_lend_nobody_twice() -> None:
    shown, signed = corpus(a=8, b=8, c=6, d=2), corpus(Modality.SIGNATURE, forgeries=2, v=7, w=7, x=9, y=6)
    made = chimeras({Modality.FACE: shown, Modality.SIGNATURE: signed}, BOTH, 10, seed=3)
    faces_of, signatures_of = made[Modality.FACE], made[Modality.SIGNATURE]
    assert faces_of.people == signatures_of.people
    assert len(faces_of.people) == 3
    assert {name.split("+")[0] for name in faces_of.people} == {"a", "b", "c"}
    assert len({name.split("+")[1] for name in faces_of.people}) == 3
    for name in faces_of.people:
        face, signature = name.split("+")
        assert all(row.id.startswith(f"{face}/") for row in faces_of.genuine(name))
        assert all(row.id.startswith(f"{signature}/") for row in signatures_of.forgeries(name))
        assert len(signatures_of.forgeries(name)) == 2
    assert len(chimeras({Modality.FACE: shown, Modality.SIGNATURE: signed}, BOTH, 2)[Modality.FACE].people) == 2
