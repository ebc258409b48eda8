"""A small synchronous client: one method a call, a deadline on each, and errors of the one error tree.

Answers are the wire messages of verify/v1; samples are those of :mod:`encode.sample`. Every method raises the error the
service answered with, or

    ServiceUnavailable   nothing answers at the address, or not with a certificate that is trusted
    DeadlineExpired      no answer in time
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc

from encode.errors import FieldInvalid
from encode.sample import Modality, Sample
from verify.client_channel import ClientTls, open_channel
from verify.messages import MAX_MESSAGE_BYTES, MODALITY_TO_WIRE, write_modalities, write_sample
from verify.settings import ClientSettings
from verify.status import from_rpc_error
from verify.v1 import (
    enrollment_pb2,
    enrollment_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    verification_pb2,
    verification_pb2_grpc,
)

_Answer = TypeVar("_Answer", bound=Message)


class Client:
    """Calls one service, each call with a deadline.

    Parameters
    ----------
    address : ``host:port``.
    timeout : seconds a call may take.
    token : ``cs_...``, for a service that asks for one.
    tls : how to encrypt; None sends in the clear.
    insecure_plaintext : send a token beyond loopback without TLS all the same.

    Raises
    ------
    ConfigError : a certificate cannot be read, or a token would cross the network in the clear.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 30.0,
        token: str | None = None,
        tls: ClientTls | None = None,
        insecure_plaintext: bool = False,
    ) -> None:
        self._timeout = timeout
        self._metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        self._channel = open_channel(address, tls, secret=token is not None and not insecure_plaintext)
        self._enrollment = enrollment_pb2_grpc.EnrollmentServiceStub(self._channel)
        self._verification = verification_pb2_grpc.VerificationServiceStub(self._channel)
        self._models = model_pb2_grpc.ModelServiceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)

    @classmethod
    def of(cls, settings: ClientSettings) -> Self:
        """The client that the settings describe."""
        return cls(
            settings.address,
            timeout=settings.timeout_seconds,
            token=None if settings.token is None else settings.token.get_secret_value(),
            tls=ClientTls.of(settings),
            insecure_plaintext=settings.insecure_plaintext,
        )

    def enroll(
        self, collection: str, person: str, samples: Sequence[Sample], *, request_id: str | None = None
    ) -> enrollment_pb2.EnrollResponse:
        """Add references to a person. Without a `request_id` a new one is drawn."""
        request = enrollment_pb2.EnrollRequest(
            collection=collection,
            person=person,
            samples=[write_sample(sample) for sample in samples],
            request_id=request_id or uuid.uuid4().hex,
        )
        return self._call(self._enrollment.Enroll, _sendable(request), enrollment_pb2.EnrollResponse)

    def verify(
        self,
        collection: str,
        person: str,
        samples: Sequence[Sample],
        *,
        target_far: float | None = None,
        accept_partial: bool = False,
    ) -> verification_pb2.VerifyResponse:
        """Compare samples of one modality or several with a claimed person.

        `target_far` is a fraction of the policy's table. With `accept_partial` a claim is accepted on those modalities
        that could be used, though others that were sent could not; see the wire contract for what that opens.
        """
        request = verification_pb2.VerifyRequest(
            collection=collection,
            person=person,
            samples=[write_sample(sample) for sample in samples],
            target_far=target_far,
            accept_partial=accept_partial,
        )
        return self._call(self._verification.Verify, _sendable(request), verification_pb2.VerifyResponse)

    def get_person(self, collection: str, person: str) -> enrollment_pb2.Person:
        """What is stored of a person."""
        request = enrollment_pb2.GetPersonRequest(collection=collection, person=person)
        return self._call(self._enrollment.GetPerson, request, enrollment_pb2.GetPersonResponse).person

    def list_persons(self, collection: str, *, page_size: int = 0) -> Iterator[enrollment_pb2.PersonSummary]:
        """Everybody in a collection, fetched page by page."""
        token = ""
        while True:
            request = enrollment_pb2.ListPersonsRequest(collection=collection, page_size=page_size, page_token=token)
            page = self._call(self._enrollment.ListPersons, request, enrollment_pb2.ListPersonsResponse)
            yield from page.persons
            token = page.next_page_token
            if not token:
                return

    def delete_person(
        self, collection: str, person: str, *, request_id: str | None = None
    ) -> enrollment_pb2.ErasureReceipt:
        """Erase a person. Without a `request_id` a new one is drawn."""
        request = enrollment_pb2.DeletePersonRequest(
            collection=collection, person=person, request_id=request_id or uuid.uuid4().hex
        )
        return self._call(self._enrollment.DeletePerson, request, enrollment_pb2.DeletePersonResponse).receipt

    def list_template_versions(
        self, collection: str, person: str, modality: Modality
    ) -> list[enrollment_pb2.TemplateVersion]:
        """The versions kept of a template, oldest first; the last is in force."""
        request = enrollment_pb2.ListTemplateVersionsRequest(
            collection=collection, person=person, modality=MODALITY_TO_WIRE[modality]
        )
        method = self._enrollment.ListTemplateVersions
        return list(self._call(method, request, enrollment_pb2.ListTemplateVersionsResponse).versions)

    def rollback_template(
        self, collection: str, person: str, modality: Modality, version: int | None, *, request_id: str | None = None
    ) -> enrollment_pb2.Template:
        """Give a template the content of a version again; None: without what it learned from accepted probes.

        Without a `request_id` a new one is drawn.
        """
        request = enrollment_pb2.RollbackTemplateRequest(
            collection=collection,
            person=person,
            modality=MODALITY_TO_WIRE[modality],
            version=version,
            enrolled_only=True if version is None else None,
            request_id=request_id or uuid.uuid4().hex,
        )
        return self._call(self._enrollment.RollbackTemplate, request, enrollment_pb2.RollbackTemplateResponse).template

    def list_quarantine(self, collection: str, *, page_size: int = 0) -> Iterator[enrollment_pb2.QuarantinedProbe]:
        """The accepted probes that wait to become references, fetched page by page of people."""
        token = ""
        while True:
            request = enrollment_pb2.ListQuarantineRequest(collection=collection, page_size=page_size, page_token=token)
            page = self._call(self._enrollment.ListQuarantine, request, enrollment_pb2.ListQuarantineResponse)
            yield from page.probes
            token = page.next_page_token
            if not token:
                return

    def resolve_quarantine(
        self,
        collection: str,
        person: str,
        modality: Modality,
        *,
        approve: bool,
        version: int = 0,
        request_id: str | None = None,
    ) -> enrollment_pb2.Template:
        """Make the probe in quarantine a reference, or throw it away. Without a `request_id` a new one is drawn.

        A `version` other than 0 is that of the template the quarantine was listed with.
        """
        request = enrollment_pb2.ResolveQuarantineRequest(
            collection=collection,
            person=person,
            modality=MODALITY_TO_WIRE[modality],
            resolution=enrollment_pb2.RESOLUTION_APPROVE if approve else enrollment_pb2.RESOLUTION_DISCARD,
            version=version,
            request_id=request_id or uuid.uuid4().hex,
        )
        return self._call(
            self._enrollment.ResolveQuarantine, request, enrollment_pb2.ResolveQuarantineResponse
        ).template

    def list_models(self) -> list[model_pb2.Model]:
        """The models that answer; those that retire come last."""
        return list(
            self._call(self._models.ListModels, model_pb2.ListModelsRequest(), model_pb2.ListModelsResponse).models
        )

    def get_policy(
        self, modality: Modality, *fused_with: Modality, model_digests: Sequence[str] = ()
    ) -> model_pb2.Policy:
        """The thresholds in force for a modality, or for several that answer one call, with their evidence.

        `model_digests` name retiring models that answer in place of the current ones.
        """
        request = model_pb2.GetPolicyRequest(
            modality=MODALITY_TO_WIRE[modality],
            fused_with=write_modalities(fused_with),
            model_digests=model_digests,
        )
        return self._call(self._models.GetPolicy, request, model_pb2.GetPolicyResponse).policy

    def healthy(self, service: str = "") -> bool:
        """Whether the service as a whole, or one by its full name, says that it is SERVING."""
        answer = self._call(
            self._health.Check, health_pb2.HealthCheckRequest(service=service), health_pb2.HealthCheckResponse
        )
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: Callable[..., Any], request: Message, _: type[_Answer]) -> _Answer:
        """The answer, of the type named: the generated stubs do not tell it."""
        try:
            answer: _Answer = method(request, timeout=self._timeout, metadata=self._metadata)
            return answer
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None


_Request = TypeVar("_Request", bound=Message)


def _sendable(request: _Request) -> _Request:
    size = request.ByteSize()
    if size > MAX_MESSAGE_BYTES:
        raise FieldInvalid(
            f"the samples together have {size:,} bytes, the limit of one call is {MAX_MESSAGE_BYTES:,}",
            field="samples",
            fix="send them in several calls",
        )
    return request
