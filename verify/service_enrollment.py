"""EnrollmentService: wire messages in and out around :class:`enroll.enroller.Enroller` and the store."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc

from enroll.answers import Enrollment, ErasureReceipt, TemplateSummary
from enroll.enroller import Enroller
from enroll.receipts import ReceiptKey, Statement, key_of
from enroll.stores.store import TemplateStore
from verify.audit_events import current_origin
from verify.curator import Curator
from verify.messages import (
    MODALITY_TO_WIRE,
    read_page_size,
    read_request,
    read_samples,
    write_modalities,
    write_problem,
    write_time,
)
from verify.names import require_name
from verify.page_token import make_page_token, read_page_token
from verify.service_stream import Turned, answer_each
from verify.service_templates import TemplateMethods, write_template
from verify.service_workers import Workers
from verify.v1 import enrollment_pb2 as pb
from verify.v1 import enrollment_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]


class EnrollmentService(TemplateMethods, enrollment_pb2_grpc.EnrollmentServiceServicer):
    """Raises errors of the tree; the call boundary turns them into statuses."""

    def __init__(self, enroller: Enroller, curator: Curator, store: TemplateStore, workers: Workers) -> None:
        super().__init__(curator, workers)
        self._enroller = enroller
        self._store = store
        self._receipt_key = key_of(store)

    async def Enroll(self, request: pb.EnrollRequest, context: _Context) -> pb.EnrollResponse:  # noqa: N802
        def work(checkpoint: Callable[[], None]) -> pb.EnrollResponse:
            collection, person = _owner(request)
            enrollment = self._enroller.enroll(
                collection,
                person,
                read_samples(request.samples),
                request=read_request(request, "Enroll"),
                origin=current_origin(),
                checkpoint=checkpoint,
            )
            return _write_enrollment(collection, person, enrollment)

        return await self._workers.run(context, work)

    async def EnrollBatch(  # noqa: N802
        self, messages: AsyncIterator[pb.EnrollBatchRequest | Turned], context: _Context
    ) -> None:
        async def answer(message: pb.EnrollBatchRequest) -> pb.EnrollBatchResponse:
            return pb.EnrollBatchResponse(index=message.index, enrolled=await self.Enroll(message.item, context))

        await answer_each(messages, context, answer, pb.EnrollBatchResponse)

    async def GetPerson(self, request: pb.GetPersonRequest, context: _Context) -> pb.GetPersonResponse:  # noqa: N802
        def work(_: Callable[[], None]) -> pb.GetPersonResponse:
            collection, person = _owner(request)
            summaries = self._enroller.describe(collection, person)
            return pb.GetPersonResponse(person=_write_person(collection, person, summaries))

        return await self._workers.run(context, work)

    async def ListPersons(  # noqa: N802
        self, request: pb.ListPersonsRequest, context: _Context
    ) -> pb.ListPersonsResponse:
        def work(_: Callable[[], None]) -> pb.ListPersonsResponse:
            collection = require_name(request.collection, "collection")
            size = read_page_size(request.page_size)
            after = read_page_token(collection, request.page_token)
            found = self._store.list_people(collection, after=after, limit=size + 1)
            page = found[:size]
            return pb.ListPersonsResponse(
                persons=[
                    pb.PersonSummary(person=one.person, modalities=write_modalities(one.modalities)) for one in page
                ],
                next_page_token=make_page_token(collection, page[-1].person) if len(found) > size else "",
            )

        return await self._workers.run(context, work)

    async def DeletePerson(  # noqa: N802
        self, request: pb.DeletePersonRequest, context: _Context
    ) -> pb.DeletePersonResponse:
        def work(_: Callable[[], None]) -> pb.DeletePersonResponse:
            collection, person = _owner(request)
            receipt = self._enroller.erase(
                collection, person, request=read_request(request, "DeletePerson"), origin=current_origin()
            )
            return pb.DeletePersonResponse(receipt=_write_receipt(collection, person, receipt, self._receipt_key))

        return await self._workers.run(context, work)


def _owner(request: pb.EnrollRequest | pb.GetPersonRequest | pb.DeletePersonRequest) -> tuple[str, str]:
    return require_name(request.collection, "collection"), require_name(request.person, "person")


def _write_person(collection: str, person: str, summaries: Iterable[TemplateSummary]) -> pb.Person:
    return pb.Person(
        collection=collection,
        person=person,
        templates=[write_template(one) for one in summaries],
    )


def _write_enrollment(collection: str, person: str, enrollment: Enrollment) -> pb.EnrollResponse:
    return pb.EnrollResponse(
        person=_write_person(collection, person, enrollment.templates),
        outcomes=[
            pb.SampleOutcome(
                index=index,
                modality=MODALITY_TO_WIRE[outcome.modality],
                accepted=outcome.accepted,
                problem=write_problem(outcome.problem),
            )
            for index, outcome in enumerate(enrollment.outcomes)
        ],
    )


def _write_receipt(
    collection: str, person: str, receipt: ErasureReceipt, receipt_key: ReceiptKey | None
) -> pb.ErasureReceipt:
    written = pb.ErasureReceipt(
        receipt_id=receipt.receipt_id,
        collection=collection,
        person=person,
        templates=[
            pb.ErasedTemplate(
                modality=MODALITY_TO_WIRE[one.modality], model_digest=one.model_digest, references=one.references
            )
            for one in receipt.templates
        ],
        erased_at=write_time(receipt.erased_at),
    )
    if receipt_key is not None:
        written.signature = receipt_key.sign(Statement.of(collection, person, receipt))
        written.key_id = receipt_key.public.key_id
    return written
