"""Enrolling the people of a manifest: the genuine rows of each person in one enrolment, many people over one stream.

    rows → by person → chunks of at most 32 samples and 64 MiB → one stream a round: the first chunk of everybody, …

Later chunks of a person wait for a later round, so that references are enrolled in the manifest's order. Request ids
follow from what is enrolled: a run that was broken off is run again and enrolls nothing twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from countersign.bulk.failures import Failed
from countersign.progress import Progress
from encode.errors import SampleError
from encode.sample import ImageSample, Sample
from eval.corpora.corpus import Corpus, Row
from eval.corpora.manifest import read_manifest
from verify.client.batch_items import EnrollItem, ItemResult
from verify.client.client import Client
from verify.client.request_ids import enrollment_id
from verify.messages import MAX_MESSAGE_BYTES, MAX_SAMPLES
from verify.v1.enrollment_pb2 import EnrollResponse

CHUNK_BYTES = MAX_MESSAGE_BYTES - 1024 * 1024
"""Of samples; what a message holds beside them is far less than the rest."""

POINT_BYTES = 21
"""Of a point of strokes on the wire, at most: four floats of 4 bytes, a bool, and room."""


@dataclass(frozen=True, slots=True)
class _Chunk(EnrollItem):
    """Some rows of one person, read."""

    rows: Sequence[Row] = ()


@dataclass(slots=True)
class Enrolled:
    """What became of a manifest.

    Attributes
    ----------
    people, samples : of the manifest's genuine rows.
    stored : samples that are references now, or were already.
    failed : the rows that are not.
    reached : people with at least one of them.
    """

    people: int = 0
    samples: int = 0
    stored: int = 0
    failed: list[Failed] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)


def enroll_manifest(client: Client, collection: str, manifest: Path, progress: Progress) -> Enrolled:
    """Enroll every genuine row of a manifest.

    Raises
    ------
    CorpusMissing, CorpusInvalid : of the manifest; nothing has been sent by then.
    ServiceUnavailable, DeadlineExpired, AccessError : the service cannot be reached, or not any more.
    """
    corpus = read_manifest(manifest, name=manifest.name)
    people = [person for person in corpus.people if corpus.genuine(person)]
    done = Enrolled(len(people), sum(len(corpus.genuine(person)) for person in people))
    waiting = {person: list(corpus.genuine(person)) for person in people}
    while waiting:
        for result in client.enroll_batch(_round(corpus, collection, waiting, done)):
            _count(result, done)
            progress("enroll", done.stored + len(done.failed), done.samples)
    return done


def _round(corpus: Corpus, collection: str, waiting: dict[str, list[Row]], done: Enrolled) -> Iterator[_Chunk]:
    """The next chunk of everybody; who has no row left is waited for no more."""
    for person in list(waiting):
        rows, samples = _read_some(waiting[person], done)
        if not waiting[person]:
            del waiting[person]
        if samples:
            yield _Chunk(collection, person, samples, enrollment_id(collection, person, samples), rows)


def _read_some(rows: list[Row], done: Enrolled) -> tuple[list[Row], list[Sample]]:
    """Take rows from the front until a chunk is full; those that cannot be read are failures."""
    taken: list[Row] = []
    samples: list[Sample] = []
    size = 0
    while rows and len(samples) < MAX_SAMPLES:
        row = rows[0]
        try:
            sample = row.load()
        except OSError as error:
            done.failed.append(Failed.unreadable(error, row.person, row.id))
        except SampleError as error:
            done.failed.append(Failed.of(error, row.person, row.id))
        else:
            more = len(sample.data) if isinstance(sample, ImageSample) else POINT_BYTES * len(sample.x)
            if samples and size + more > CHUNK_BYTES:
                break
            size += more
            taken.append(row)
            samples.append(sample)
        del rows[0]
    return taken, samples


def _count(result: ItemResult[EnrollItem, EnrollResponse], done: Enrolled) -> None:
    chunk = result.item
    if not isinstance(chunk, _Chunk):
        raise AssertionError("a round is made of chunks")
    if result.answer is None:
        if result.error is None:
            raise AssertionError("a result holds an answer or an error")
        done.failed += [Failed.of(result.error, chunk.person, row.id) for row in chunk.rows]
        return
    for row, outcome in zip(chunk.rows, result.answer.outcomes, strict=True):
        if outcome.accepted:
            done.stored += 1
            done.reached.add(chunk.person)
        else:
            done.failed.append(Failed.told(outcome.problem, chunk.person, row.id))
