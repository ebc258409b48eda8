"""People kept ready between claims: never longer than they are stored as they are, and never for another's benefit."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from encode.errors import PersonUnknown, StoreCorrupt
from encode.sample import ImageSample, Modality, Sample, StrokesSample
from enroll.enroller import Enroller
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.schema import people
from enroll.stores.sql import SqlStore
from verify.model import Model
from verify.verifier import Verifier

Face = Callable[..., ImageSample]
Signature = Callable[..., StrokesSample]
OpenStore = Callable[[], SqlStore]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Stores on one SQLite file, each as another process has it."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))))


@pytest.fixture
def store(open_store: OpenStore) -> SqlStore:
    return open_store()


def test_the_next_claim_finds_the_person_fitted(models: Mapping[Modality, Model], store: SqlStore, face: Face) -> None:
    Enroller(models, store).enroll("staff", "ada", [face(1)])
    verifier = Verifier(models, store)
    first = verifier.claimed("staff", "ada", [face(1, 5)])
    assert verifier.claimed("staff", "ada", [face(2, 6), face(1, 7)]) is first
    uncached = Verifier(models, store, cache_bytes=0)
    before = uncached.claimed("staff", "ada", [face(1, 5)])
    assert uncached.claimed("staff", "ada", [face(1, 5)]) is not before
    ours, theirs = (one.verify("staff", "ada", [face(1, 8)]) for one in (verifier, uncached))
    assert ours.score == theirs.score


def test_what_another_process_adds_counts_at_once(
    models: Mapping[Modality, Model], open_store: OpenStore, face: Face
) -> None:
    store, other = open_store(), open_store()
    Enroller(models, store).enroll("staff", "ada", [face(1)])
    verifier = Verifier(models, store)
    before = verifier.verify("staff", "ada", [face(1, 9)])
    Enroller(models, other).enroll("staff", "ada", [face(1, shot) for shot in range(1, 4)])
    claimed = verifier.claimed("staff", "ada", [face(1, 9)])
    assert claimed.templates[Modality.FACE].count == 4
    after = verifier.verify("staff", "ada", [face(1, 9)])
    assert after.score != before.score
    assert after.score == Verifier(models, open_store()).verify("staff", "ada", [face(1, 9)]).score


def test_who_was_erased_by_another_process_is_refused_at_once(
    models: Mapping[Modality, Model], open_store: OpenStore, face: Face
) -> None:
    store, other = open_store(), open_store()
    Enroller(models, store).enroll("staff", "ada", [face(1)])
    verifier = Verifier(models, store)
    assert verifier.verify("staff", "ada", [face(1, 9)]).accepted
    Enroller(models, other).erase("staff", "ada")
    with pytest.raises(PersonUnknown):
        verifier.verify("staff", "ada", [face(1, 9)])
    # Somebody else of that name is somebody else.
    Enroller(models, other).enroll("staff", "ada", [face(2)])
    assert not verifier.verify("staff", "ada", [face(1, 9)]).accepted
    assert verifier.verify("staff", "ada", [face(2, 9)]).accepted


def test_who_is_kept_as_nobody_is_found_once_enrolled(
    models: Mapping[Modality, Model], open_store: OpenStore, face: Face
) -> None:
    store, other = open_store(), open_store()
    verifier = Verifier(models, store)
    with pytest.raises(PersonUnknown):
        verifier.verify("staff", "ada", [face(1, 9)])
    Enroller(models, other).enroll("staff", "ada", [face(1)])
    assert verifier.verify("staff", "ada", [face(1, 9)]).accepted


def test_callers_who_may_not_know_are_served_from_nothing_that_is_kept(
    models: Mapping[Modality, Model], store: SqlStore, face: Face
) -> None:
    """Else the time of an answer would tell whom somebody else has claimed."""
    Enroller(models, store).enroll("staff", "ada", [face(1)])
    verifier, sent = Verifier(models, store), [face(1, 5)]
    kept = verifier.claimed("staff", "ada", sent)
    assert verifier.claimed("staff", "ada", sent, kept=False) is not kept
    assert verifier.claimed("staff", "ada", sent) is kept
    assert verifier.claimed("staff", "eve", sent, kept=False) is not verifier.claimed("staff", "eve", sent)


def test_people_and_collections_are_kept_apart(models: Mapping[Modality, Model], store: SqlStore, face: Face) -> None:
    enroller, verifier = Enroller(models, store), Verifier(models, store)
    for number, (collection, person) in enumerate([("staff", "ada"), ("guests", "ada"), ("staff", "bob")], 1):
        enroller.enroll(collection, person, [face(number)])
    for _ in range(2):
        for number, (collection, person) in enumerate([("staff", "ada"), ("guests", "ada"), ("staff", "bob")], 1):
            assert verifier.verify(collection, person, [face(number, 9)]).accepted
            assert not verifier.verify(collection, person, [face(number % 3 + 1, 9)]).accepted


def test_another_modality_is_read_as_it_needs(
    both: Mapping[Modality, Model], store: SqlStore, face: Face, signature: Signature
) -> None:
    Enroller(both, store).enroll("staff", "ada", [face(1), *(signature(1, shot) for shot in range(3))])
    verifier = Verifier(both, store)
    sent: list[tuple[Sample, ...]] = [(face(1, 9),), (signature(1, 9),), (face(1, 9), signature(1, 9))]
    for _ in range(2):
        for samples in sent:
            claimed = verifier.claimed("staff", "ada", samples)
            assert claimed.sent == claimed.people.keys() == {one.modality for one in samples}
            assert verifier.verify("staff", "ada", samples).accepted


def test_a_changed_row_is_refused_though_the_person_is_at_hand(
    models: Mapping[Modality, Model], store: SqlStore, face: Face
) -> None:
    Enroller(models, store).enroll("staff", "ada", [face(1)])
    verifier = Verifier(models, store)
    assert verifier.verify("staff", "ada", [face(1, 9)]).accepted
    with store.database.writing() as connection:
        connection.execute(people.update().values(revision=7))
    with pytest.raises(StoreCorrupt):
        verifier.verify("staff", "ada", [face(1, 9)])
