"""Streams of enrolments and claims over a real server, through both clients and as raw messages."""

import asyncio
import io
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack

import grpc
import pytest

from encode.errors import FieldInvalid, FieldMissing, ImageCorrupt, PersonUnknown, ServiceUnavailable, TooFewReferences
from encode.sample import ImageSample, Modality
from enroll.stores.memory import MemoryStore
from verify.client.async_client import AsyncClient
from verify.client.batch_items import EnrollItem, VerifyItem
from verify.client.client import Client
from verify.client.request_ids import enrollment_id
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.v1 import enrollment_pb2, sample_pb2, verification_pb2

Face = Callable[..., ImageSample]

ENROLL_BATCH = "/verify.v1.EnrollmentService/EnrollBatch"
VERIFY_BATCH = "/verify.v1.VerificationService/VerifyBatch"


def people(face: Face, count: int) -> list[EnrollItem]:
    return [EnrollItem("staff", f"person {n}", [face(n, shot) for shot in range(3)]) for n in range(count)]


def test_everybody_of_a_batch_is_enrolled_and_then_recognised(client: Client, face: Face) -> None:
    items = people(face, 50)
    results = list(client.enroll_batch(items))
    assert sorted(one.index for one in results) == list(range(50))
    for one in results:
        assert one.error is None
        assert one.answer is not None
        assert one.item is items[one.index]
        assert one.answer.person.person == items[one.index].person
        assert [outcome.accepted for outcome in one.answer.outcomes] == [True] * 3
    assert len(list(client.list_persons("staff"))) == 50

    claims = [VerifyItem("staff", f"person {(n + n % 2) % 50}", [face(n, 7)]) for n in range(50)]
    accepted = {one.index: one.answer is not None and one.answer.accepted for one in client.verify_batch(claims)}
    assert accepted == {n: n % 2 == 0 for n in range(50)}


def test_a_claim_of_a_batch_is_answered_as_one_of_its_own(client: Client, face: Face) -> None:
    list(client.enroll_batch(people(face, 1)))
    alone = client.verify("staff", "person 0", [face(0, 5)], target_far=0.01)
    [result] = client.verify_batch([VerifyItem("staff", "person 0", [face(0, 5)], target_far=0.01)])
    assert result.answer == alone


def test_what_is_wrong_with_one_item_is_told_of_it_alone(client: Client, face: Face) -> None:
    broken = ImageSample(face(1).data[:100])
    items = [
        EnrollItem("staff", "ada", [face(1)]),
        EnrollItem("staff", "", [face(2)]),
        EnrollItem("staff", "bob", [broken]),
        EnrollItem("staff", "eve", []),
        EnrollItem("staff", "mallory", [ImageSample(bytes(64 * 1024 * 1024))]),
        EnrollItem("staff", "zoe", [face(3)]),
    ]
    errors = {one.index: one.error for one in client.enroll_batch(items)}
    kinds = {1: FieldMissing, 2: TooFewReferences, 3: FieldMissing, 4: FieldInvalid}
    assert {index: type(error) for index, error in errors.items() if error is not None} == kinds
    told = errors[2]
    assert told is not None
    assert told.field == "samples[0].image.data"
    assert told.fix
    assert [one.person for one in client.list_persons("staff")] == ["ada", "zoe"]

    claims = [VerifyItem("staff", name, [sample]) for name, sample in (("ada", face(1, 1)), ("nobody", face(1)))]
    claims.append(VerifyItem("staff", "ada", [broken]))
    answers = {one.index: one for one in client.verify_batch(claims)}
    assert answers[0].answer is not None
    assert answers[0].answer.accepted
    assert isinstance(answers[1].error, PersonUnknown)
    assert isinstance(answers[2].error, ImageCorrupt | TooFewReferences)


def test_a_batch_without_items_is_none(client: Client) -> None:
    assert list(client.enroll_batch([])) == []


def test_items_are_taken_only_as_there_is_room(client: Client, face: Face) -> None:
    taken = []

    def endless() -> Iterator[EnrollItem]:
        for n in range(10_000):
            taken.append(n)
            yield EnrollItem("staff", f"person {n}", [face(n % 5)])

    results = client.enroll_batch(endless())
    for _ in range(10):
        next(results)
    assert len(taken) <= 10 + 2 * 32
    results.close()  # type: ignore[attr-defined]
    assert client.healthy()


def test_an_error_of_the_items_ends_the_batch_as_it_is(client: Client, face: Face) -> None:
    def failing() -> Iterator[EnrollItem]:
        yield EnrollItem("staff", "ada", [face(1)])
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(client.enroll_batch(failing()))


def test_the_same_batch_again_enrolls_nothing_twice(client: Client, face: Face) -> None:
    items = [
        EnrollItem(one.collection, one.person, one.samples, enrollment_id(one.collection, one.person, one.samples))
        for one in people(face, 5)
    ]
    first = {one.index: one.answer for one in client.enroll_batch(items)}
    again = {one.index: one.answer for one in client.enroll_batch(items)}
    assert first == again
    [template] = client.get_person("staff", "person 0").templates
    assert template.version == 1


def test_an_enrolment_id_follows_from_everything_that_is_enrolled(face: Face) -> None:
    samples = [face(1), face(2)]
    told = {
        enrollment_id("staff", "ada", samples),
        enrollment_id("staff", "ada", samples[::-1]),
        enrollment_id("staff", "ada", samples[:1]),
        enrollment_id("staff", "bob", samples),
        enrollment_id("staf", "fada", samples),
        enrollment_id("visitors", "ada", samples),
    }
    assert len(told) == 6
    assert enrollment_id("staff", "ada", samples) == enrollment_id("staff", "ada", [face(1), face(2)])


def test_the_awaiting_client_does_the_same(client: Client, face: Face) -> None:
    async def talk() -> tuple[list[bool], list[str], bool, list[bool]]:
        async with AsyncClient(client.target.address, timeout=20) as awaiting:
            enrolled = [one.error is None async for one in awaiting.enroll_batch(people(face, 7))]
            listed = [one.person async for one in awaiting.list_persons("staff", page_size=3)]
            alone = await awaiting.verify("staff", "person 1", [face(1, 6)])
            decided = awaiting.verify_batch([VerifyItem("staff", f"person {n}", [face(n, 6)]) for n in range(7)])
            with pytest.raises(PersonUnknown):
                await awaiting.get_person("staff", "nobody")
            assert await awaiting.healthy()
            return enrolled, listed, alone.accepted, [bool(one.answer and one.answer.accepted) async for one in decided]

    enrolled, listed, alone, decided = asyncio.run(talk())
    assert enrolled == [True] * 7
    assert listed == [f"person {n}" for n in range(7)]
    assert alone
    assert decided == [True] * 7


def raw(client: Client, method: str, messages: list[bytes]) -> list[bytes]:
    stream = client.channel.stream_stream(method)
    return list(stream(iter(messages), timeout=20))


def test_a_message_that_is_none_is_answered_by_its_number(client: Client, face: Face) -> None:
    item = verification_pb2.VerifyRequest(collection="staff", person="nobody")
    item.samples.add().image.data = face(1).data
    good = verification_pb2.VerifyBatchRequest(index=70, item=item).SerializeToString()
    answers = [
        verification_pb2.VerifyBatchResponse.FromString(one)
        for one in raw(client, VERIFY_BATCH, [good, b"\xff\xff", good])
    ]
    failures = sorted((one.index, one.failure.code, one.failure.reason) for one in answers)
    assert failures == [
        (1, "INVALID_ARGUMENT", "FIELD_INVALID"),
        (70, "NOT_FOUND", "PERSON_UNKNOWN"),
        (70, "NOT_FOUND", "PERSON_UNKNOWN"),
    ]


def test_a_message_without_an_item_is_refused(client: Client) -> None:
    [answer] = raw(client, ENROLL_BATCH, [enrollment_pb2.EnrollBatchRequest(index=3).SerializeToString()])
    told = enrollment_pb2.EnrollBatchResponse.FromString(answer)
    assert told.index == 3
    assert told.failure == sample_pb2.Failure(
        code="INVALID_ARGUMENT",
        reason="FIELD_MISSING",
        field=told.failure.field,
        message=told.failure.message,
        fix=told.failure.fix,
    )


def test_a_stream_is_logged_once_with_its_counts_and_nobodys_name(client: Client, face: Face, log: io.StringIO) -> None:
    list(client.enroll_batch([*people(face, 3), EnrollItem("staff", "Ada Lovelace", [])]))
    [line] = [json.loads(line) for line in log.getvalue().splitlines() if "EnrollBatch" in line]
    assert (line["event"], line["code"], line["items"], line["failed"]) == ("call", "OK", 4, {"FIELD_MISSING": 1})
    assert "Lovelace" not in log.getvalue()
    assert "person 1" not in log.getvalue()


def test_nobody_there_is_told_after_a_few_tries() -> None:
    with Client("127.0.0.1:1", timeout=5) as client, pytest.raises(ServiceUnavailable, match="nothing answers"):
        list(client.enroll_batch([EnrollItem("staff", "ada", [])]))


def test_a_stream_whose_caller_goes_away_leaves_nothing_behind(client: Client, face: Face) -> None:
    async def leave() -> None:
        async with grpc.aio.insecure_channel(client.target.address) as channel:
            stream = channel.stream_stream(ENROLL_BATCH, request_serializer=None, response_deserializer=None)

            async def messages() -> AsyncIterator[bytes]:
                for one in people(face, 20):
                    item = enrollment_pb2.EnrollRequest(collection="staff", person=one.person)
                    yield enrollment_pb2.EnrollBatchRequest(item=item).SerializeToString()
                await asyncio.sleep(60)

            call = stream(messages(), timeout=30)
            assert await call.read()
            call.cancel()

    asyncio.run(leave())
    assert client.healthy()
    assert next(iter(client.enroll_batch(people(face, 1)))).error is None


def test_a_service_that_stops_answers_what_it_has_read_and_ends_its_streams(
    models: Mapping[Modality, Model], face: Face
) -> None:
    hung_up = threading.Event()

    def messages() -> Iterator[bytes]:
        for one in people(face, 3):
            item = enrollment_pb2.EnrollRequest(collection="staff", person=one.person)
            item.samples.add().image.data = one.samples[0].data
            yield enrollment_pb2.EnrollBatchRequest(item=item).SerializeToString()
        hung_up.wait(60)

    with ExitStack() as stopping:
        # Were the stream not ended, the call's own deadline would come first.
        address = stopping.enter_context(serving(models, MemoryStore(), ServiceSettings(port=0, grace_seconds=100)))
        with grpc.insecure_channel(address) as channel:
            stream = channel.stream_stream(ENROLL_BATCH)(messages(), timeout=60)
            answers = [enrollment_pb2.EnrollBatchResponse.FromString(next(stream)) for _ in range(3)]
            stopping.close()
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            hung_up.set()
    assert all(one.HasField("enrolled") for one in answers)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "about to stop" in caught.value.details()
