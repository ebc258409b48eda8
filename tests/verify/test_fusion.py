"""Face and signature in one call over a real socket: the ratios add, and what is missing is stated, never skipped."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from encode.errors import ImageFormatUnsupported, PersonUnknown, StrokesTooShort, TargetFarUnavailable, TooFewReferences
from encode.sample import ImageSample, Modality, StrokesSample
from enroll.enroller import Enroller
from enroll.identity import IdentityModel
from enroll.stores.memory import MemoryStore
from enroll.stores.store import TemplateStore
from verify.client.client import Client
from verify.decision import Decision, ModalityEvidence, Status
from verify.fused_policy import fuse
from verify.model import Model
from verify.policy import Policy
from verify.server_checks import tell_whether_fused
from verify.server_thread import serving
from verify.v1 import sample_pb2, verification_pb2
from verify.verifier import Verifier

Face = Callable[..., ImageSample]
Signature = Callable[..., StrokesSample]
Models = Mapping[Modality, Model]

FACE, SIGNATURE = sample_pb2.MODALITY_FACE, sample_pb2.MODALITY_SIGNATURE
USED = verification_pb2.MODALITY_STATUS_USED
UNUSABLE = verification_pb2.MODALITY_STATUS_UNUSABLE
NOT_ENROLLED = verification_pb2.MODALITY_STATUS_NOT_ENROLLED
NOT_SENT = verification_pb2.MODALITY_STATUS_NOT_SENT

TEXT = ImageSample(b"a covered camera")
DOT = StrokesSample((1.0,), (1.0,), (0.0,))


def statuses(answer: verification_pb2.VerifyResponse) -> dict[int, int]:
    return {part.modality: part.status for part in answer.modalities}


def policy_of(models: Models, modality: Modality) -> Policy:
    policy = models[modality].policy
    assert policy is not None
    return policy


@pytest.fixture
def enrolled(pen_client: Client, face: Face, signature: Signature) -> Client:
    """ada is enrolled in both, fay in her face alone, sid in his signature alone."""
    faces, signatures = [face(1, shot) for shot in range(4)], [signature(1, shot) for shot in range(4)]
    pen_client.enroll("staff", "ada", [*faces, *signatures])
    pen_client.enroll("staff", "fay", faces)
    pen_client.enroll("staff", "sid", signatures)
    return pen_client


def test_one_enrolment_makes_a_template_of_each_modality(enrolled: Client) -> None:
    templates = enrolled.get_person("staff", "ada").templates
    assert {one.modality: one.anchors + one.recent for one in templates} == {FACE: 4, SIGNATURE: 4}


def test_independent_ratios_add_and_each_share_is_shown(
    enrolled: Client, both: Models, face: Face, signature: Signature
) -> None:
    alone = [enrolled.verify("staff", "ada", [one]) for one in (face(1, 8), signature(1, 8))]
    answer = enrolled.verify("staff", "ada", [signature(1, 8), face(1, 8)])
    assert statuses(answer) == {FACE: USED, SIGNATURE: USED}
    shares = [part.log_likelihood_ratio for part in answer.modalities]
    assert shares == pytest.approx([one.log_likelihood_ratio for one in alone], rel=1e-4)
    assert answer.log_likelihood_ratio == pytest.approx(sum(shares))
    fused = fuse(policy_of(both, Modality.FACE), policy_of(both, Modality.SIGNATURE))
    assert (answer.policy_id, answer.threshold) == (fused.id, fused.row_for(0.001).threshold)
    assert answer.threshold not in {one.threshold for one in alone}
    assert [part.model_digest for part in answer.modalities] == [both[one].model_digest for one in sorted(both)]
    assert (answer.complete, answer.accepted) == (True, True)


def test_several_samples_of_a_modality_count_by_their_mean(enrolled: Client, face: Face, signature: Signature) -> None:
    answer = enrolled.verify("staff", "ada", [face(1, 8), signature(1, 8), DOT, signature(1, 9)])
    first, one, dot, two = answer.samples
    assert (dot.acquired, dot.problem.reason) == (False, "STROKES_TOO_SHORT")
    shares = {part.modality: part.log_likelihood_ratio for part in answer.modalities}
    assert shares[FACE] == first.log_likelihood_ratio
    assert shares[SIGNATURE] == pytest.approx((one.log_likelihood_ratio + two.log_likelihood_ratio) / 2)
    assert answer.complete


def test_either_impostor_is_rejected(enrolled: Client, face: Face, signature: Signature) -> None:
    for samples in ([face(2, 8), signature(1, 8)], [face(1, 8), signature(2, 8)], [face(2, 8), signature(2, 8)]):
        answer = enrolled.verify("staff", "ada", samples)
        assert (answer.complete, answer.accepted) == (True, False)


@pytest.mark.parametrize("spoilt", [Modality.FACE, Modality.SIGNATURE])
def test_a_spoilt_modality_is_stated_and_the_claim_rejected(
    enrolled: Client, both: Models, face: Face, signature: Signature, spoilt: Modality
) -> None:
    if spoilt is Modality.FACE:
        samples, used, field = [TEXT, signature(1, 8)], Modality.SIGNATURE, "samples[0].image.data"
    else:
        samples, used, field = [DOT, face(1, 8)], Modality.FACE, "samples[0].strokes.x"
    answer = enrolled.verify("staff", "ada", samples)
    expected = {FACE: USED, SIGNATURE: USED} | {FACE if spoilt is Modality.FACE else SIGNATURE: UNUSABLE}
    assert statuses(answer) == expected
    assert (answer.complete, answer.accepted) == (False, False)
    assert answer.samples[0].problem.field == field
    [missing] = [part for part in answer.modalities if part.status == UNUSABLE]
    assert not missing.HasField("log_likelihood_ratio")
    # The score is compared with the threshold of what was used, never with that of both.
    assert answer.policy_id == policy_of(both, used).id
    assert answer.log_likelihood_ratio >= answer.threshold == 2.0
    willing = enrolled.verify("staff", "ada", samples, accept_partial=True)
    assert (willing.complete, willing.accepted) == (False, True)
    assert willing.log_likelihood_ratio == pytest.approx(answer.log_likelihood_ratio)


def test_an_impostor_stays_one_on_part_of_what_was_sent(enrolled: Client, signature: Signature) -> None:
    assert not enrolled.verify("staff", "ada", [TEXT, signature(2, 8)], accept_partial=True).accepted


@pytest.mark.parametrize("person", ["fay", "sid"])
def test_a_modality_without_references_is_stated_and_the_claim_rejected(
    enrolled: Client, face: Face, signature: Signature, person: str
) -> None:
    samples = [face(1, 8), signature(1, 8)]
    lacking = {"fay": SIGNATURE, "sid": FACE}[person]
    answer = enrolled.verify("staff", person, samples)
    assert statuses(answer) == {FACE: USED, SIGNATURE: USED} | {lacking: NOT_ENROLLED}
    assert (answer.complete, answer.accepted) == (False, False)
    sent = {sample.modality: sample for sample in answer.samples}
    assert sent[lacking].acquired
    assert not sent[lacking].HasField("log_likelihood_ratio")
    assert enrolled.verify("staff", person, samples, accept_partial=True).accepted


def test_a_modality_not_sent_is_told_and_takes_nothing_away(enrolled: Client, face: Face, signature: Signature) -> None:
    answer = enrolled.verify("staff", "ada", [face(1, 8)])
    assert statuses(answer) == {FACE: USED, SIGNATURE: NOT_SENT}
    assert (answer.complete, answer.accepted) == (True, True)
    assert statuses(enrolled.verify("staff", "fay", [face(1, 8)])) == {FACE: USED}
    assert statuses(enrolled.verify("staff", "ada", [signature(1, 8)])) == {FACE: NOT_SENT, SIGNATURE: USED}


def test_nothing_to_compare_is_an_error(enrolled: Client, face: Face, signature: Signature) -> None:
    with pytest.raises(ImageFormatUnsupported) as unreadable:
        enrolled.verify("staff", "ada", [TEXT, DOT])
    assert unreadable.value.field == "samples[0].image.data"
    # What was sent of the only modality in which sid is enrolled cannot be read.
    with pytest.raises(StrokesTooShort) as short:
        enrolled.verify("staff", "sid", [face(1, 8), DOT], accept_partial=True)
    assert short.value.field == "samples[1].strokes.x"
    with pytest.raises(TooFewReferences, match="0 signature references"):
        enrolled.verify("staff", "fay", [signature(1, 8)])
    with pytest.raises(PersonUnknown):
        enrolled.verify("staff", "nobody", [face(1, 8), signature(1, 8)])


def test_too_few_references_in_both_are_both_named(both: Models, face: Face, signature: Signature) -> None:
    def demanding(model: Model) -> Model:
        identity = model.identity
        spec = identity.spec.model_copy(update={"minimum": 3})
        size = len(identity.background.mean)
        background = {"mean": np.zeros(size), "total": np.eye(size), "within": np.eye(size)}
        return replace(model, identity=IdentityModel(spec, background))

    store = MemoryStore()
    Enroller(both, store).enroll("staff", "ada", [face(1), signature(1)])
    verifier = Verifier({modality: demanding(model) for modality, model in both.items()}, store)
    with pytest.raises(TooFewReferences, match="1 face references, 3 are needed; and 1 signature references, 3 are"):
        verifier.verify("staff", "ada", [face(1, 8), signature(1, 8)])


def test_a_target_far_holds_for_what_was_sent(enrolled: Client, face: Face, signature: Signature) -> None:
    answer = enrolled.verify("staff", "ada", [TEXT, signature(1, 8)], target_far=0.01)
    assert (answer.target_far, answer.threshold) == (0.01, 0.0)
    with pytest.raises(TargetFarUnavailable, match=r"0\.05"):
        enrolled.verify("staff", "ada", [face(1, 8), signature(1, 8)], target_far=0.05)


def test_the_default_target_is_that_of_all_modalities_sent(both: Models, face: Face, signature: Signature) -> None:
    lenient = policy_of(both, Modality.SIGNATURE).model_copy(update={"default_target_far": 0.01})
    models = {**both, Modality.SIGNATURE: replace(both[Modality.SIGNATURE], policy=lenient)}
    store = MemoryStore()
    Enroller(models, store).enroll("staff", "ada", [face(1), signature(1)])
    verifier = Verifier(models, store)
    assert verifier.verify("staff", "ada", [face(1, 8)]).target_far == 0.001
    assert verifier.verify("staff", "ada", [face(1, 8), DOT]).target_far == 0.01
    assert verifier.verify("staff", "ada", [face(1, 8), signature(1, 8)]).target_far == 0.01


def test_a_policy_without_scores_refuses_both_together_but_not_each(
    both: Models, face: Face, signature: Signature, store: TemplateStore
) -> None:
    bare = policy_of(both, Modality.FACE).model_copy(update={"scores": None})
    models = {**both, Modality.FACE: replace(both[Modality.FACE], policy=bare)}
    with serving(models, store) as address, Client(address) as client:
        client.enroll("staff", "ada", [face(1), face(1, 1), signature(1), signature(1, 1)])
        assert client.verify("staff", "ada", [face(1, 8)]).accepted
        assert client.verify("staff", "ada", [signature(1, 8)]).accepted
        for call in (
            lambda: client.verify("staff", "ada", [face(1, 8), signature(1, 8)]),
            lambda: client.get_policy(Modality.SIGNATURE, Modality.FACE),
        ):
            with pytest.raises(TargetFarUnavailable, match="the face model's policy holds no scores") as caught:
                call()
            assert caught.value.field == "samples"


def test_the_operator_is_warned_of_models_that_cannot_be_fused(both: Models, log: io.StringIO) -> None:
    for sound in (both, {Modality.FACE: both[Modality.FACE]}):
        tell_whether_fused(sound)
    assert log.getvalue() == ""
    bare = policy_of(both, Modality.SIGNATURE).model_copy(update={"scores": None})
    tell_whether_fused({**both, Modality.SIGNATURE: replace(both[Modality.SIGNATURE], policy=bare)})
    [line] = log.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["modalities"]) == ("not_fused", ["face", "signature"])
    assert "the signature model's policy holds no scores" in told["why"]
    assert told["advice"]


def test_the_fused_policy_is_told_with_its_parts(pen_client: Client, both: Models) -> None:
    told = pen_client.get_policy(Modality.SIGNATURE, Modality.FACE)
    fused = fuse(policy_of(both, Modality.FACE), policy_of(both, Modality.SIGNATURE))
    assert told.policy_id == fused.id
    assert [row.threshold for row in told.rows] == [row.threshold for row in fused.table]
    assert [row.beyond_evidence for row in told.rows] == [False, True, True]
    assert (told.genuine_trials, told.impostor_trials, told.impostor, told.modality) == (400, 1_000, "", 0)
    assert [(part.modality, part.impostor) for part in told.parts] == [(FACE, "random"), (SIGNATURE, "skilled")]
    assert "independent" in told.interval_method
    assert told.parts[0] == pen_client.get_policy(Modality.FACE)
    assert not told.parts[0].parts
    assert {model.modality for model in pen_client.list_models()} == {FACE, SIGNATURE}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("willing", [True, False])
def test_what_makes_a_decision_complete(status: Status, willing: bool) -> None:
    parts = (
        ModalityEvidence(Modality.FACE, 3.0, "d"),
        ModalityEvidence(Modality.SIGNATURE, None, "d", status),
    )
    decision = Decision(3.0, 2.0, 0.01, False, "id", parts, accept_partial=willing)
    assert decision.complete == (status in (Status.USED, Status.NOT_SENT))
    assert decision.accepted == (decision.complete or willing)
    assert not replace(decision, score=1.0).accepted
