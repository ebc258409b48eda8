"""VerificationService: wire messages in and out around :class:`verify.access.claims.Claims`."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import grpc

from verify.access.claims import Claims
from verify.adaptation import Adaptation, Lesson
from verify.audit_events import REFUSALS, current_origin, decided, refused
from verify.audit_trail import AuditTrail
from verify.decision import Decision, Status
from verify.messages import MODALITY_TO_WIRE, read_samples, read_target_far, write_problem
from verify.names import require_name
from verify.service_workers import Workers
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

    def __init__(self, claims: Claims, workers: Workers, trail: AuditTrail, adaptation: Adaptation) -> None:
        self._claims = claims
        self._workers = workers
        self._trail = trail
        self._adaptation = adaptation

    async def Verify(self, request: pb.VerifyRequest, context: _Context) -> pb.VerifyResponse:  # noqa: N802
        collection, person = require_name(request.collection, "collection"), require_name(request.person, "person")

        def work(checkpoint: Callable[[], None]) -> tuple[Future[None], Lesson | None, pb.VerifyResponse]:
            decision = self._claims.verify(
                collection,
                person,
                read_samples(request.samples),
                read_target_far(request),
                accept_partial=request.accept_partial,
                checkpoint=checkpoint,
            )
            lesson = self._adaptation.lesson(collection, person, decision)
            # Where others wait for a thread, this one goes on to them while the disk is waited for.
            record = self._trail.record if self._workers.alone else self._trail.submit
            return record(decided(collection, person, decision)), lesson, _write_decision(decision)

        try:
            recorded, lesson, response = await self._workers.run(context, work)
        except REFUSALS as error:
            await asyncio.wrap_future(self._trail.submit(refused(collection, person, error)))
            raise
        if recorded.done():
            recorded.result()
        else:
            await asyncio.wrap_future(recorded)
        # Behind the record of the decision, so that the log tells first what was decided and then what was learned.
        self._adaptation.submit(lesson, current_origin())
        return response


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
        samples=[
            pb.SampleEvidence(
                index=index,
                modality=MODALITY_TO_WIRE[sample.modality],
                acquired=sample.acquired,
                log_likelihood_ratio=sample.llr,
                problem=write_problem(sample.problem),
            )
            for index, sample in enumerate(decision.samples)
        ],
    )
