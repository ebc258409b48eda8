"""While a model retires, a caller who may not know who is enrolled cannot tell for whom it still answers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encode.errors import SampleError, TargetFarUnavailable
from encode.sample import ImageSample, Modality, Sample, StrokesSample
from enroll.access.grants import Grant, Grants, Scope
from enroll.acquisition import SampleEncoder
from enroll.enroller import Enroller
from enroll.lineup import Lineup
from enroll.stores.memory import MemoryStore
from enroll.stores.store import TemplateStore
from verify.access.caller import Caller, calling
from verify.access.claims import Claims
from verify.access.decoy import Decoys
from verify.audit_events import decided
from verify.decision import Decision
from verify.model import Model, load_models
from verify.score_summary import summarize
from verify.verifier import Verifier

Face = Callable[..., ImageSample]
Signature = Callable[..., StrokesSample]
Seal = Callable[..., Path]

KIOSK = Caller("kiosk", "0" * 16, Grants.of([Grant(Scope.VERIFY, "staff")]))
PEOPLE = ("old", "new", "half", "nobody", "nobody else")
RATE = {"value": 0.01, "low": 0.005, "high": 0.02}


@pytest.fixture(scope="module")
def old(seal: Seal, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Modality, Model]:
    folder, generator = tmp_path_factory.mktemp("old"), np.random.default_rng(9)
    scores = summarize(generator.normal(6, 2, 500), generator.normal(-6, 2, 3_000))
    policy = {"scores": scores, "default_target_far": 0.01}
    return load_models(
        [seal(folder / one, modality=one, policy=policy, seed=3) for one in Modality],
        threads=1,
    )


@pytest.fixture
def lineup(both: Mapping[Modality, Model], old: Mapping[Modality, Model]) -> Lineup[Model]:
    return Lineup(both, old.values())


@pytest.fixture
def claims(lineup: Lineup[Model], store: TemplateStore) -> Claims:
    return Claims(Verifier(lineup, store), Decoys(lineup, bytes(32)), rejections=0)


@pytest.fixture(autouse=True)
def people(
    both: Mapping[Modality, Model],
    old: Mapping[Modality, Model],
    store: TemplateStore,
    face: Face,
    signature: Signature,
) -> Iterator[None]:
    faces, strokes = [face(1, shot) for shot in range(5)], [signature(1, shot) for shot in range(5)]
    Enroller(old, store).enroll("staff", "old", [*faces, *strokes])
    Enroller(both, store).enroll("staff", "new", [*faces, *strokes])
    Enroller(both, store).enroll("staff", "half", faces)
    Enroller({**both, Modality.SIGNATURE: old[Modality.SIGNATURE]}, store).enroll("staff", "half", strokes)
    with calling(KIOSK):
        yield


def shape(decision: Decision) -> str:
    """All of a decision that is told, but its numbers."""
    return repr(
        replace(
            decision,
            score=0.0,
            truth=None,
            modalities=tuple(replace(part, llr=None if part.llr is None else 0.0) for part in decision.modalities),
            samples=tuple(replace(one, llr=None if one.llr is None else 0.0) for one in decision.samples),
        )
    )


@pytest.mark.parametrize("target", [None, 0.01])
@pytest.mark.parametrize("sent", ["face", "strokes", "face strokes", "face face strokes", "face broken"])
def test_every_rejection_has_one_shape_whichever_model_decided(
    claims: Claims, face: Face, signature: Signature, sent: str, target: float | None
) -> None:
    made = {"face": face(7), "strokes": signature(7), "broken": ImageSample(b"no picture")}
    decisions = [claims.verify("staff", one, [made[word] for word in sent.split()], target) for one in PEOPLE]
    assert not any(decision.accepted for decision in decisions)
    assert all(decision.score < decision.threshold for decision in decisions)
    assert len({shape(decision) for decision in decisions}) == 1


def test_genuine_people_are_accepted_by_their_own_model(
    claims: Claims, face: Face, signature: Signature, old: Mapping[Modality, Model], both: Mapping[Modality, Model]
) -> None:
    for person, models in (("old", old), ("new", both), ("half", {**old, Modality.FACE: both[Modality.FACE]})):
        decision = claims.verify("staff", person, [face(1, 9), signature(1, 9)], 0.01)
        assert decision.accepted
        assert {one.modality: one.model_digest for one in decision.modalities} == {
            modality: model.model_digest for modality, model in models.items()
        }


def test_the_audit_log_is_told_which_model_decided(
    claims: Claims, old: Mapping[Modality, Model], both: Mapping[Modality, Model], face: Face
) -> None:
    models, policy = old[Modality.FACE], old[Modality.FACE].policy
    decision = claims.verify("staff", "old", [face(7)])
    event = decided("staff", "old", decision)
    assert policy is not None
    assert event.models == {"face": models.model_digest}
    assert (event.policy_id, event.target_far) == (policy.id, 0.01)
    assert event.left_out == {"signature": "not sent"}
    # What the caller is told is the current model's.
    assert [part.model_digest for part in decision.modalities] == [both[Modality.FACE].model_digest]
    assert decision.target_far == 0.001
    nobody = decided("staff", "nobody", claims.verify("staff", "nobody", [face(7)]))
    assert (nobody.models, nobody.left_out) == ({}, {"face": "not enrolled"})


def test_a_target_far_that_one_model_lacks_is_refused_for_everybody(
    seal: Seal, both: Mapping[Modality, Model], store: TemplateStore, face: Face, tmp_path: Path
) -> None:
    row = {"target_far": 0.05, "threshold": 0.0, "achieved_far": RATE, "frr": RATE}
    policy = {"table": [row], "default_target_far": 0.05}
    [lacking] = load_models([seal(tmp_path / "lacking", seed=4, policy=policy)], threads=1).values()
    models = Lineup(both, [lacking])
    empty = MemoryStore()
    Enroller({Modality.FACE: lacking}, empty).enroll("staff", "old", [face(1)])
    claims = Claims(Verifier(models, empty), Decoys(models, bytes(32)), rejections=0)
    for person in ("old", "nobody"):
        for target in (0.05, 0.01):
            with pytest.raises(TargetFarUnavailable):
                claims.verify("staff", person, [face(7)], target)
        # Without one each model decides at its own default.
        assert claims.verify("staff", person, [face(7)]).target_far == 0.001


class Counted:
    """An encoder that counts the samples that it reads."""

    def __init__(self, inner: SampleEncoder, seen: list[str]) -> None:
        self._inner, self._seen = inner, seen

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def prepare(self, sample: Sample) -> object:
        self._seen.append(self._inner.model_digest)
        return self._inner.prepare(sample)


def test_the_work_is_the_same_for_everybody(lineup: Lineup[Model], store: TemplateStore, face: Face) -> None:
    seen: list[str] = []

    def counted(model: Model) -> Model:
        return replace(model, encoder=Counted(model.encoder, seen))  # type: ignore[arg-type]

    models = Lineup({one: counted(model) for one, model in lineup.items()}, map(counted, lineup.retiring))
    claims = Claims(Verifier(models, store), Decoys(models, bytes(32)), rejections=0)
    for person in PEOPLE:
        seen.clear()
        claims.verify("staff", person, [face(7)])
        assert seen == [model.model_digest for model in lineup.all_of(Modality.FACE)]


def test_samples_that_cannot_be_read_get_the_same_error_for_everybody(claims: Claims) -> None:
    told = set()
    for person in PEOPLE:
        with pytest.raises(SampleError) as caught:
            claims.verify("staff", person, [ImageSample(b"no picture")])
        told.add(str(caught.value))
    assert len(told) == 1
