"""The calls of EnrollmentService about templates: their versions, and what waits to be learned."""

from encode.sample import Modality
from verify.client.call import Call, Page, Pages, new_request_id
from verify.messages import MODALITY_TO_WIRE
from verify.v1 import enrollment_pb2 as pb

_SERVICE = "/verify.v1.EnrollmentService/"


def list_template_versions(collection: str, person: str, modality: Modality) -> Call[list[pb.TemplateVersion]]:
    """The versions kept of a template, oldest first; the last is in force."""

    def read(answer: pb.ListTemplateVersionsResponse) -> list[pb.TemplateVersion]:
        return list(answer.versions)

    request = pb.ListTemplateVersionsRequest(collection=collection, person=person, modality=MODALITY_TO_WIRE[modality])
    return Call(_SERVICE + "ListTemplateVersions", request, pb.ListTemplateVersionsResponse, read)


def rollback_template(
    collection: str, person: str, modality: Modality, version: int | None, *, request_id: str | None = None
) -> Call[pb.Template]:
    """Give a template the content of a version again; None: without what it learned from accepted probes.

    Without a `request_id` a new one is drawn.
    """

    def read(answer: pb.RollbackTemplateResponse) -> pb.Template:
        return answer.template

    request = pb.RollbackTemplateRequest(
        collection=collection,
        person=person,
        modality=MODALITY_TO_WIRE[modality],
        version=version,
        enrolled_only=True if version is None else None,
        request_id=request_id or new_request_id(),
    )
    return Call(_SERVICE + "RollbackTemplate", request, pb.RollbackTemplateResponse, read)


def list_quarantine(collection: str, *, page_size: int = 0) -> Pages[pb.QuarantinedProbe]:
    """The accepted probes that wait to become references, fetched page by page of people."""

    def read(answer: pb.ListQuarantineResponse) -> Page[pb.QuarantinedProbe]:
        return Page(answer.probes, answer.next_page_token)

    def page(token: str) -> Call[Page[pb.QuarantinedProbe]]:
        request = pb.ListQuarantineRequest(collection=collection, page_size=page_size, page_token=token)
        return Call(_SERVICE + "ListQuarantine", request, pb.ListQuarantineResponse, read)

    return Pages(page)


def resolve_quarantine(
    collection: str,
    person: str,
    modality: Modality,
    *,
    approve: bool,
    version: int = 0,
    request_id: str | None = None,
) -> Call[pb.Template]:
    """Make the probe in quarantine a reference, or throw it away. Without a `request_id` a new one is drawn.

    A `version` other than 0 is that of the template the quarantine was listed with.
    """

    def read(answer: pb.ResolveQuarantineResponse) -> pb.Template:
        return answer.template

    request = pb.ResolveQuarantineRequest(
        collection=collection,
        person=person,
        modality=MODALITY_TO_WIRE[modality],
        resolution=pb.RESOLUTION_APPROVE if approve else pb.RESOLUTION_DISCARD,
        version=version,
        request_id=request_id or new_request_id(),
    )
    return Call(_SERVICE + "ResolveQuarantine", request, pb.ResolveQuarantineResponse, read)
