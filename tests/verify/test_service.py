"""The whole service over a real socket: enrol, look, list, verify, erase."""

import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from encode.errors import FieldInvalid, PersonUnknown, RequestIdReused
from encode.sample import ImageSample, Modality
from enroll.stores.opening import StorePlace, open_sql_store
from verify.client.client import Client
from verify.client.enrollment_calls import list_persons
from verify.model import Model
from verify.server import SERVICE_NAMES
from verify.server_thread import serving
from verify.v1 import enrollment_pb2, enrollment_pb2_grpc, sample_pb2

Face = Callable[..., ImageSample]


def test_genuine_people_are_accepted_and_impostors_rejected(client: Client, face: Face) -> None:
    for person in range(5):
        client.enroll("staff", f"p{person}", [face(person, shot) for shot in range(3)])
    for person in range(5):
        genuine = client.verify("staff", f"p{person}", [face(person, 9)])
        impostor = client.verify("staff", f"p{person}", [face(person + 1, 9)])
        assert (genuine.accepted, impostor.accepted) == (True, False)
        assert genuine.log_likelihood_ratio >= genuine.threshold == 2.0
        assert genuine.probability > 0.99 > 0.01 > impostor.probability


def test_a_decision_states_all_it_rests_on(client: Client, face: Face, models: Mapping[Modality, Model]) -> None:
    client.enroll("staff", "ada", [face(1, 0), face(1, 1)])
    answer = client.verify("staff", "ada", [face(1, 5), ImageSample(b"text"), face(1, 6)], target_far=0.01)
    model = models[Modality.FACE]
    assert model.policy is not None
    assert (answer.target_far, answer.threshold, answer.beyond_evidence) == (0.01, 0.0, False)
    assert answer.policy_id == model.policy.id
    [part] = answer.modalities
    assert (part.modality, part.model_digest) == (sample_pb2.MODALITY_FACE, model.model_digest)
    first, spoilt, last = answer.samples
    assert (spoilt.acquired, spoilt.problem.reason, spoilt.problem.field) == (
        False,
        "IMAGE_FORMAT_UNSUPPORTED",
        "samples[1].image.data",
    )
    assert not spoilt.HasField("log_likelihood_ratio")
    assert first.acquired
    assert last.acquired
    assert not first.HasField("problem")
    mean = (first.log_likelihood_ratio + last.log_likelihood_ratio) / 2
    assert answer.log_likelihood_ratio == part.log_likelihood_ratio == pytest.approx(mean)


def test_a_target_far_beyond_the_evidence_is_marked(client: Client, face: Face) -> None:
    client.enroll("staff", "ada", [face(1)])
    marks = {
        far: client.verify("staff", "ada", [face(1)], target_far=far).beyond_evidence for far in (0.1, 0.01, 0.001)
    }
    # 3,000 impostor trials reach down to a FAR of 30 / 3,000.
    assert marks == {0.1: False, 0.01: False, 0.001: True}


def test_enrolment_tells_of_every_sample_and_what_is_stored(client: Client, face: Face) -> None:
    answer = client.enroll("staff", "ada", [face(1, 0), ImageSample(b""), face(1, 1)])
    assert [outcome.accepted for outcome in answer.outcomes] == [True, False, True]
    assert answer.outcomes[1].problem.reason == "SAMPLE_EMPTY"
    assert answer.person == client.get_person("staff", "ada")
    [template] = answer.person.templates
    assert (template.anchors, template.recent, template.missing, template.version) == (2, 0, 0, 1)
    assert template.created_at == template.updated_at


def test_a_repeated_request_id_replays_and_another_body_is_refused(client: Client, face: Face) -> None:
    first = client.enroll("staff", "ada", [face(1)], request_id="r1")
    client.enroll("staff", "ada", [face(1, 1)])
    assert client.enroll("staff", "ada", [face(1)], request_id="r1") == first
    assert client.get_person("staff", "ada").templates[0].anchors == 2
    for person, image in (("ada", face(1, 2)), ("bob", face(1))):
        with pytest.raises(RequestIdReused) as caught:
            client.enroll("staff", person, [image], request_id="r1")
        assert caught.value.field == "request_id"


def test_erasure_gives_a_receipt_once_or_again_for_the_same_request(client: Client, face: Face) -> None:
    client.enroll("staff", "ada", [face(1, shot) for shot in range(4)])
    receipt = client.delete_person("staff", "ada", request_id="bye")
    assert (receipt.collection, receipt.person) == ("staff", "ada")
    assert [erased.references for erased in receipt.templates] == [4]
    assert receipt.receipt_id
    assert receipt.HasField("erased_at")
    assert client.delete_person("staff", "ada", request_id="bye") == receipt
    for call in (client.get_person, client.delete_person):
        with pytest.raises(PersonUnknown):
            call("staff", "ada")
    with pytest.raises(PersonUnknown):
        client.verify("staff", "ada", [face(1)])


def test_people_are_listed_across_pages(client: Client, face: Face) -> None:
    names = [f"person {number:02}" for number in range(7)]
    for name in reversed(names):
        client.enroll("staff", name, [face(1)])
    client.enroll("visitors", "somebody else", [face(1)])
    for size in (0, 1, 3, 7, 5_000):
        listed = list(client.list_persons("staff", page_size=size))
        assert [one.person for one in listed] == names
        assert all(list(one.modalities) == [sample_pb2.MODALITY_FACE] for one in listed)
    assert list(client.list_persons("nobody's")) == []


def test_a_page_token_belongs_to_its_collection(client: Client, face: Face) -> None:
    for name in ("a", "b"):
        client.enroll("staff", name, [face(1)])
    page = client.answer(list_persons("staff", page_size=1).page(""))
    assert page.next_token
    with pytest.raises(FieldInvalid) as caught:
        client.answer(list_persons("visitors").page(page.next_token))
    assert caught.value.field == "page_token"


def test_models_and_policies_are_told(client: Client, models: Mapping[Modality, Model]) -> None:
    policy = models[Modality.FACE].policy
    assert policy is not None
    [model] = client.list_models()
    assert (model.name, model.embedding_size, list(model.target_fars)) == ("patterns", 12, [0.1, 0.01, 0.001])
    told = client.get_policy(Modality.FACE)
    assert told.policy_id == model.policy_id == policy.id
    assert (told.genuine_trials, told.impostor_trials, told.corpus_people) == (500, 3_000, 30)
    assert [(row.target_far, row.threshold, row.beyond_evidence) for row in told.rows] == [
        (0.1, -2.0, False),
        (0.01, 0.0, False),
        (0.001, 2.0, True),
    ]
    assert told.rows[0].frr.low < told.rows[0].frr.value < told.rows[0].frr.high


def test_health_is_told_by_service_name(client: Client) -> None:
    assert client.healthy()
    assert len(SERVICE_NAMES) == 3
    assert all(client.healthy(name) for name in SERVICE_NAMES)


def test_reflection_describes_every_service(client: Client) -> None:
    database = ProtoReflectionDescriptorDatabase(client.channel)
    assert {*SERVICE_NAMES, "grpc.health.v1.Health"} <= set(database.get_services())
    pool = DescriptorPool(database)
    methods = [method.name for name in SERVICE_NAMES for method in pool.FindServiceByName(name).methods]
    of_people = ["Enroll", "EnrollBatch", "GetPerson", "ListPersons", "DeletePerson"]
    of_templates = ["ListTemplateVersions", "RollbackTemplate", "ListQuarantine", "ResolveQuarantine"]
    assert sorted(methods) == sorted(
        [*of_people, *of_templates, "Verify", "VerifyBatch", "Identify", "ListModels", "GetPolicy"]
    )


def test_every_answer_carries_a_request_id(client: Client, face: Face) -> None:
    mine = str(uuid.uuid4())
    enrollment = enrollment_pb2_grpc.EnrollmentServiceStub(client.channel)
    request = enrollment_pb2.GetPersonRequest(collection="staff", person="nobody")
    with pytest.raises(grpc.RpcError) as caught:
        enrollment.GetPerson(request, metadata=[("x-request-id", mine)], timeout=10)
    assert dict(caught.value.trailing_metadata())["x-request-id"] == mine
    listing = enrollment_pb2.ListPersonsRequest(collection="staff")
    # A caller's text that is no UUID could name a person in the log: it is replaced.
    _, call = enrollment.ListPersons.with_call(listing, metadata=[("x-request-id", "ada")], timeout=10)
    assert uuid.UUID(dict(call.trailing_metadata())["x-request-id"])


def test_many_callers_at_once(client: Client, face: Face) -> None:
    def live(person: int) -> tuple[bool, bool]:
        name = f"p{person}"
        client.enroll("staff", name, [face(person, shot) for shot in range(3)])
        genuine = client.verify("staff", name, [face(person, 7)]).accepted
        impostor = client.verify("staff", name, [face(person + 100, 7)]).accepted
        return genuine, impostor

    with ThreadPoolExecutor(12) as callers:
        assert list(callers.map(live, range(24))) == [(True, False)] * 24
    assert len(list(client.list_persons("staff"))) == 24


def test_people_outlive_the_server(models: Mapping[Modality, Model], face: Face, tmp_path: Path) -> None:
    answers = []
    for _ in range(2):
        store = open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))
        with serving(models, store) as address, Client(address) as client:
            answers.append(client.enroll("staff", "ada", [face(1)], request_id="r1"))
            assert client.verify("staff", "ada", [face(1, 3)]).accepted
        store.close()
    assert answers[0] == answers[1]
