"""Each scope against each RPC, over a real server, in one collection, in another, and in all."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from encode.errors import ScopeMissing
from encode.sample import ImageSample, Modality
from enroll.access.grants import Scope
from enroll.access.tokens import TokenStore
from enroll.stores.sql import SqlStore
from verify.access.scopes import RULES, Access, rule_of
from verify.client.client import Client
from verify.client.enrollment_calls import list_persons
from verify.v1 import enrollment_pb2, enrollment_pb2_grpc, model_pb2, verification_pb2

Face = Callable[..., ImageSample]
MakeToken = Callable[..., str]

CONTRACT: list[ServiceDescriptor] = [
    service
    for file in (enrollment_pb2, model_pb2, verification_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
]
METHODS = {f"/{service.full_name}/{method.name}": method for service in CONTRACT for method in service.methods}

# Written out by hand, beside the table that it tests.
OPENED_BY = {
    "/verify.v1.VerificationService/Verify": {"verify"},
    "/verify.v1.VerificationService/VerifyBatch": {"verify"},
    "/verify.v1.VerificationService/Identify": {"identify"},
    "/verify.v1.EnrollmentService/Enroll": {"enroll"},
    "/verify.v1.EnrollmentService/EnrollBatch": {"enroll"},
    "/verify.v1.EnrollmentService/GetPerson": {"enroll"},
    "/verify.v1.EnrollmentService/ListPersons": {"admin"},
    "/verify.v1.EnrollmentService/DeletePerson": {"admin"},
    "/verify.v1.EnrollmentService/ListTemplateVersions": {"admin"},
    "/verify.v1.EnrollmentService/RollbackTemplate": {"admin"},
    "/verify.v1.EnrollmentService/ListQuarantine": {"admin"},
    "/verify.v1.EnrollmentService/ResolveQuarantine": {"admin"},
    "/verify.v1.ModelService/ListModels": {"verify", "enroll", "admin", "identify"},
    "/verify.v1.ModelService/GetPolicy": {"verify", "enroll", "admin", "identify"},
}
STREAMS = {"/verify.v1.VerificationService/VerifyBatch", "/verify.v1.EnrollmentService/EnrollBatch"}
OF_NO_COLLECTION = {"/verify.v1.ModelService/ListModels", "/verify.v1.ModelService/GetPolicy"}


def test_every_rpc_of_the_contract_is_in_the_table() -> None:
    """A new RPC fails here until somebody has decided who may call it."""
    assert set(METHODS) == {name for name in RULES if name.startswith("/verify.v1.")} == set(OPENED_BY)


def test_every_rpc_beside_the_contract_is_in_the_table() -> None:
    beside = [
        f"/{service.full_name}/{method.name}"
        for file in (health_pb2, reflection_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    assert set(beside) == {name for name in RULES if not name.startswith("/verify.v1.")}


def test_rpcs_of_a_scope_take_messages_that_name_their_collection() -> None:
    """One message, or a stream of which each item does and is answered by itself."""
    for name, method in METHODS.items():
        if isinstance(RULES[name], Scope):
            assert method.client_streaming == method.server_streaming == (name in STREAMS), name
            item = method.input_type.fields_by_name["item"].message_type if name in STREAMS else method.input_type
            assert "collection" in item.fields_by_name, name


def test_a_method_without_a_rule_is_refused_to_everybody() -> None:
    with pytest.raises(ScopeMissing, match="no token opens"):
        rule_of("/verify.v1.VerificationService/Invented")


@pytest.fixture(scope="module")
def channel(closed: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(closed, options=[("grpc.enable_http_proxy", 0)]) as opened:
        yield opened


def code_of_call(channel: grpc.Channel, name: str, *metadata: tuple[str, str], person: str = "ada") -> grpc.StatusCode:
    """How a call about `person` of the collection `staff` ends; of a stream, its one message unless the call itself."""
    method = METHODS[name]
    request = message_factory.GetMessageClass(method.input_type)()
    item = request.item if name in STREAMS else request
    for field, value in (("collection", "staff"), ("person", person)):
        if field in item.DESCRIPTOR.fields_by_name:
            setattr(item, field, value)
    answer = message_factory.GetMessageClass(method.output_type)
    try:
        if name in STREAMS:
            stream: Any = channel.stream_stream(name, type(request).SerializeToString, answer.FromString)
            [told] = stream(iter([request]), metadata=metadata, timeout=20)
            return grpc.StatusCode[told.failure.code]
        call: Any = channel.unary_unary(name, type(request).SerializeToString, answer.FromString)
        call(request, metadata=metadata, timeout=20)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def bearer(token: str) -> tuple[str, str]:
    return "authorization", f"Bearer {token}"


@pytest.mark.parametrize(
    ("scope", "granted_in"), list(itertools.product(Scope, ["staff", "visitors", "*", "staf", "Staff"]))
)
def test_each_scope_opens_its_rpcs_in_its_collection_and_nothing_else(
    channel: grpc.Channel, make_token: MakeToken, fresh_tokens: None, scope: Scope, granted_in: str
) -> None:
    token = make_token(f"{scope.value}:{granted_in}")
    wait_until_known(channel, token)
    for name, scopes in OPENED_BY.items():
        reached = name in OF_NO_COLLECTION or granted_in in {"staff", "*"}
        code = code_of_call(channel, name, bearer(token))
        assert code is not grpc.StatusCode.UNAUTHENTICATED
        assert (code is not grpc.StatusCode.PERMISSION_DENIED) == (scope.value in scopes and reached), name


@pytest.fixture
def fresh_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens count at once, not within two seconds."""
    monkeypatch.setattr("verify.access.tokens.FRESH_SECONDS", 0.0)


@pytest.fixture(scope="module")
def invalid(sql_store: SqlStore, make_token: MakeToken) -> dict[str, str]:
    """Tokens that could do everything once."""
    all_scopes = ("verify:*", "enroll:*", "admin:*")
    expired, revoked = make_token(*all_scopes, lifetime=timedelta(seconds=-1)), make_token(*all_scopes)
    TokenStore(sql_store.database, sql_store.keys).revoke(revoked.split("_")[1])
    return {"expired": expired, "revoked": revoked}


def wait_until_known(channel: grpc.Channel, token: str) -> None:
    name = "/verify.v1.ModelService/ListModels"
    while code_of_call(channel, name, bearer(token)) is grpc.StatusCode.UNAUTHENTICATED:
        pass


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "kind",
    ["none", "forged secret", "unknown id", "cut", "empty", "basic", "twice", "in capitals", "expired", "revoked"],
)
def test_without_a_valid_token_nothing_is_opened(
    channel: grpc.Channel,
    everything: str,
    invalid: Mapping[str, str],
    fresh_tokens: None,
    name: str,
    kind: str,
) -> None:
    forged = everything[:-1] + ("0" if everything[-1] != "0" else "1")
    metadata = {
        "none": [],
        "forged secret": [bearer(forged)],
        "unknown id": [bearer("cs_" + "0" * 16 + everything[19:])],
        "cut": [bearer(everything[:-1])],
        "empty": [bearer("")],
        "basic": [("authorization", f"Basic {everything}")],
        "twice": [bearer(everything), bearer(everything)],
        "in capitals": [bearer(everything.upper())],
        "expired": [bearer(invalid["expired"])],
        "revoked": [bearer(invalid["revoked"])],
    }[kind]
    assert code_of_call(channel, name, *metadata) is grpc.StatusCode.UNAUTHENTICATED
    assert code_of_call(channel, name, bearer(everything)) is not grpc.StatusCode.UNAUTHENTICATED


def test_health_is_open_and_reflection_is_not(channel: grpc.Channel, everything: str) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == health_pb2.HealthCheckResponse.SERVING
    watching = health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
    assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
    watching.cancel()
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    with pytest.raises(grpc.RpcError) as caught:
        next(ask(iter([asked]), timeout=20))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    listed = next(ask(iter([asked]), timeout=20, metadata=[bearer(everything)]))
    assert "verify.v1.VerificationService" in {one.name for one in listed.list_services_response.service}


def test_a_refusal_does_not_tell_whether_the_person_or_the_collection_exists(
    closed: str, everything: str, make_token: MakeToken, fresh_tokens: None, face: Face
) -> None:
    with Client(closed, token=everything) as root:
        root.enroll("vault", "ada", [face(1)])
    stranger = make_token("verify:staff", "enroll:staff", "admin:staff")
    told = set()
    with Client(closed, token=stranger) as client:
        for collection, person in (("vault", "ada"), ("vault", "nobody"), ("no such vault", "nobody")):
            for call in (
                lambda: client.verify(collection, person, [face(1)]),  # noqa: B023 - called in this very turn
                lambda: client.identify(collection, [face(1)]),  # noqa: B023
                lambda: client.get_person(collection, person),  # noqa: B023
                lambda: client.delete_person(collection, person),  # noqa: B023
                lambda: list(client.list_persons(collection)),  # noqa: B023
                lambda: client.enroll(collection, person, [face(1)]),  # noqa: B023
                lambda: client.list_template_versions(collection, person, Modality.FACE),  # noqa: B023
                lambda: client.rollback_template(collection, person, Modality.FACE, 1),  # noqa: B023
                lambda: list(client.list_quarantine(collection)),  # noqa: B023
                lambda: client.resolve_quarantine(collection, person, Modality.FACE, approve=True),  # noqa: B023
            ):
                with pytest.raises(ScopeMissing) as caught:
                    call()
                told.add(
                    str(caught.value)
                    .replace("verify", "*")
                    .replace("enroll", "*")
                    .replace("admin", "*")
                    .replace("identify", "*")
                )
    assert len(told) == 1
    with Client(closed, token=everything) as root:
        assert [one.person for one in root.list_persons("vault")] == ["ada"]
        assert list(root.list_persons("no such vault")) == []


def test_a_page_token_does_not_carry_its_bearer_into_another_collection(
    closed: str, everything: str, make_token: MakeToken, fresh_tokens: None, face: Face
) -> None:
    with Client(closed, token=everything) as root:
        for person in ("a", "b"):
            root.enroll("archive", person, [face(1)])
        page = root.answer(list_persons("archive", page_size=1).page(""))
    request = enrollment_pb2.ListPersonsRequest(collection="archive", page_token=page.next_token)
    with Client(closed) as client, pytest.raises(grpc.RpcError) as caught:
        enrollment_pb2_grpc.EnrollmentServiceStub(client.channel).ListPersons(
            request, metadata=[bearer(make_token("admin:staff"))]
        )
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_rules_that_are_no_scope_concern_no_collection() -> None:
    for name, rule in RULES.items():
        if name in METHODS and isinstance(rule, Access):
            assert name in OF_NO_COLLECTION
            assert rule is Access.ANY
