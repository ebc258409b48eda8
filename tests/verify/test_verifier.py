"""The Verifier by itself: its arithmetic against a naive twin, and what it refuses."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import (
    DeadlineExpired,
    ImageFormatUnsupported,
    ModelMismatch,
    PersonUnknown,
    SampleError,
    TargetFarUnavailable,
    TooFewReferences,
    WrongModality,
)
from encode.sample import ImageSample, Modality
from enroll.enroller import Enroller
from enroll.stores.memory import MemoryStore
from verify.decision import Decision
from verify.model import Model, load_models
from verify.verifier import Verifier

Face = Callable[..., ImageSample]
Models = Mapping[Modality, Model]
TEXT = ImageSample(b"not an image")


@pytest.fixture
def verifier(models: Models, face: Face) -> Verifier:
    store = MemoryStore()
    Enroller(models, store).enroll("staff", "ada", [face(1, shot) for shot in range(4)])
    return Verifier(models, store)


def test_the_decision_is_the_arithmetic_written_out(verifier: Verifier, models: Models, face: Face) -> None:
    probes = [face(1, 8), face(2, 8), face(1, 9)]
    decision = verifier.verify("staff", "ada", probes, 0.01)
    model = models[Modality.FACE]
    references = np.concatenate(
        [model.encoder.embed_prepared(model.encoder.prepare(face(1, s))[None]) for s in range(4)]
    )
    person = model.identity.fit(references)
    llrs = [
        float(model.identity.llr(person, model.encoder.embed_prepared(model.encoder.prepare(probe)[None]))[0])
        for probe in probes
    ]
    assert [sample.llr for sample in decision.samples] == pytest.approx(llrs, rel=1e-4)
    assert decision.score == pytest.approx(sum(llrs) / 3, rel=1e-4)
    assert decision.probability == pytest.approx(1 / (1 + math.exp(-decision.score)), rel=1e-9)
    assert decision.accepted == (decision.score >= 0.0)


def test_the_parts_give_what_the_whole_gives(verifier: Verifier, face: Face) -> None:
    """The evaluator goes by embed, fit, llr and decide; the service by verify."""
    references = verifier.embed(Modality.FACE, [face(1, shot) for shot in range(4)])
    assert all(isinstance(one, np.ndarray) for one in references)
    person = verifier.fit(Modality.FACE, np.stack([one for one in references if isinstance(one, np.ndarray)]))
    [probe] = verifier.embed(Modality.FACE, [face(1, 8)])
    assert isinstance(probe, np.ndarray)
    llrs = verifier.llr(Modality.FACE, person, probe[None])
    assert llrs.dtype == np.float64
    by_parts = verifier.decide({Modality.FACE: llrs.tolist()}, 0.1)
    whole = verifier.verify("staff", "ada", [face(1, 8)], 0.1)
    assert by_parts.score == pytest.approx(whole.score, rel=1e-9)
    assert (by_parts.threshold, by_parts.accepted) == (whole.threshold, whole.accepted)


def test_embedding_keeps_the_order_and_tells_of_each_failure(verifier: Verifier, face: Face) -> None:
    results = verifier.embed(Modality.FACE, [face(1), TEXT, face(2), ImageSample(b"")])
    assert [isinstance(one, SampleError) for one in results] == [False, True, False, True]
    alone = verifier.embed(Modality.FACE, [face(2)])[0]
    np.testing.assert_allclose(results[2], alone, atol=1e-5)  # type: ignore[arg-type]
    assert verifier.embed(Modality.FACE, []) == []
    assert len(verifier.embed(Modality.FACE, [TEXT])) == 1


@given(score=st.floats(-800, 800), threshold=st.floats(-800, 800))
def test_accepted_means_at_or_above_the_threshold(score: float, threshold: float) -> None:
    decision = Decision(score, threshold, 0.01, False, "id", ())
    assert decision.accepted == (score >= threshold)
    assert 0.0 <= decision.probability <= 1.0
    assert Decision(threshold, threshold, 0.01, False, "id", ()).accepted


def test_a_score_that_is_no_number_is_not_accepted() -> None:
    assert not Decision(float("nan"), -1e9, 0.01, False, "id", ()).accepted


def test_without_a_usable_probe_the_first_ones_error_is_raised(verifier: Verifier) -> None:
    with pytest.raises(ImageFormatUnsupported) as caught:
        verifier.verify("staff", "ada", [TEXT, ImageSample(b"")])
    assert caught.value.field == "samples[0].image.data"


def test_the_refusals_in_the_order_they_are_found(verifier: Verifier, models: Models, face: Face) -> None:
    signature = ImageSample(face(1).data, modality=Modality.SIGNATURE)
    with pytest.raises(WrongModality):
        verifier.verify("staff", "nobody", [signature], 0.5)
    with pytest.raises(TargetFarUnavailable):
        verifier.verify("staff", "nobody", [TEXT], 0.5)
    with pytest.raises(PersonUnknown):
        verifier.verify("staff", "nobody", [TEXT])
    with pytest.raises(PersonUnknown):
        verifier.verify("Staff", "ada", [TEXT])


def test_another_models_template_is_refused(
    seal: Callable[..., Path], models: Models, face: Face, tmp_path: Path
) -> None:
    others = load_models([seal(tmp_path / "other", seed=1)], threads=1)
    store = MemoryStore()
    Enroller(others, store).enroll("staff", "ada", [face(1)])
    with pytest.raises(ModelMismatch) as caught:
        Verifier(models, store).verify("staff", "ada", [face(1)])
    assert caught.value.field == "person"


def test_too_few_references_are_refused(seal: Callable[..., Path], face: Face, tmp_path: Path) -> None:
    demanding = load_models([seal(tmp_path / "demanding", minimum=3)], threads=1)
    store = MemoryStore()
    enroller = Enroller(demanding, store)
    enroller.enroll("staff", "ada", [face(1, 0), face(1, 1)])
    with pytest.raises(TooFewReferences, match="2 face references, 3 are needed"):
        Verifier(demanding, store).verify("staff", "ada", [face(1, 5)])
    enroller.enroll("staff", "ada", [face(1, 2)])
    assert Verifier(demanding, store).verify("staff", "ada", [face(1, 5)]).accepted


def test_modalities_without_a_common_policy_are_refused(models: Models) -> None:
    face_model = models[Modality.FACE]
    both = Verifier({Modality.FACE: face_model, Modality.SIGNATURE: face_model}, MemoryStore())
    with pytest.raises(TargetFarUnavailable, match="the face model's policy holds no scores"):
        both.decide({Modality.FACE: [9.0], Modality.SIGNATURE: [9.0]})
    unmeasured = Verifier({Modality.FACE: replace(face_model, policy=None)}, MemoryStore())
    with pytest.raises(TargetFarUnavailable, match="no policy was measured"):
        unmeasured.decide({Modality.FACE: [9.0]})


def test_abandoned_work_ends_at_the_next_step(verifier: Verifier, face: Face) -> None:
    def checkpoint() -> None:
        raise DeadlineExpired("late")

    with pytest.raises(DeadlineExpired):
        verifier.verify("staff", "ada", [face(1)], checkpoint=checkpoint)
