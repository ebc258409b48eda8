"""Identify: the wire's message in and out around :class:`verify.access.searches.Searches`."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import grpc

from encode.errors import FieldInvalid
from enroll.audit.event import Action
from verify.access.searches import Searches
from verify.audit_events import REFUSALS, identified, refused
from verify.audit_trail import AuditTrail
from verify.identifier import MOST, Identification
from verify.messages import read_samples, read_target_far, write_evidence
from verify.metrics import Metrics
from verify.names import require_name
from verify.service_workers import Workers
from verify.v1 import verification_pb2 as pb

_Context = grpc.aio.ServicerContext[Any, Any]


class IdentifyCall:
    """Answers one RPC; raises errors of the tree."""

    def __init__(self, searches: Searches, workers: Workers, trail: AuditTrail, metrics: Metrics) -> None:
        self._searches = searches
        self._workers = workers
        self._trail = trail
        self._metrics = metrics

    async def answer(self, request: pb.IdentifyRequest, context: _Context) -> pb.IdentifyResponse:
        collection = require_name(request.collection, "collection")
        most = _read_most(request.max_candidates)

        def work(checkpoint: Callable[[], None]) -> tuple[list[Future[None]], pb.IdentifyResponse]:
            began = time.perf_counter()
            found = self._searches.identify(
                collection, read_samples(request.samples), read_target_far(request), most=most, checkpoint=checkpoint
            )
            self._metrics.searched(time.perf_counter() - began, found=bool(found.matches))
            return [self._trail.submit(event) for event in identified(collection, found)], _write(found)

        try:
            recorded, response = await self._workers.run(context, work)
        except REFUSALS as error:
            event = refused(collection, None, error, action=Action.IDENTIFY)
            await asyncio.wrap_future(self._trail.submit(event))
            raise
        for one in recorded:
            await asyncio.wrap_future(one)
        return response


def _read_most(number: int) -> int:
    """How many people the answer may name. Raises FieldInvalid."""
    if number < 0:
        raise FieldInvalid("nobody is fewer than nobody", field="max_candidates", fix="give 0 to 100")
    return min(number, MOST) or 1


def _write(found: Identification) -> pb.IdentifyResponse:
    return pb.IdentifyResponse(
        outcome=pb.IDENTIFY_OUTCOME_MATCH if found.matches else pb.IDENTIFY_OUTCOME_NO_MATCH,
        candidates=[
            pb.Candidate(person=one.person, log_likelihood_ratio=one.score, probability=one.probability)
            for one in found.matches
        ],
        threshold=found.threshold,
        target_far=found.target_far,
        comparison_far=found.comparison_far,
        gallery_size=found.people,
        beyond_evidence=found.beyond_evidence,
        policy_id=found.policy_id,
        samples=write_evidence(found.samples),
    )
