"""Bundles that follow each other, a store of people on disk, and the command that migrates them."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from countersign.exit_codes import ExitCode
from countersign.main import app
from encode.sample import ImageSample, Modality
from enroll.enroller import Enroller
from enroll.lineup import Lineup
from enroll.stores.collection import CollectionSettings
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from verify.model import Model, load_model
from verify.score_summary import summarize

FACE = Modality.FACE

Digests = Callable[[], list[str]]
Face = Callable[..., ImageSample]
Migrate = Callable[..., Result]
Models = Mapping[Modality, Model]
OldPeople = Callable[..., None]
Seal = Callable[..., Path]


@pytest.fixture(scope="module")
def folders(seal: Seal, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles: `face` and `signature`, one that each follows, and a third face model."""
    folder = tmp_path_factory.mktemp("retiring")
    generator = np.random.default_rng(1)

    def write(name: str, modality: Modality, seed: int) -> Path:
        # Each with scores of its own, so that every fused policy is another.
        scores = summarize(generator.normal(5 + seed, 2, 500), generator.normal(-5, 2, 3_000))
        return seal(folder / name, modality=modality, policy={"scores": scores}, seed=seed)

    return {
        "face": write("face", Modality.FACE, 0),
        "old face": write("old face", Modality.FACE, 1),
        "older face": write("older face", Modality.FACE, 2),
        "signature": write("signature", Modality.SIGNATURE, 0),
        "old signature": write("old signature", Modality.SIGNATURE, 1),
    }


@pytest.fixture(scope="module")
def loaded(folders: Mapping[str, Path]) -> dict[str, Model]:
    return {name: load_model(folder, threads=1) for name, folder in folders.items()}


@pytest.fixture
def old(loaded: Mapping[str, Model]) -> Models:
    return {Modality.FACE: loaded["old face"], Modality.SIGNATURE: loaded["old signature"]}


@pytest.fixture
def lineup(loaded: Mapping[str, Model]) -> Lineup[Model]:
    current = {Modality.FACE: loaded["face"], Modality.SIGNATURE: loaded["signature"]}
    return Lineup(current, [loaded["old face"], loaded["older face"], loaded["old signature"]])


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def bundles(seal: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small bundle and the one that follows it."""
    folder = tmp_path_factory.mktemp("change")
    return {"old": seal(folder / "old", seed=1), "new": seal(folder / "new", seed=0)}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


@pytest.fixture
def store(database: Path) -> Iterator[SqlStore]:
    """A store on disk whose collection `staff` keeps samples."""
    opened = open_sql_store(StorePlace(str(database)))
    opened.configure("staff", CollectionSettings(keep_samples=True))
    yield opened
    opened.close()


@pytest.fixture
def migrate(bundles: Mapping[str, Path], database: Path) -> Migrate:
    """``migrate("--limit", 3, code=0)``: the command, to the new bundle, which must end with that code."""

    def run(*words: object, code: ExitCode = ExitCode.OK) -> Result:
        flags = ["migrate", "--to", bundles["new"], "--database", database, *words]
        result = CliRunner().invoke(app, [str(flag) for flag in flags], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def old_people(bundles: Mapping[str, Path], store: SqlStore, face: Face) -> OldPeople:
    """``old_people(3, collection="staff")``: enrolls p0, p1, p2 with the old bundle, two pictures each."""

    def enroll(count: int, collection: str = "staff") -> None:
        enroller = Enroller({FACE: load_model(bundles["old"], threads=1)}, store)
        for number in range(count):
            enroller.enroll(collection, f"p{number}", [face(number % 40, 0), face(number % 40, 1)])

    return enroll


@pytest.fixture
def digests(store: SqlStore) -> Digests:
    """``digests()``: the model of everybody's face template."""
    return lambda: [models[FACE] for _, _, models in store.iterate_people(limit=10_000)]
