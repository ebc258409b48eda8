"""VerificationService: wire messages in and out around :class:`verify.verifier.Verifier`."""

from collections.abc import Callable
from typing import Any

import grpc

from verify.decision import Decision, Status
from verify.messages import MODALITY_TO_WIRE, read_samples, read_target_far, write_problem
from verify.names import require_name
from verify.service_workers import Workers
from verify.v1 import verification_pb2 as pb
from verify.v1 import verification_pb2_grpc
from verify.verifier import Verifier

_STATUS_TO_WIRE: dict[Status, pb.ModalityStatus] = {
    Status.USED: pb.MODALITY_STATUS_USED,
    Status.UNUSABLE: pb.MODALITY_STATUS_UNUSABLE,
    Status.NOT_ENROLLED: pb.MODALITY_STATUS_NOT_ENROLLED,
    Status.NOT_SENT: pb.MODALITY_STATUS_NOT_SENT,
}

_Context = grpc.aio.ServicerContext[Any, Any]


class VerificationService(verification_pb2_grpc.VerificationServiceServicer):
    """Raises errors of the tree; the call boundary turns them into statuses."""

    def __init__(self, verifier: Verifier, workers: Workers) -> None:
        self._verifier = verifier
        self._workers = workers

    async def Verify(self, request: pb.VerifyRequest, context: _Context) -> pb.VerifyResponse:  # noqa: N802
        def work(checkpoint: Callable[[], None]) -> pb.VerifyResponse:
            decision = self._verifier.verify(
                require_name(request.collection, "collection"),
                require_name(request.person, "person"),
                read_samples(request.samples),
                read_target_far(request),
                accept_partial=request.accept_partial,
                checkpoint=checkpoint,
            )
            return _write_decision(decision)

        return await self._workers.run(context, work)


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
