"""A change of model from end to end, over a real socket: side by side, migrated online, killed, rolled back."""

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from countersign.exit_codes import ExitCode
from countersign.main import app
from encode.errors import CountersignError, ModelMismatch
from encode.sample import ImageSample, Modality
from enroll.keys.file import new_key
from enroll.keys.providers import KeySource
from enroll.stores import schema_version
from enroll.stores.collection import CollectionSettings
from enroll.stores.opening import StorePlace, open_sql_store, upgradable
from enroll.stores.sql import SqlStore
from eval.synthetic.faces import FaceGenerator
from verify.client.client import Client
from verify.model import Model, load_models
from verify.server_thread import serving

ROOT = Path(__file__).resolve().parents[3]
FACE = Modality.FACE

Face = Callable[..., ImageSample]
Migrate = Callable[..., Result]
Digests = Callable[[], list[str]]
OldPeople = Callable[..., None]


def test_services_answer_all_the_while(
    old_people: OldPeople,
    bundles: Mapping[str, Path],
    store: SqlStore,
    database: Path,
    face: Face,
    migrate: Migrate,
    digests: Digests,
) -> None:
    """Claims and enrolments go on at a service of both models; none is refused, and no reference is lost."""
    people = 60
    old_people(people)
    models = load_models([bundles["new"]], retiring=[bundles["old"]], threads=1)
    stop, wrong, enrolled = threading.Event(), [], []

    def work(address: str) -> None:
        number = 0
        with Client(address, timeout=30) as client:
            while not stop.is_set() or number < people:
                person = f"p{number % people}"
                try:
                    if number % 3 == 0 and number < people:
                        client.enroll("staff", person, [face(number % 40, 2)])
                        enrolled.append(person)
                    if not client.verify("staff", person, [face(number % people % 40, 7)]).accepted:
                        wrong.append(person)
                except CountersignError as error:
                    wrong.append(repr(error))
                number += 1

    with closing(open_sql_store(StorePlace(str(database)))) as apart, serving(models, apart) as address:
        worker = threading.Thread(target=work, args=(address,))
        worker.start()
        try:
            assert f"{people} migrated" in migrate().output
        finally:
            stop.set()
            worker.join()
    assert wrong == []
    assert set(digests()) == {models[FACE].model_digest}
    for number in range(people):
        [template] = store.get("staff", f"p{number}")
        assert template.count == (3 if f"p{number}" in enrolled else 2)
        assert len(store.samples_of("staff", f"p{number}", FACE)) == template.count


def test_a_rolled_back_template_is_answered_while_its_model_retires(
    old_people: OldPeople, bundles: Mapping[str, Path], store: SqlStore, face: Face, migrate: Migrate
) -> None:
    old_people(2)
    migrate()
    side_by_side = load_models([bundles["new"]], retiring=[bundles["old"]], threads=1)
    with serving(side_by_side, store) as address, Client(address, timeout=20) as client:
        client.rollback_template("staff", "p1", FACE, 1)
        told = [client.verify("staff", f"p{number}", [face(number, 5)]) for number in range(2)]
        assert all(answer.accepted for answer in told)
        assert [answer.modalities[0].model_digest for answer in told] == [
            side_by_side[FACE].model_digest,
            side_by_side.retiring[0].model_digest,
        ]
    with (
        serving(load_models([bundles["new"]], threads=1), store) as address,
        Client(address, timeout=20) as client,
        pytest.raises(ModelMismatch),
    ):
        client.verify("staff", "p1", [face(1, 5)])
    assert "1 migrated" in migrate().output


@pytest.fixture
def two_replicas(postgres_place: StorePlace) -> Iterator[tuple[SqlStore, SqlStore]]:
    """The stores of two services on one PostgreSQL."""
    with closing(open_sql_store(postgres_place)) as one, closing(open_sql_store(postgres_place)) as other:
        yield one, other


@pytest.fixture
def postgres_place(postgres: Callable[[], str]) -> StorePlace:
    place = StorePlace(postgres(), postgres(), KeySource(secret=new_key()))
    with upgradable(place) as (data, keys):
        schema_version.upgrade(data, keys)
    return place


def test_the_bundles_that_ship_follow_each_other_on_postgresql(
    postgres_place: StorePlace, two_replicas: tuple[SqlStore, SqlStore], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As docs/model-change.md goes: the network of 2005 retires, today's takes over."""
    generator = FaceGenerator.load(ROOT / "models" / "synthetic-faces")

    def pictures(person: int) -> list[ImageSample]:
        drawn = []
        for pixels in generator.draw(person, 6):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            drawn.append(ImageSample(buffer.getvalue()))
        return drawn

    monkeypatch.setenv("COUNTERSIGN_KEY", str(postgres_place.keys.secret))
    store, other = two_replicas
    store.configure("staff", CollectionSettings(keep_samples=True))
    shown = {f"p{number}": pictures(number) for number in range(4)}
    old, new = ROOT / "models" / "face-chopra2005", ROOT / "models" / "face"
    both = load_models([new], retiring=[old], threads=1)

    def answers(
        models: Mapping[Modality, Model], collection: str = "staff"
    ) -> dict[tuple[str, str], tuple[str, float]]:
        """Claimed person and who is shown → the model that decided, and the score."""
        told = {}
        with serving(models, other) as address, Client(address, timeout=30) as client:
            for person in shown:
                for name, samples in shown.items():
                    answer = client.verify(collection, person, samples[5:], target_far=0.05)
                    told[person, name] = (answer.modalities[0].model_digest, answer.log_likelihood_ratio)
        return told

    with serving(load_models([old], threads=1), store) as address, Client(address, timeout=30) as client:
        for collection in ("staff", "visitors"):
            for person, samples in shown.items():
                client.enroll(collection, person, samples[:5])
    before = answers(load_models([old], threads=1))
    assert answers(both) == before

    flags = ["--database", postgres_place.database, "--key-database", str(postgres_place.key_database)]
    report = tmp_path / "report.csv"
    words = ["migrate", "--to", str(new), "--report", str(report), *flags]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == ExitCode.REENROLL, result.output
    assert "4 migrated" in result.output
    assert "4 no samples kept" in result.output
    assert len(report.read_text().splitlines()) == 5

    after = answers(both)
    assert {digest for digest, _ in after.values()} == {both[FACE].model_digest}
    assert {digest for digest, _ in answers(both, "visitors").values()} == {both.retiring[0].model_digest}
    # The new model tells these people apart, as if it had enrolled them.
    store.configure("again", CollectionSettings())
    with serving(load_models([new], threads=1), store) as address, Client(address, timeout=30) as client:
        for person, samples in shown.items():
            client.enroll("again", person, samples[:5])
    fresh = answers(both, "again")
    for pair, (_, score) in after.items():
        assert score == pytest.approx(fresh[pair][1], abs=1e-3)
    for person in shown:
        assert after[person, person][1] == max(score for (claimed, _), (_, score) in after.items() if claimed == person)
