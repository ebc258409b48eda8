"""A gallery beside its store: built, followed, rebuilt; and what it is not ready for."""

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from encode.errors import GalleryBuilding, StoreUnavailable
from encode.sample import Modality
from enroll.lineup import Lineup
from enroll.stores.changes import Changed, Position
from enroll.stores.memory import MemoryStore
from enroll.stores.roll import Roll
from enroll.template import Template
from verify.gallery.bounds import Bounds
from verify.gallery.gallery import Gallery, GalleryState
from verify.gallery.local import LocalSearch
from verify.gallery.space import SearchSpace
from verify.model import Model

NOW = datetime(2025, 3, 1, tzinfo=UTC)
FACE = Modality.FACE
Build = Callable[..., Gallery]


class Enrolling:
    """Templates of a model, put into a store."""

    def __init__(self, store: MemoryStore, model: Model) -> None:
        self._store, self._model = store, model

    def enroll(self, person: str, place: float, collection: str = "staff", digest: str | None = None) -> None:
        size = self._model.encoder.embedding_size
        stored = self._store.get(collection, person)
        digest = digest or self._model.model_digest
        before = stored[0] if stored else Template.empty(collection, person, FACE, digest, size=size, now=NOW)
        row = np.zeros((1, size), np.float32)
        row[0, 0] = place
        after = before.with_references(row, anchors_capacity=0, recent_capacity=1, now=NOW)
        self._store.save([after], answer=b"", request=None)

    def erase(self, person: str, collection: str = "staff") -> None:
        self._store.erase(self._store.get(collection, person), answer=b"", request=None)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def enrolling(store: MemoryStore, models: Lineup[Model]) -> Enrolling:
    return Enrolling(store, models[FACE])


@pytest.fixture
def build(models: Lineup[Model]) -> Iterator[Build]:
    made: list[Gallery] = []

    def open_search(collection: str, digest: str, space: SearchSpace) -> LocalSearch:
        return LocalSearch(space.dimensions, space.limit, Bounds())

    def build(roll: Roll) -> Gallery:
        made.append(Gallery(models, roll, open_search))
        return made[-1]

    yield build
    for one in made:
        one.close()


def named(gallery: Gallery, store: MemoryStore, place: float, count: int = 1, collection: str = "staff") -> list[str]:
    """Who is found near a place."""
    gallery.follow()
    probe = np.zeros((1, gallery.spaces[FACE].embedding), np.float32)
    probe[0, 0] = place
    vector = gallery.spaces[FACE].of_probes(probe)
    refs = [one.ref for one in gallery.candidates(collection, FACE, vector, count)]
    people = store.roll().of(refs)
    return [people[ref][0].person for ref in refs]


def test_nothing_is_told_before_it_is_built(store: MemoryStore, build: Build) -> None:
    gallery = build(store.roll())
    with pytest.raises(GalleryBuilding):
        gallery.follow()
    assert gallery.state == GalleryState(ready=False, people=0, memory=0)
    gallery.build()
    gallery.follow()
    assert gallery.state.ready
    assert gallery.size("staff", FACE) == 0


def test_whoever_was_enrolled_before_and_after_is_found(store: MemoryStore, enrolling: Enrolling, build: Build) -> None:
    for number in range(600):
        enrolling.enroll(f"p{number}", number / 100)
    gallery = build(store.roll())
    gallery.build()
    assert named(gallery, store, 3.21) == ["p321"]
    enrolling.enroll("late", 9.0)
    assert named(gallery, store, 9.0) == ["late"]
    enrolling.enroll("late", -9.0)
    assert named(gallery, store, -9.0) == ["late"]
    assert named(gallery, store, 9.0) == ["p599"]
    enrolling.erase("late")
    assert "late" not in named(gallery, store, -9.0, 601)
    assert gallery.size("staff", FACE) == 600


def test_collections_are_apart_and_other_models_templates_left_out(
    store: MemoryStore, enrolling: Enrolling, build: Build
) -> None:
    gallery = build(store.roll())
    gallery.build()
    enrolling.enroll("ada", 1.0)
    enrolling.enroll("eve", 1.0, collection="visitors")
    enrolling.enroll("old", 1.0, digest="e" * 64)
    assert named(gallery, store, 1.0, 9) == ["ada"]
    assert named(gallery, store, 1.0, 9, collection="visitors") == ["eve"]
    assert named(gallery, store, 1.0, 9, collection="nowhere") == []


class Lossy:
    """A roll that has lost track of changes, or cannot be read, when told to."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self.lost = self.failing = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._roll, name)

    def since(self, position: Position) -> Changed | None:
        if self.failing:
            raise StoreUnavailable("the disk is gone")
        return None if self.lost else self._roll.since(position)


def test_it_is_built_anew_where_changes_are_lost(store: MemoryStore, enrolling: Enrolling, build: Build) -> None:
    roll = Lossy(store.roll())
    enrolling.enroll("ada", 1.0)
    gallery = build(roll)  # type: ignore[arg-type]
    gallery.build()
    enrolling.erase("ada")
    enrolling.enroll("bob", 2.0)
    roll.lost = True
    with pytest.raises(GalleryBuilding):
        gallery.follow()
    assert not gallery.state.ready
    roll.lost = False
    gallery.build()
    assert named(gallery, store, 1.0, 9) == ["bob"]


def test_a_store_that_fails_fails_the_search_and_not_the_gallery(
    store: MemoryStore, enrolling: Enrolling, build: Build
) -> None:
    roll = Lossy(store.roll())
    enrolling.enroll("ada", 1.0)
    gallery = build(roll)  # type: ignore[arg-type]
    gallery.build()
    roll.failing = True
    with pytest.raises(StoreUnavailable):
        gallery.follow()
    roll.failing = False
    assert named(gallery, store, 1.0) == ["ada"]


def test_people_changed_while_everybody_is_read_are_not_missed(
    store: MemoryStore, enrolling: Enrolling, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        enrolling.enroll(f"p{number}", float(number))
    roll = store.roll()
    page = roll.page

    def slow(**wanted: object) -> object:
        found = page(**wanted)  # type: ignore[arg-type]
        enrolling.enroll("p3", 77.0)
        enrolling.erase("p4")
        monkeypatch.undo()
        return found

    monkeypatch.setattr(roll, "page", slow)
    gallery = build(roll)
    gallery.build()
    assert named(gallery, store, 77.0) == ["p3"]
    assert "p4" not in named(gallery, store, 4.0, 20)


def test_the_space_ranks_as_the_ratio_does(models: Lineup[Model]) -> None:
    """Nearest in the space is best by likelihood ratio, of people with one reference, whose covariance is all alike."""
    identity = models[FACE].identity
    rng = np.random.default_rng(4)
    rows = (rng.normal(size=(200, identity.vector)) / np.sqrt(identity.vector)).astype(np.float32)
    probe = rows[:1] + 0.01 * rng.normal(size=(1, identity.vector)).astype(np.float32)
    for seed in (None, 5, secrets.randbits(256)):
        space = SearchSpace.of(identity, seed=seed)
        distances = ((space.of_each(rows) - space.of_probes(probe)) ** 2).sum(1)
        ratios = [float(identity.llr(identity.fit(row[np.newaxis]), probe)[0]) for row in rows]
        assert np.argsort(distances).tolist() == np.argsort(-np.array(ratios)).tolist()
        assert space.dimensions % 4 == 0
        assert np.abs(space.of_each(rows)).max() < space.limit
