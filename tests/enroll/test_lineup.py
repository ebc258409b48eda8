"""Line-ups: which model answers for which template, and which line-ups there cannot be."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import ConfigError, ModelMismatch
from encode.sample import Modality, Sample
from enroll.lineup import Lineup
from enroll.template import Template

NOW = datetime(2025, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Named:
    """A model and its encoder, by letter: digest and nothing else."""

    letter: str
    modality: Modality = Modality.FACE
    embedding_size: int = 2

    @property
    def encoder(self) -> "Named":
        return self

    @property
    def model_digest(self) -> str:
        return 64 * self.letter

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        raise NotImplementedError

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        raise NotImplementedError


FACE, OLD, OLDER = Named("a"), Named("b"), Named("c")
PEN, OLD_PEN = Named("d", Modality.SIGNATURE), Named("e", Modality.SIGNATURE)
CURRENT = {Modality.FACE: FACE, Modality.SIGNATURE: PEN}


def made_by(model: Named) -> Template:
    return Template.empty("staff", "ada", model.modality, model.model_digest, size=2, now=NOW)


@pytest.mark.parametrize(
    ("retiring", "face", "signature"),
    [
        ([], None, FACE),
        ([OLD], FACE, FACE),
        ([OLD, OLDER, OLD_PEN], OLD, FACE),
        ([OLD, OLDER], OLDER, FACE),
    ],
)
def test_the_maker_of_the_template_answers_and_the_current_model_without_one(
    retiring: list[Named], face: Named | None, signature: Named
) -> None:
    lineup = Lineup(CURRENT, retiring)
    templates = {} if face is None else {Modality.FACE: made_by(face)}
    assert lineup.needed(templates, CURRENT) == {Modality.FACE: face or FACE, Modality.SIGNATURE: PEN}
    assert lineup.needed(templates, [Modality.FACE]) == {Modality.FACE: face or FACE}


def test_a_person_may_be_half_migrated() -> None:
    lineup = Lineup(CURRENT, [OLD, OLD_PEN])
    templates = {Modality.FACE: made_by(FACE), Modality.SIGNATURE: made_by(OLD_PEN)}
    assert lineup.needed(templates, CURRENT) == {Modality.FACE: FACE, Modality.SIGNATURE: OLD_PEN}


def test_a_template_of_none_is_refused_naming_every_digest_and_what_to_do() -> None:
    lineup = Lineup(CURRENT, [OLD, OLD_PEN])
    assert lineup.maker(made_by(OLDER)) is None
    with pytest.raises(ModelMismatch) as caught:
        lineup.needed({Modality.FACE: made_by(OLDER)}, [Modality.FACE])
    assert all(one.model_digest in caught.value.message for one in (OLDER, FACE, OLD))
    assert OLD_PEN.model_digest not in caught.value.message
    assert all(word in (caught.value.fix or "") for word in ("--retiring", "countersign migrate", "enroll again"))


def test_a_template_of_another_modality_than_asked_about_is_no_hindrance() -> None:
    lineup = Lineup(CURRENT)
    assert lineup.needed({Modality.FACE: made_by(OLDER)}, [Modality.SIGNATURE]) == {Modality.SIGNATURE: PEN}
    assert Lineup({Modality.FACE: FACE}).maker(made_by(PEN)) is None


@pytest.mark.parametrize(
    ("current", "retiring", "told"),
    [
        ({Modality.FACE: FACE}, [OLD_PEN], "a signature model retires, and no current one follows it"),
        ({}, [OLD], "a face model retires, and no current one follows it"),
        (CURRENT, [FACE], f"the face model {'a' * 64} is named twice"),
        (CURRENT, [OLD, OLDER, OLD], f"the face model {'b' * 64} is named twice"),
    ],
)
def test_line_ups_that_cannot_be_are_refused(current: dict[Modality, Named], retiring: list[Named], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        Lineup(current, retiring)
    assert caught.value.field == "retiring"
    assert caught.value.fix


def test_a_line_up_is_the_mapping_of_its_current_models() -> None:
    lineup = Lineup(CURRENT, [OLD])
    assert dict(lineup) == CURRENT
    assert lineup.all_of(Modality.FACE) == (FACE, OLD)
    assert lineup.all_of(Modality.SIGNATURE) == (PEN,)
    assert Lineup.of(lineup) is lineup
    assert Lineup.of(CURRENT).retiring == ()
