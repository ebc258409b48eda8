"""New stores for campaigns, each with its keys, and what can be said of one from outside of the service."""

from collections import Counter
from contextlib import closing
from pathlib import Path

from sqlalchemy import func, select

from durability.postgres_cluster import PostgresCluster
from durability.service_process import Place, run
from enroll.keys.providers import KeySource
from enroll.keys.schema import data_keys
from enroll.keys.store import SECRET_REF
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.schema import people, shredding


def sqlite_place(folder: Path) -> Place:
    """Files in a new folder, none of which is there yet but the key's: the service makes them."""
    folder.mkdir(parents=True)
    place = Place(str(folder / "people.sqlite"), str(folder / "people.sqlite.keystore"), folder / "keys")
    _succeed("keys", "new", "--file", str(place.key_file))
    return place


def postgres_place(folder: Path, cluster: PostgresCluster) -> Place:
    """Two empty schemas, one for the data and one for the keys, brought to this release's tables."""
    place = bare_postgres_place(folder, cluster)
    _succeed("db", "upgrade", *place.flags)
    return place


def bare_postgres_place(folder: Path, cluster: PostgresCluster) -> Place:
    """Two empty schemas without any table."""
    folder.mkdir(parents=True)
    place = Place(cluster.new_schema(), cluster.new_schema(), folder / "keys")
    _succeed("keys", "new", "--file", str(place.key_file))
    return place


def keep_samples(place: Place, *collections: str) -> None:
    """Let these collections keep the samples of enrolments; the tables are made if there are none."""
    _succeed("db", "upgrade", *place.flags)
    for collection in collections:
        _succeed("collection", "set", collection, "--keep-samples", *place.flags)


def store_place(place: Place) -> StorePlace:
    """The same place, for this process."""
    return StorePlace(place.database, place.key_database, KeySource(file=place.key_file))


def sealing_nothing(place: Place) -> int:
    """How many data keys belong to nobody: what is left of enrolments that were killed between their two commits.

    Opening the store also destroys the keys of whoever was erased; one that is left counts too.
    """
    with closing(open_sql_store(store_place(place))) as store:
        with store.database.reading() as connection:
            owned = connection.execute(select(func.count()).select_from(people)).scalar_one()
            doomed = connection.execute(select(func.count()).select_from(shredding)).scalar_one()
        with store.keys.database.reading() as connection:
            others = select(func.count()).select_from(data_keys).where(data_keys.c.key_ref != SECRET_REF)
            held = connection.execute(others).scalar_one()
        if doomed:
            raise AssertionError(f"{doomed} keys of erased people outlived the opening of the store")
        return held - owned


def open_everything(place: Place) -> Counter[str]:
    """Decrypt and decode every template, every earlier version and every kept sample; how many. Raises StoreCorrupt."""
    opened: Counter[str] = Counter()
    after = ("", "")
    with closing(open_sql_store(store_place(place))) as store:
        while page := store.iterate_people(after=after, limit=200):
            for collection, person, modalities in page:
                opened["templates"] += len(store.get(collection, person))
                for modality in modalities:
                    owner = (collection, person, modality)
                    for kept in store.versions_of(*owner):
                        store.version(*owner, kept.version)
                        opened["versions"] += 1
                    opened["samples"] += len(store.samples_of(*owner))
            after = page[-1][:2]
    return opened


def _succeed(*words: str) -> None:
    done = run(*words)
    if done.returncode:
        raise RuntimeError(f"countersign {' '.join(words)}: {done.stderr}")
