"""The methods of EnrollmentService about stored templates: their versions and their quarantine.

Wire messages in and out around :class:`verify.curator.Curator`.
"""

from collections.abc import Callable
from typing import Any

import grpc

from encode.errors import FieldInvalid, FieldMissing
from encode.sample import Modality
from enroll.answers import TemplateSummary
from verify.audit_events import current_origin
from verify.curator import Curator, Waiting
from verify.messages import MODALITY_TO_WIRE, read_modality, read_page_size, read_request, write_time
from verify.names import require_name
from verify.page_token import make_page_token, read_page_token
from verify.service_workers import Workers
from verify.v1 import enrollment_pb2 as pb

_Context = grpc.aio.ServicerContext[Any, Any]
_OfTemplate = pb.ListTemplateVersionsRequest | pb.RollbackTemplateRequest | pb.ResolveQuarantineRequest


class TemplateMethods:
    """Raises errors of the tree; the call boundary turns them into statuses."""

    def __init__(self, curator: Curator, workers: Workers) -> None:
        self._curator = curator
        self._workers = workers

    async def ListTemplateVersions(  # noqa: N802
        self, request: pb.ListTemplateVersionsRequest, context: _Context
    ) -> pb.ListTemplateVersionsResponse:
        def work(_: Callable[[], None]) -> pb.ListTemplateVersionsResponse:
            return pb.ListTemplateVersionsResponse(
                versions=[
                    pb.TemplateVersion(
                        version=one.version,
                        model_digest=one.model_digest,
                        saved_at=write_time(one.saved_at),
                        reason=one.reason,
                    )
                    for one in self._curator.versions(*_template(request))
                ]
            )

        return await self._workers.run(context, work)

    async def RollbackTemplate(  # noqa: N802
        self, request: pb.RollbackTemplateRequest, context: _Context
    ) -> pb.RollbackTemplateResponse:
        def work(_: Callable[[], None]) -> pb.RollbackTemplateResponse:
            summary = self._curator.rollback(
                *_template(request),
                _target(request),
                request=read_request(request, "RollbackTemplate"),
                origin=current_origin(),
            )
            return pb.RollbackTemplateResponse(template=write_template(summary))

        return await self._workers.run(context, work)

    async def ListQuarantine(  # noqa: N802
        self, request: pb.ListQuarantineRequest, context: _Context
    ) -> pb.ListQuarantineResponse:
        def work(checkpoint: Callable[[], None]) -> pb.ListQuarantineResponse:
            collection = require_name(request.collection, "collection")
            size = read_page_size(request.page_size)
            after = read_page_token(collection, request.page_token)
            found, last = self._curator.waiting(collection, after=after, limit=size, checkpoint=checkpoint)
            return pb.ListQuarantineResponse(
                probes=[_write_waiting(one) for one in found],
                next_page_token="" if last is None else make_page_token(collection, last),
            )

        return await self._workers.run(context, work)

    async def ResolveQuarantine(  # noqa: N802
        self, request: pb.ResolveQuarantineRequest, context: _Context
    ) -> pb.ResolveQuarantineResponse:
        def work(_: Callable[[], None]) -> pb.ResolveQuarantineResponse:
            if request.version < 0:
                raise FieldInvalid("versions count from 1", field="version", fix="give the version listed, or leave it")
            summary = self._curator.resolve(
                *_template(request),
                approve=_approve(request.resolution),
                version=request.version or None,
                request=read_request(request, "ResolveQuarantine"),
                origin=current_origin(),
            )
            return pb.ResolveQuarantineResponse(template=write_template(summary))

        return await self._workers.run(context, work)


def write_template(one: TemplateSummary) -> pb.Template:
    """What is told of a template."""
    since = one.quarantined_since
    return pb.Template(
        modality=MODALITY_TO_WIRE[one.modality],
        model_digest=one.model_digest,
        anchors=one.anchors,
        recent=one.recent,
        missing=one.missing,
        version=one.version,
        created_at=write_time(one.created_at),
        updated_at=write_time(one.updated_at),
        adapted=one.adapted,
        quarantined=one.quarantined,
        quarantined_since=None if since is None else write_time(since),
        samples_kept=one.samples_kept,
    )


def _template(request: _OfTemplate) -> tuple[str, str, Modality]:
    return (
        require_name(request.collection, "collection"),
        require_name(request.person, "person"),
        read_modality(request.modality, "modality"),
    )


def _target(request: pb.RollbackTemplateRequest) -> int | None:
    """The version to go back to; None for the enrolled references alone. Raises FieldMissing, FieldInvalid."""
    target = request.WhichOneof("target")
    if target == "version" and request.version > 0:
        return request.version
    if target == "enrolled_only" and request.enrolled_only:
        return None
    if target == "version":
        raise FieldInvalid("versions count from 1", field="version", fix="name one of the versions that are listed")
    raise FieldMissing("no version is named", field="version", fix="name a version, or set enrolled_only")


def _approve(resolution: int) -> bool:
    if resolution == pb.RESOLUTION_UNSPECIFIED:
        raise FieldMissing("no resolution is named", field="resolution", fix="approve or discard the probe")
    if resolution not in (pb.RESOLUTION_APPROVE, pb.RESOLUTION_DISCARD):
        raise FieldInvalid(
            f"there is no resolution {resolution}", field="resolution", fix="approve or discard, or use a newer service"
        )
    return resolution == pb.RESOLUTION_APPROVE


def _write_waiting(one: Waiting) -> pb.QuarantinedProbe:
    return pb.QuarantinedProbe(
        person=one.person,
        modality=MODALITY_TO_WIRE[one.template.modality],
        model_digest=one.template.model_digest,
        since=write_time(one.since),
        due=write_time(one.due),
        version=one.template.version,
    )
