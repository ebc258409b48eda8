"""The calls of VerificationService."""

from collections.abc import Sequence

from encode.sample import Sample
from verify.client.call import Call, as_it_is, sendable
from verify.messages import write_sample
from verify.v1 import verification_pb2 as pb

_SERVICE = "/verify.v1.VerificationService/"


def verify_request(
    collection: str,
    person: str,
    samples: Sequence[Sample],
    *,
    target_far: float | None = None,
    accept_partial: bool = False,
) -> pb.VerifyRequest:
    """The message of :func:`verify`. Raises FieldInvalid where it is larger than the service takes."""
    return sendable(
        pb.VerifyRequest(
            collection=collection,
            person=person,
            samples=[write_sample(sample) for sample in samples],
            target_far=target_far,
            accept_partial=accept_partial,
        )
    )


def identify(
    collection: str,
    samples: Sequence[Sample],
    *,
    target_far: float | None = None,
    max_candidates: int = 1,
) -> Call[pb.IdentifyResponse]:
    """Ask who of a collection made the samples; nobody is an answer too.

    `target_far` is a fraction of the policy's table, and that of the whole search.
    """
    request = pb.IdentifyRequest(
        collection=collection,
        samples=[write_sample(sample) for sample in samples],
        target_far=target_far,
        max_candidates=max_candidates,
    )
    return Call(_SERVICE + "Identify", sendable(request), pb.IdentifyResponse, as_it_is)


def verify(
    collection: str,
    person: str,
    samples: Sequence[Sample],
    *,
    target_far: float | None = None,
    accept_partial: bool = False,
) -> Call[pb.VerifyResponse]:
    """Compare samples of one modality or several with a claimed person.

    `target_far` is a fraction of the policy's table. With `accept_partial` a claim is accepted on those modalities
    that could be used, though others that were sent could not; see the wire contract for what that opens.
    """
    request = verify_request(collection, person, samples, target_far=target_far, accept_partial=accept_partial)
    return Call(_SERVICE + "Verify", request, pb.VerifyResponse, as_it_is)
