"""Migration in every store, with models whose embeddings are known: a picture of d is (k·d, k·d) to model k."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import update

from encode.errors import ImageCorrupt, WrongModality
from encode.sample import ImageSample, Modality, Sample, StrokesSample
from enroll.audit.reading import stored_log
from enroll.enroller import Enroller
from enroll.lineup import Lineup
from enroll.migration import Migrated, Migration, Outcome
from enroll.sample_form import sample_from_bytes
from enroll.stores import kept_samples
from enroll.stores.collection import CollectionSettings
from enroll.stores.opening import StorePlace
from enroll.stores.schema import samples
from enroll.stores.sql import SqlStore
from enroll.stores.store import TemplateStore

NOW = datetime(2025, 3, 1, tzinfo=UTC)
FACE = Modality.FACE


@dataclass(frozen=True)
class DigitModel:
    """Encoder and identity model in one, of images of one digit; it cannot read a digit above `worst`."""

    factor: int
    worst: int = 9
    anchors: int = 2
    recent: int = 2
    minimum: int = 1
    limit: int | None = None
    vector: int = 2
    modality: Modality = FACE
    embedding_size: int = 2

    @property
    def encoder(self) -> Self:
        return self

    @property
    def identity(self) -> Self:
        return self

    @property
    def model_digest(self) -> str:
        return f"{self.factor:x}" * 64

    def prepare(self, sample: Sample) -> NDArray[np.float32]:
        if not isinstance(sample, ImageSample):
            raise WrongModality("pictures alone")
        if not sample.data.isdigit() or int(sample.data) > self.worst:
            raise ImageCorrupt("no digit", field="data")
        return np.full((1, 1, 1), int(sample.data), np.float32)

    def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.repeat(inputs.reshape(-1, 1), 2, axis=1) * np.float32(self.factor)


OLD, NEW, THIRD = (DigitModel(factor) for factor in (1, 2, 3))


def digits(text: str) -> list[Sample]:
    return [ImageSample(one.encode()) for one in text]


@pytest.fixture
def keeping(store: TemplateStore) -> TemplateStore:
    """A store whose collection `staff` keeps samples."""
    store.configure("staff", CollectionSettings(keep_samples=True))
    return store


def enroll(store: TemplateStore, person: str, text: str, model: DigitModel = OLD, collection: str = "staff") -> None:
    Enroller({FACE: model}, store, clock=lambda: NOW).enroll(collection, person, digits(text))


def migration(store: TemplateStore, model: DigitModel = NEW, **options: object) -> Migration:
    return Migration(store, model, clock=lambda: NOW, **options)  # type: ignore[arg-type]


def outcomes(work: Migration) -> dict[str, str]:
    return {one.person: one.outcome.value for one in work.run()}


def test_what_enroll_accepts_is_kept_and_nothing_else(keeping: TemplateStore) -> None:
    enroll(keeping, "ada", "1x2")
    assert [sample_from_bytes(one.payload) for one in keeping.samples_of("staff", "ada", FACE)] == digits("12")
    described = Enroller({FACE: OLD}, keeping).describe("staff", "ada")
    assert [one.samples_kept for one in described] == [2]
    # A template with no more room keeps neither reference nor sample.
    full = DigitModel(1, recent=0)
    enroll(keeping, "bob", "123", full)
    assert len(keeping.samples_of("staff", "bob", FACE)) == 2
    enroll(keeping, "eve", "12", collection="visitors")
    assert keeping.samples_of("visitors", "eve", FACE) == []


def test_samples_are_kept_for_templates_of_a_retiring_model_too(keeping: TemplateStore) -> None:
    enroll(keeping, "ada", "1")
    both = Enroller(Lineup({FACE: NEW}, [OLD]), keeping, clock=lambda: NOW)
    both.enroll("staff", "ada", digits("3"))
    [template] = keeping.get("staff", "ada")
    assert template.references[:, 0].tolist() == [1.0, 3.0]
    assert len(keeping.samples_of("staff", "ada", FACE)) == 2


def test_a_migrated_template_is_as_if_the_new_model_had_enrolled_it(keeping: TemplateStore) -> None:
    for part in ("12", "3", "456"):
        enroll(keeping, "ada", part)
        enroll(keeping, "twin", part, NEW)
    [before], [twin] = keeping.get("staff", "ada"), keeping.get("staff", "twin")
    assert migration(keeping).migrate("staff", "ada") is Outcome.MIGRATED
    [after] = keeping.get("staff", "ada")
    np.testing.assert_array_equal(after.anchors, twin.anchors)
    np.testing.assert_array_equal(after.recent, twin.recent)
    assert after.references[:, 0].tolist() == [2.0, 4.0, 10.0, 12.0]
    assert (after.model_digest, after.template_id) == (NEW.model_digest, before.template_id)
    assert (after.version, after.created_at) == (before.version + 1, before.created_at)
    assert len(keeping.samples_of("staff", "ada", FACE)) == 6


@pytest.mark.parametrize(
    ("kept", "model", "outcome"),
    [
        ("123", NEW, Outcome.MIGRATED),
        ("", NEW, Outcome.NO_SAMPLES),
        ("12", DigitModel(2, minimum=3), Outcome.TOO_FEW),
        ("129", DigitModel(2, worst=5, minimum=3), Outcome.UNREADABLE),
        ("129", DigitModel(2, worst=5, minimum=2), Outcome.MIGRATED),
        ("9", DigitModel(2, worst=5), Outcome.UNREADABLE),
        ("12", OLD, Outcome.ALREADY),
    ],
)
def test_outcomes(keeping: TemplateStore, kept: str, model: DigitModel, outcome: Outcome) -> None:
    if kept:
        enroll(keeping, "ada", kept)
    else:
        keeping.configure("staff", CollectionSettings())
        enroll(keeping, "ada", "123")
    [before] = keeping.get("staff", "ada")
    assert outcomes(migration(keeping, model)) == {"ada": outcome.value}
    [after] = keeping.get("staff", "ada")
    if outcome is Outcome.MIGRATED:
        assert outcomes(migration(keeping, model)) == {"ada": "already"}
    else:
        assert after.to_bytes() == before.to_bytes()


def test_strokes_are_no_samples_of_a_model_of_pictures(keeping: TemplateStore) -> None:
    class Anything(DigitModel):
        def prepare(self, sample: Sample) -> NDArray[np.float32]:
            return np.full((1, 1, 1), 1, np.float32)

    strokes = StrokesSample((0.0,), (0.0,), (0.0,), modality=FACE)
    old = Anything(1)
    Enroller({FACE: old}, keeping).enroll("staff", "ada", [strokes])
    assert outcomes(migration(keeping)) == {"ada": "unreadable sample"}
    Enroller({FACE: old}, keeping).enroll("staff", "ada", digits("4"))
    assert outcomes(migration(keeping)) == {"ada": "migrated"}
    assert keeping.get("staff", "ada")[0].count == 1


def test_compact_templates_take_in_as_many_as_they_may(keeping: TemplateStore) -> None:
    enroll(keeping, "ada", "1234")
    compact = DigitModel(2, limit=3, vector=1)
    assert outcomes(migration(keeping, compact)) == {"ada": "migrated"}
    [template] = keeping.get("staff", "ada")
    assert template.moments is not None
    assert (template.moments.count, template.moments.mean.tolist()) == (3, [4.0])


@pytest.mark.parametrize(
    ("options", "migrated", "seen"),
    [
        ({}, {"ada", "bob", "eve"}, {"ada", "bob", "eve", "new"}),
        ({"source": OLD.model_digest}, {"ada", "eve"}, {"ada", "bob", "eve", "new"}),
        ({"collection": "staff"}, {"ada", "bob"}, {"ada", "bob", "new"}),
        ({"collection": "nowhere"}, set(), set()),
        ({"dry": True}, set(), {"ada", "bob", "eve", "new"}),
    ],
)
def test_who_is_migrated(
    keeping: TemplateStore, options: dict[str, object], migrated: set[str], seen: set[str]
) -> None:
    keeping.configure("visitors", CollectionSettings(keep_samples=True))
    enroll(keeping, "ada", "12")
    enroll(keeping, "bob", "12", THIRD)
    enroll(keeping, "new", "12", NEW)
    enroll(keeping, "eve", "12", collection="visitors")
    work = migration(keeping, **options)
    counted = work.count()
    told = outcomes(work)
    assert told.keys() == seen
    assert counted == list(told.values()).count("migrated")
    people = [("staff", "ada"), ("staff", "bob"), ("visitors", "eve")]
    assert {one for where, one in people if keeping.get(where, one)[0].model_digest == "2" * 64} == migrated
    if "source" in options:
        assert told["bob"] == "another model"


def test_it_goes_on_where_it_was_stopped_and_page_after_page(
    keeping: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enroll.migration.PAGE", 2)
    names = [f"p{number}" for number in range(7)]
    for name in names:
        enroll(keeping, name, "12")
    running = migration(keeping).run()
    assert [next(running).person for _ in range(3)] == names[:3]
    running.close()
    assert migration(keeping).count() == 4
    assert outcomes(migration(keeping)) == dict(zip(names, ["already"] * 3 + ["migrated"] * 4, strict=True))


@pytest.mark.parametrize("between", ["enrolled", "migrated", "erased"])
def test_whoever_comes_in_between_wins(keeping: TemplateStore, between: str) -> None:
    """While the samples are embedded the person is changed: the migration reads again."""
    enroll(keeping, "ada", "12")
    interrupted = threading.Event()

    class Interrupted(DigitModel):
        def embed_prepared(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
            if not interrupted.is_set():
                interrupted.set()
                if between == "enrolled":
                    enroll(keeping, "ada", "3")
                elif between == "migrated":
                    migration(keeping).migrate("staff", "ada")
                else:
                    Enroller({FACE: OLD}, keeping).erase("staff", "ada")
            return super().embed_prepared(inputs)

    told = outcomes(migration(keeping, Interrupted(2)))
    if between == "erased":
        assert (told, keeping.get("staff", "ada")) == ({"ada": "erased"}, ())
        return
    [template] = keeping.get("staff", "ada")
    wanted = [2.0, 4.0, 6.0] if between == "enrolled" else [2.0, 4.0]
    assert template.references[:, 0].tolist() == wanted
    assert told == {"ada": "already" if between == "migrated" else "migrated"}
    assert template.version == (3 if between == "enrolled" else 2)


def test_the_version_before_stays_for_a_rollback(keeping: TemplateStore) -> None:
    enroll(keeping, "ada", "12")
    [before] = keeping.get("staff", "ada")
    migration(keeping).migrate("staff", "ada")
    versions = keeping.versions_of("staff", "ada", FACE)
    assert [(one.version, one.model_digest) for one in versions] == [(1, "1" * 64), (2, "2" * 64)]
    assert keeping.version("staff", "ada", FACE, 1).to_bytes() == before.to_bytes()


def test_more_samples_than_are_kept_make_the_anchors_and_the_newest(
    keeping: TemplateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_samples, "FIRST", 2)
    monkeypatch.setattr(kept_samples, "MOST", 4)
    enroll(keeping, "ada", "123456789")
    migration(keeping).migrate("staff", "ada")
    assert keeping.get("staff", "ada")[0].references[:, 0].tolist() == [2.0, 4.0, 16.0, 18.0]


def test_a_damaged_person_stops_nobody_elses_migration(place: StorePlace, open_store: Callable[..., SqlStore]) -> None:
    store = open_store(place)
    store.configure("staff", CollectionSettings(keep_samples=True))
    for person in ("ada", "bob"):
        enroll(store, person, "12")
    with store.database.writing() as connection:
        connection.execute(update(samples).where(samples.c.person == "ada").values(payload=b"x"))
    assert outcomes(migration(store)) == {"ada": "damaged", "bob": "migrated"}


def test_every_migrated_template_is_in_the_audit_log(place: StorePlace, open_store: Callable[..., SqlStore]) -> None:
    store = open_store(place)
    store.configure("staff", CollectionSettings(keep_samples=True))
    enroll(store, "zoë quill", "12")
    migration(store).migrate("staff", "zoë quill")
    with store.database.reading() as connection:
        rows = list(stored_log(connection)[1])
    last = json.loads(rows[-1].entry)
    assert last["action"] == "migrate"
    assert last["models"] == {"face": "2" * 64}
    assert last["versions"] == {"face": 2}
    assert last["subject"] == "1" * 64
    assert "quill" not in str(last)


def test_what_is_yielded_shows_no_names() -> None:
    assert "ada" not in repr(Migrated("staff", "ada", FACE, Outcome.MIGRATED))
