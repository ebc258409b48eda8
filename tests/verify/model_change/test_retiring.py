"""Two models of a modality side by side: each person is answered by the one that made their template."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import ModelMismatch, ModelUnknown
from encode.sample import ImageSample, Modality, Sample, StrokesSample
from enroll.acquisition import SampleEncoder
from enroll.enroller import Enroller
from enroll.lineup import Lineup
from enroll.stores.memory import MemoryStore
from enroll.stores.store import TemplateStore
from verify.client.client import Client
from verify.fused_policy import fuse
from verify.messages import MODALITY_TO_WIRE
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.verifier import Verifier

Face = Callable[..., ImageSample]
Signature = Callable[..., StrokesSample]
Models = Mapping[Modality, Model]
Seal = Callable[..., Path]


@dataclass(frozen=True)
class Counting:
    """An encoder that tells which samples it embeds."""

    inner: SampleEncoder
    seen: list[str]
    name: str

    @property
    def modality(self) -> Modality:
        return self.inner.modality

    @property
    def embedding_size(self) -> int:
        return self.inner.embedding_size

    @property
    def model_digest(self) -> str:
        return self.inner.model_digest

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        self.seen.append(self.name)
        return self.inner.prepare(sample)

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.inner.embed_prepared(inputs)


@pytest.fixture
def counted(loaded: Mapping[str, Model]) -> tuple[Lineup[Model], list[str]]:
    """A line-up of faces, and the names of the models that read a sample, in order."""
    seen: list[str] = []
    told = {name: replace(model, encoder=Counting(model.encoder, seen, name)) for name, model in loaded.items()}
    return Lineup({Modality.FACE: told["face"]}, [told["old face"], told["older face"]]), seen


def test_a_person_of_the_old_model_is_decided_as_that_model_alone_decides(
    old: Models, lineup: Lineup[Model], store: TemplateStore, face: Face, signature: Signature
) -> None:
    Enroller(old, store).enroll("staff", "ada", [face(1, 0), face(1, 1), signature(1, 0), signature(1, 1)])
    for samples in ([face(1, 7)], [face(2)], [signature(1, 7), face(1, 8)], [face(1, 7), ImageSample(b"none")]):
        alone = Verifier(old, store).verify("staff", "ada", samples, 0.01, accept_partial=True)
        assert Verifier(lineup, store).verify("staff", "ada", samples, 0.01, accept_partial=True) == alone


def test_new_people_get_the_current_model_and_others_grow_with_theirs(
    old: Models, lineup: Lineup[Model], store: TemplateStore, face: Face
) -> None:
    Enroller(old, store).enroll("staff", "ada", [face(1)])
    both = Enroller(lineup, store)
    for person, model in (("ada", old[Modality.FACE]), ("eve", lineup[Modality.FACE])):
        answer = both.enroll("staff", person, [face(1, 1), face(1, 2)])
        [template] = store.get("staff", person)
        assert template.model_digest == model.model_digest == answer.templates[0].model_digest
        embedded = model.encoder.embed_prepared(model.encoder.prepare(face(1, 2))[None])
        np.testing.assert_allclose(template.references[-1], embedded[0], atol=1e-6)
    assert [store.get("staff", one)[0].count for one in ("ada", "eve")] == [3, 2]


def test_a_modality_added_to_an_old_person_gets_the_current_model(
    old: Models, lineup: Lineup[Model], store: TemplateStore, face: Face, signature: Signature
) -> None:
    Enroller(old, store).enroll("staff", "ada", [face(1), face(1, 1)])
    Enroller(lineup, store).enroll("staff", "ada", [signature(1), signature(1, 1)])
    made = {template.modality: template.model_digest for template in store.get("staff", "ada")}
    assert made == {
        Modality.FACE: old[Modality.FACE].model_digest,
        Modality.SIGNATURE: lineup[Modality.SIGNATURE].model_digest,
    }
    decision = Verifier(lineup, store).verify("staff", "ada", [face(1, 5), signature(1, 5)], 0.01)
    assert {part.modality: part.model_digest for part in decision.modalities} == made
    policies = [old[Modality.FACE].policy, lineup[Modality.SIGNATURE].policy]
    assert all(policy is not None for policy in policies)
    fused = fuse(*[policy for policy in policies if policy is not None])
    assert (decision.policy_id, decision.threshold) == (fused.id, fused.row_for(0.01).threshold)
    assert decision.accepted


def test_a_modality_not_sent_is_named_with_the_model_that_made_it(
    old: Models, lineup: Lineup[Model], store: TemplateStore, face: Face, signature: Signature
) -> None:
    Enroller(old, store).enroll("staff", "ada", [face(1), signature(1)])
    decision = Verifier(lineup, store).verify("staff", "ada", [face(1, 5)])
    assert [part.model_digest for part in decision.modalities] == [old[one].model_digest for one in sorted(old)]


@pytest.mark.parametrize("person", ["old face", "older face", "face", None])
def test_each_sample_is_read_by_one_model_alone(
    counted: tuple[Lineup[Model], list[str]],
    loaded: Mapping[str, Model],
    store: TemplateStore,
    face: Face,
    person: str | None,
) -> None:
    lineup, seen = counted
    if person is not None:
        Enroller({Modality.FACE: loaded[person]}, store).enroll("staff", "ada", [face(1)])
    Enroller(lineup, store).enroll("staff", "ada", [face(1, 1), face(1, 2)])
    Verifier(lineup, store).verify("staff", "ada", [face(1, 3)])
    assert seen == [person or "face"] * 3


def test_a_template_of_no_loaded_model_is_refused_before_any_work(
    counted: tuple[Lineup[Model], list[str]],
    loaded: Mapping[str, Model],
    store: TemplateStore,
    face: Face,
) -> None:
    lineup, seen = counted
    without = Lineup(lineup, lineup.retiring[:1])
    Enroller({Modality.FACE: loaded["older face"]}, store).enroll("staff", "ada", [face(1)])
    for call in (Verifier(without, store).verify, Enroller(without, store).enroll):
        with pytest.raises(ModelMismatch) as caught:
            call("staff", "ada", [face(1)])
        for name in ("face", "old face", "older face"):
            assert loaded[name].model_digest in caught.value.message
    assert seen == []


@pytest.mark.parametrize("between", ["migrated", "erased"])
def test_an_enrolment_that_another_model_comes_between_is_embedded_anew(
    loaded: Mapping[str, Model], store: TemplateStore, face: Face, between: str
) -> None:
    """The person is of the old model when the samples are embedded, and not any more when they are stored."""
    current = Enroller({Modality.FACE: loaded["face"]}, store)
    Enroller({Modality.FACE: loaded["old face"]}, store).enroll("staff", "ada", [face(1)])

    @dataclass(frozen=True)
    class Interrupted(Counting):
        def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
            if not self.seen[1:]:
                current.erase("staff", "ada")
                if between == "migrated":
                    current.enroll("staff", "ada", [face(1)])
            return self.inner.embed_prepared(inputs)

    retiring = replace(loaded["old face"], encoder=Interrupted(loaded["old face"].encoder, [], "old"))
    Enroller(Lineup({Modality.FACE: loaded["face"]}, [retiring]), store).enroll("staff", "ada", [face(1, 1)])
    [template] = store.get("staff", "ada")
    assert template.model_digest == loaded["face"].model_digest
    assert template.count == (2 if between == "migrated" else 1)
    assert Verifier({Modality.FACE: loaded["face"]}, store).verify("staff", "ada", [face(1, 2)]).accepted


@pytest.fixture
def side_by_side(lineup: Lineup[Model], store: TemplateStore, log: io.StringIO) -> Iterator[Client]:
    """A client of a service with retiring models."""
    with serving(lineup, store, ServiceSettings(port=0)) as address, Client(address, timeout=20) as connected:
        yield connected


def test_the_service_lists_who_retires_and_tells_every_policy(
    side_by_side: Client, lineup: Lineup[Model], loaded: Mapping[str, Model]
) -> None:
    listed = [(one.model_digest, one.modality, one.retiring) for one in side_by_side.list_models()]
    current = [(one.model_digest, MODALITY_TO_WIRE[one.modality], False) for one in lineup.values()]
    assert listed == [*current, *((m.model_digest, MODALITY_TO_WIRE[m.modality], True) for m in lineup.retiring)]
    ids = set()
    for faces in lineup.all_of(Modality.FACE):
        alone = side_by_side.get_policy(Modality.FACE, model_digests=[faces.model_digest])
        assert alone.model_digest == faces.model_digest
        for pens in lineup.all_of(Modality.SIGNATURE):
            digests = [faces.model_digest, pens.model_digest]
            fused = side_by_side.get_policy(Modality.FACE, Modality.SIGNATURE, model_digests=digests)
            assert [part.model_digest for part in fused.parts] == digests
            ids.add(fused.policy_id)
    assert len(ids) == 6
    assert side_by_side.get_policy(Modality.FACE).model_digest == loaded["face"].model_digest
    for digests in ([loaded["old signature"].model_digest], ["f" * 64]):
        with pytest.raises(ModelUnknown) as caught:
            side_by_side.get_policy(Modality.FACE, model_digests=digests)
        assert caught.value.field == "model_digests[0]"


def test_of_two_services_on_one_store_each_answers_for_the_models_that_it_has(
    loaded: Mapping[str, Model], face: Face
) -> None:
    """The order of a roll-out: the second service still has the old model alone, or has dropped it already."""
    with_old = Lineup({Modality.FACE: loaded["face"]}, [loaded["old face"]])
    for others, answered in (
        ({Modality.FACE: loaded["old face"]}, {"ada"}),
        ({Modality.FACE: loaded["face"]}, {"eve"}),
        (Lineup({Modality.FACE: loaded["face"]}, [loaded["older face"]]), {"eve"}),
    ):
        shared = MemoryStore()
        with (
            serving(with_old, shared) as first,
            serving(others, shared) as second,
            Client(first, timeout=20) as whole,
            Client(second, timeout=20) as part,
        ):
            Enroller({Modality.FACE: loaded["old face"]}, shared).enroll("staff", "ada", [face(1)])
            whole.enroll("staff", "eve", [face(2)])
            for person, number in (("ada", 1), ("eve", 2)):
                assert whole.verify("staff", person, [face(number, 5)]).accepted
                if person in answered:
                    assert part.verify("staff", person, [face(number, 5)]).accepted
                else:
                    with pytest.raises(ModelMismatch) as caught:
                        part.verify("staff", person, [face(number, 5)])
                    digests = [loaded[name].model_digest for name in ("face", "old face")]
                    assert all(digest in caught.value.message for digest in digests)
