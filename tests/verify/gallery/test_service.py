"""Identify over a real server: who is found, who is not, what is refused, and what the audit log tells."""

import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from encode.errors import FieldInvalid, GalleryBuilding, IdentifyOff, ImageFormatUnsupported, TargetFarUnavailable
from encode.sample import ImageSample, Modality, StrokesSample
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from verify.client.client import Client
from verify.model import Model
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.v1 import verification_pb2 as pb

Face = Callable[..., ImageSample]
Signature = Callable[..., StrokesSample]
STAFF = "staff"
PEOPLE = 12


def settings(**changes: object) -> ServiceSettings:
    return ServiceSettings.model_validate({"port": 0, "identify": "on", **changes})


@pytest.fixture(scope="module")
def sql_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    store = open_sql_store(StorePlace(str(tmp_path_factory.mktemp("store") / "people.sqlite")))
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(models: Mapping[Modality, Model], sql_store: SqlStore, face: Face) -> Iterator[Client]:
    """Twelve people enrolled, one of another collection, and a gallery that is ready."""
    with serving(models, sql_store, settings()) as address, Client(address) as made:
        for person in range(PEOPLE):
            made.enroll(STAFF, f"p{person}", [face(person, shot) for shot in range(3)])
        made.enroll("visitors", "guest", [face(77)])
        wait_until_ready(made, face(0))
        yield made


def wait_until_ready(client: Client, sample: ImageSample, collection: str = STAFF) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            client.identify(collection, [sample])
        except GalleryBuilding:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def test_everybody_is_found_by_another_picture(client: Client, face: Face) -> None:
    for person in range(PEOPLE):
        answer = client.identify(STAFF, [face(person, 9)])
        assert answer.outcome == pb.IDENTIFY_OUTCOME_MATCH
        assert [one.person for one in answer.candidates] == [f"p{person}"]
        assert answer.candidates[0].log_likelihood_ratio >= answer.threshold
        assert answer.gallery_size >= PEOPLE
        assert answer.samples[0].log_likelihood_ratio == pytest.approx(answer.candidates[0].log_likelihood_ratio)


def test_the_score_is_that_of_verify(client: Client, face: Face) -> None:
    samples = [face(3, 9), face(3, 10)]
    found = client.identify(STAFF, samples)
    verified = client.verify(STAFF, "p3", samples)
    assert found.candidates[0].log_likelihood_ratio == pytest.approx(verified.log_likelihood_ratio)
    assert found.candidates[0].probability == pytest.approx(verified.probability)
    assert found.threshold > verified.threshold
    assert found.target_far == verified.target_far
    assert 1 - (1 - found.comparison_far) ** found.gallery_size == pytest.approx(found.target_far)
    assert found.beyond_evidence


def test_a_stranger_is_nobody_and_other_collections_are_not_searched(client: Client, face: Face) -> None:
    for picture in (face(500), face(77)):
        answer = client.identify(STAFF, [picture], max_candidates=5)
        assert answer.outcome == pb.IDENTIFY_OUTCOME_NO_MATCH
        assert not answer.candidates
        assert answer.samples[0].acquired
        assert not answer.samples[0].HasField("log_likelihood_ratio")
    assert client.identify("visitors", [face(77, 3)]).candidates[0].person == "guest"
    assert client.identify("nobody here", [face(1)]).gallery_size == 0


def test_enrolment_and_erasure_show_in_the_next_search(client: Client, face: Face) -> None:
    for round_ in range(5):
        person = 100 + round_
        before = client.identify(STAFF, [face(person, 9)])
        client.enroll(STAFF, "new", [face(person)])
        after = client.identify(STAFF, [face(person, 9)])
        assert [one.person for one in after.candidates] == ["new"]
        assert after.gallery_size == before.gallery_size + 1
        client.delete_person(STAFF, "new")
        gone = client.identify(STAFF, [face(person, 9)])
        assert gone.outcome == pb.IDENTIFY_OUTCOME_NO_MATCH
        assert gone.gallery_size == before.gallery_size


def test_another_process_that_shares_the_store_follows(
    client: Client, models: Mapping[Modality, Model], sql_store: SqlStore, face: Face
) -> None:
    with serving(models, sql_store, settings()) as address, Client(address) as replica:
        wait_until_ready(replica, face(0))
        client.enroll(STAFF, "shared", [face(200)])
        assert replica.identify(STAFF, [face(200, 9)]).candidates[0].person == "shared"
        replica.delete_person(STAFF, "shared")
        assert not client.identify(STAFF, [face(200, 9)]).candidates


def test_what_is_refused(client: Client, face: Face) -> None:
    with pytest.raises(TargetFarUnavailable):
        client.identify(STAFF, [face(1)], target_far=0.5)
    with pytest.raises(FieldInvalid, match="max_candidates"):
        client.identify(STAFF, [face(1)], max_candidates=-1)
    with pytest.raises(ImageFormatUnsupported, match=r"samples\[0\]"):
        client.identify(STAFF, [ImageSample(b"no picture")])
    partly = client.identify(STAFF, [face(1, 9), ImageSample(b"no picture")])
    assert partly.candidates[0].person == "p1"
    assert [one.acquired for one in partly.samples] == [True, False]


def test_a_service_that_does_not_identify_says_so(models: Mapping[Modality, Model], face: Face) -> None:
    from enroll.stores.memory import MemoryStore

    with (
        serving(models, MemoryStore(), settings(identify="off")) as address,
        Client(address) as asked,
        pytest.raises(IdentifyOff, match="--identify on"),
    ):
        asked.identify(STAFF, [face(1)])


def test_the_audit_log_names_whom_the_caller_was_told_of(client: Client, sql_store: SqlStore, face: Face) -> None:
    from sqlalchemy import select

    from enroll.audit.schema import entries

    client.identify(STAFF, [face(4, 9)])
    client.identify(STAFF, [face(501)])
    with sql_store.database.reading() as connection:
        rows = connection.execute(select(entries).order_by(entries.c.sequence.desc()).limit(2)).all()
    nobody, somebody = (json.loads(row.entry) for row in rows)
    assert (somebody["action"], somebody["outcome"], somebody["subject"]) == ("identify", "accepted", "1")
    assert "person" in somebody
    assert (nobody["action"], nobody["outcome"], nobody["subject"]) == ("identify", "rejected", "0")
    assert "person" not in nobody
    assert "p4" not in json.dumps(somebody)


def test_the_log_tells_when_the_gallery_is_ready_and_of_nobody(
    models: Mapping[Modality, Model], sql_store: SqlStore, face: Face, log: io.StringIO
) -> None:
    with serving(models, sql_store, settings()) as address, Client(address) as asked:
        wait_until_ready(asked, face(0))
    ready = [json.loads(line) for line in log.getvalue().splitlines() if "gallery_ready" in line]
    assert len(ready) == 1
    assert ready[0]["people"] >= PEOPLE
    assert "p1" not in log.getvalue()


def test_both_modalities_add_up_and_who_lacks_one_is_not_found(
    models: Mapping[Modality, Model],
    seal: Callable[..., Path],
    tmp_path: Path,
    face: Face,
    signature: Signature,
) -> None:
    import numpy as np

    from verify.model import load_models
    from verify.score_summary import summarize

    rng = np.random.default_rng(0)
    scores = summarize(rng.normal(5, 1, 500), rng.normal(-5, 2, 3_000)).model_dump()
    both = load_models(
        [
            seal(tmp_path / "face", policy={"scores": scores}),
            seal(tmp_path / "signature", modality=Modality.SIGNATURE, policy={"scores": scores}, seed=1),
        ],
        threads=1,
    )
    from enroll.stores.memory import MemoryStore

    with serving(both, MemoryStore(), settings()) as address, Client(address) as asked:
        for person in range(4):
            asked.enroll(STAFF, f"p{person}", [face(person), signature(person)])
        asked.enroll(STAFF, "face alone", [face(50)])
        wait_until_ready(asked, face(0))
        found = asked.identify(STAFF, [face(2, 9), signature(2, 9)])
        verified = asked.verify(STAFF, "p2", [face(2, 9), signature(2, 9)])
        assert found.candidates[0].person == "p2"
        assert found.candidates[0].log_likelihood_ratio == pytest.approx(verified.log_likelihood_ratio)
        assert found.gallery_size == 4
        assert not asked.identify(STAFF, [face(50, 9), signature(2, 9)]).candidates
        assert asked.identify(STAFF, [face(50, 9)]).candidates[0].person == "face alone"
        covered = asked.identify(STAFF, [face(2, 9), StrokesSample(x=(), y=(), t=())])
        assert not covered.candidates
        assert [one.acquired for one in covered.samples] == [True, False]
