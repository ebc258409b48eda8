"""VerificationService: wire messages in and out around :class:`verify.access.claims.Claims`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from verify.access.claims import Claims
from verify.access.searches import Searches
from verify.adaptation import Adaptation, Lesson
from verify.audit_events import REFUSALS, current_origin, decided, refused
from verify.audit_trail import AuditTrail
from verify.decision import Decision, Status
from verify.messages import MODALITY_TO_WIRE, read_samples, read_target_far, write_evidence
from verify.metrics import Metrics
from verify.names import require_name
from verify.service_identify import IdentifyCall
from verify.service_stream import Turned, answer_each
from verify.service_workers import Later, Workers
from verify.v1 import verification_pb2 as pb
from verify.v1 import verification_pb2_grpc

_STATUS_TO_WIRE: dict[Status, pb.ModalityStatus] = {
    Status.USED: pb.MODALITY_STATUS_USED,
    Status.UNUSABLE: pb.MODALITY_STATUS_UNUSABLE,
    Status.NOT_ENROLLED: pb.MODALITY_STATUS_NOT_ENROLLED,
    Status.NOT_SENT: pb.MODALITY_STATUS_NOT_SENT,
}

_Context = grpc.aio.ServicerContext[Any, Any]


class VerificationService(verification_pb2_grpc.VerificationServiceServicer):
    """Raises errors of the tree; the call boundary turns them into statuses."""

    def __init__(
        self,
        claims: Claims,
        workers: Workers,
        trail: AuditTrail,
        adaptation: Adaptation,
        metrics: Metrics | None = None,
        searches: Searches | None = None,
    ) -> None:
        self._claims = claims
        self._workers = workers
        self._trail = trail
        self._adaptation = adaptation
        self._metrics = metrics or Metrics()
        searches = searches or Searches(None, rejections=0)
        self._identifying = IdentifyCall(searches, workers, trail, self._metrics)

    async def Verify(self, request: pb.VerifyRequest, context: _Context) -> pb.VerifyResponse:  # noqa: N802
        collection, person = require_name(request.collection, "collection"), require_name(request.person, "person")

        def work(checkpoint: Callable[[], None]) -> Later[tuple[Lesson | None, pb.VerifyResponse]]:
            decision = self._claims.verify(
                collection,
                person,
                read_samples(request.samples),
                read_target_far(request),
                accept_partial=request.accept_partial,
                checkpoint=checkpoint,
            )
            self._metrics.decided(decision)
            lesson = self._adaptation.lesson(collection, person, decision)
            # Where others wait for a thread, this one goes on to them while the disk is waited for.
            record = self._trail.record if self._workers.alone else self._trail.submit
            recorded = record(decided(collection, person, decision))
            return Later((lesson, _write_decision(decision)), until=recorded)

        try:
            lesson, response = await self._workers.run(context, work)
        except REFUSALS as error:
            await asyncio.wrap_future(self._trail.submit(refused(collection, person, error)))
            raise
        # Behind the record of the decision, so that the log tells first what was decided and then what was learned.
        self._adaptation.submit(lesson, current_origin())
        return response

    async def Identify(self, request: pb.IdentifyRequest, context: _Context) -> pb.IdentifyResponse:  # noqa: N802
        return await self._identifying.answer(request, context)

    async def VerifyBatch(  # noqa: N802
        self, messages: AsyncIterator[pb.VerifyBatchRequest | Turned], context: _Context
    ) -> None:
        async def answer(message: pb.VerifyBatchRequest) -> pb.VerifyBatchResponse:
            return pb.VerifyBatchResponse(index=message.index, decided=await self.Verify(message.item, context))

        await answer_each(messages, context, answer, pb.VerifyBatchResponse)


def _write_decision(decision: Decision) -> pb.VerifyResponse:
    return pb.VerifyResponse(
        accepted=decision.accepted,
        complete=decision.complete,
        log_likelihood_ratio=decision.score,
        probability=decision.probability,
        threshold=decision.threshold,
        target_far=decision.target_far,
        beyond_evidence=decision.beyond_evidence,
        policy_id=decision.policy_id,
        modalities=[
            pb.ModalityEvidence(
                modality=MODALITY_TO_WIRE[part.modality],
                log_likelihood_ratio=part.llr,
                model_digest=part.model_digest,
                status=_STATUS_TO_WIRE[part.status],
            )
            for part in decision.modalities
        ],
        samples=write_evidence(decision.samples),
    )
