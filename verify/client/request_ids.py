"""Request ids that follow from what is enrolled, so that the same enrolment always has the same one.

    id = hex( SHA-256( each of: collection, person, serialized samples ; every part behind its length ) )[:32]

Whoever runs the same batch again, after a break or by mistake, enrolls nothing twice: for seven days the service
answers what it has stored already from its record. The digest tells nothing of the samples, and of the person only to
who knows them all.
"""

import hashlib
from collections.abc import Sequence

from encode.sample import Sample
from verify.messages import write_sample


def enrollment_id(collection: str, person: str, samples: Sequence[Sample]) -> str:
    """32 hex digits."""
    hashed = hashlib.sha256()
    for part in (
        collection.encode(),
        person.encode(),
        *(write_sample(sample).SerializeToString(deterministic=True) for sample in samples),
    ):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()[:32]
