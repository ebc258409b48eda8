"""A fresh bundle's thresholds, measured on people it was not trained on, with as many references as they can give."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from encode.bundle import Bundle
from encode.errors import TrialsError
from encode.manifest import IdentitySpec
from encode.sample import ImageSample, Modality
from eval.corpora.corpus import Corpus, Row
from eval.policies.development_policy import LEAST_PEOPLE, REFERENCES, development_policy

Encoded = Callable[..., bytes]
SealTiny = Callable[..., Bundle]
MakePeople = Callable[[list[int]], Corpus]


@pytest.fixture(scope="module")
def make_people(encoded: Encoded) -> MakePeople:
    """``make_people([5, 3])``: a corpus of people with so many pictures each."""

    def picture(person: int, shot: int) -> bytes:
        pattern = np.random.default_rng(person).uniform(30, 220, (5, 4))
        noise = np.random.default_rng((person, shot)).normal(0, 12, (20, 16))
        return encoded(np.clip(np.kron(pattern, np.ones((4, 4))) + noise, 0, 255).astype(np.uint8))

    def load(data: bytes, row: Row) -> ImageSample:
        return ImageSample(data)

    def make(counts: list[int]) -> Corpus:
        rows = [
            Row(
                id=f"p{person:02}/{shot}",
                path=Path(f"p{person:02}/{shot}"),
                person=f"p{person:02}",
                loader=partial(load, picture(person, shot)),
            )
            for person, count in enumerate(counts)
            for shot in range(count)
        ]
        return Corpus("development", rows)

    return make


@pytest.fixture(scope="module")
def bundle(seal_tiny: SealTiny, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return seal_tiny(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.mark.parametrize(
    ("counts", "references"),
    [
        ([6] * LEAST_PEOPLE, 5),
        ([6] * (LEAST_PEOPLE - 1) + [4] * 3, 3),
        ([4] * 5 + [3] * (LEAST_PEOPLE - 5), 2),
        ([2] * LEAST_PEOPLE, 1),
        ([3] * 6, 1),
    ],
)
def test_people_give_as_many_references_as_enough_of_them_can(
    bundle: Bundle, make_people: MakePeople, counts: list[int], references: int
) -> None:
    assert development_policy(bundle, make_people(counts), draws=1).references == references


def test_the_policy_is_the_bundles_on_that_corpus(bundle: Bundle, make_people: MakePeople) -> None:
    corpus = make_people([4] * 16 + [1] * 4)
    policy = development_policy(bundle, corpus, draws=2)
    policy.require_model(bundle.model_digest, Modality.FACE)
    assert (policy.corpus.name, policy.corpus.digest, policy.corpus.people) == ("development", corpus.digest, 16)
    assert policy.trials.impostor == 16 * (15 * 4 + 4)
    assert all(row.achieved_far.value <= row.target_far for row in policy.table)
    again = development_policy(bundle, corpus, draws=2)
    assert again.table == policy.table


def test_where_there_are_forgeries_the_thresholds_are_set_against_them(bundle: Bundle, make_people: MakePeople) -> None:
    genuine = make_people([4] * 10)
    forgeries = [
        Row(id=f"forged {row.id}", path=row.path, person=row.person, kind="forgery", loader=row.loader)
        for row in make_people([3] * 10).rows
    ]
    policy = development_policy(bundle, Corpus("forged", [*genuine.rows, *forgeries]), draws=2)
    assert (policy.impostor, policy.trials.impostor) == ("skilled", 30)
    assert development_policy(bundle, genuine, draws=2).impostor == "random"


def test_a_kind_that_needs_two_references_gets_two(
    seal_tiny: SealTiny, make_people: MakePeople, tmp_path: Path
) -> None:
    spherical = seal_tiny(tmp_path, identity=IdentitySpec(kind="spherical"))
    assert development_policy(spherical, make_people([3] * 6), draws=1).references == REFERENCES[-2] == 2
    with pytest.raises(TrialsError, match="no development person has a sample left"):
        development_policy(spherical, make_people([2] * 6), draws=1)


def test_samples_of_another_modality_are_no_references(bundle: Bundle, make_people: MakePeople) -> None:
    faces = make_people([2] * LEAST_PEOPLE)
    signatures = [
        Row(id=f"signature {row.id}", path=row.path, person=row.person, modality=Modality.SIGNATURE)
        for row in make_people([6] * LEAST_PEOPLE).rows
    ]
    assert development_policy(bundle, Corpus("both", [*faces.rows, *signatures]), draws=1).references == 1


def test_people_with_one_sample_each_support_no_threshold(bundle: Bundle, make_people: MakePeople) -> None:
    with pytest.raises(TrialsError, match="no development person has a sample left") as caught:
        development_policy(bundle, make_people([1] * 20))
    assert caught.value.field == "corpus"
