"""The calls of EnrollmentService about people: enrolling, looking, erasing.

Every mutation carries a request_id, so that it may be sent again where nobody knows whether it arrived.
"""

from collections.abc import Sequence

from encode.sample import Sample
from verify.client.call import Call, Page, Pages, as_it_is, new_request_id, sendable
from verify.messages import write_sample
from verify.v1 import enrollment_pb2 as pb

_SERVICE = "/verify.v1.EnrollmentService/"


def enroll_request(
    collection: str, person: str, samples: Sequence[Sample], *, request_id: str | None = None
) -> pb.EnrollRequest:
    """The message of :func:`enroll`. Raises FieldInvalid where it is larger than the service takes."""
    return sendable(
        pb.EnrollRequest(
            collection=collection,
            person=person,
            samples=[write_sample(sample) for sample in samples],
            request_id=request_id or new_request_id(),
        )
    )


def enroll(
    collection: str, person: str, samples: Sequence[Sample], *, request_id: str | None = None
) -> Call[pb.EnrollResponse]:
    """Add references to a person. Without a `request_id` a new one is drawn."""
    request = enroll_request(collection, person, samples, request_id=request_id)
    return Call(_SERVICE + "Enroll", request, pb.EnrollResponse, as_it_is)


def get_person(collection: str, person: str) -> Call[pb.Person]:
    """What is stored of a person."""

    def read(answer: pb.GetPersonResponse) -> pb.Person:
        return answer.person

    request = pb.GetPersonRequest(collection=collection, person=person)
    return Call(_SERVICE + "GetPerson", request, pb.GetPersonResponse, read)


def list_persons(collection: str, *, page_size: int = 0) -> Pages[pb.PersonSummary]:
    """Everybody in a collection, fetched page by page."""

    def read(answer: pb.ListPersonsResponse) -> Page[pb.PersonSummary]:
        return Page(answer.persons, answer.next_page_token)

    def page(token: str) -> Call[Page[pb.PersonSummary]]:
        request = pb.ListPersonsRequest(collection=collection, page_size=page_size, page_token=token)
        return Call(_SERVICE + "ListPersons", request, pb.ListPersonsResponse, read)

    return Pages(page)


def delete_person(collection: str, person: str, *, request_id: str | None = None) -> Call[pb.ErasureReceipt]:
    """Erase a person. Without a `request_id` a new one is drawn."""

    def read(answer: pb.DeletePersonResponse) -> pb.ErasureReceipt:
        return answer.receipt

    request = pb.DeletePersonRequest(collection=collection, person=person, request_id=request_id or new_request_id())
    return Call(_SERVICE + "DeletePerson", request, pb.DeletePersonResponse, read)
