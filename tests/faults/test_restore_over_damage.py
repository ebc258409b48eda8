"""What the errors of a damaged database advise works: a backup goes in its place, or the log is put aside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from encode.errors import StoreError
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.reconcile import reconcile
from enroll.stores.restore import restore_file
from enroll.stores.sql import SqlStore
from enroll.stores.sqlite import SqliteDatabase

DATA, LOG = "people.sqlite", "people.sqlite-wal"


def no_header(folder: Path) -> None:
    (folder / DATA).write_bytes(b"\xa5" * 4096 + (folder / DATA).read_bytes()[4096:])


def cut_short(folder: Path) -> None:
    (folder / DATA).write_bytes((folder / DATA).read_bytes()[:10_000])


def log_garbled(folder: Path) -> None:
    (folder / LOG).write_bytes(b"\xa5" * 4096)


def empty(folder: Path) -> None:
    (folder / DATA).write_bytes(b"")


@pytest.fixture
def backed_up(photographed: Any, tmp_path: Path) -> StorePlace:
    """A store of which there is a backup, closed; one person was enrolled further after it."""
    photographed.enroll("ada")
    photographed.store.database.copy_to(tmp_path / "backup")
    photographed.enroll("ada")
    photographed.store.close()
    return StorePlace(str(photographed.folder / DATA))


@pytest.mark.parametrize("damage", [no_header, cut_short, log_garbled, empty])
def test_a_backup_is_put_in_the_place_of_a_damaged_database(
    backed_up: StorePlace, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(Path(backed_up.database).parent)
    if damage is not empty:
        with pytest.raises(StoreError):
            open_sql_store(backed_up).get("staff", "ada")
    restore_file(backed_up, tmp_path / "backup")
    store = open_sql_store(backed_up)
    reconcile(store.database, store.keys)
    assert [one.version for one in store.get("staff", "ada")] == [1]
    store.close()
    assert (tmp_path / "live" / f"{DATA}.damaged").exists() == (damage in (no_header, cut_short))


def test_without_a_backup_the_log_is_put_aside(
    photographed: Any, versions: Callable[[SqlStore], dict[str, int]]
) -> None:
    """What the file itself holds counts from then on."""
    photographed.enroll("ada")
    assert photographed.store.database.scrub()
    photographed.enroll("ada")
    photographed.enroll("bob")
    files = photographed.photograph()
    photographed.store.close()
    for name, content in {**files.data, **files.keys}.items():
        (photographed.folder / name).write_bytes(content)
    log_garbled(photographed.folder)
    place = StorePlace(str(photographed.folder / DATA))
    with pytest.raises(StoreError, match="log"):
        open_sql_store(place)
    (photographed.folder / LOG).rename(photographed.folder / "aside")
    store = open_sql_store(place)
    with pytest.raises(StoreError, match="put back"):
        store.get("staff", "ada")
    reconcile(store.database, store.keys)
    assert versions(store) == {"ada": 1}
    store.close()


def test_a_log_in_use_is_sound(photographed: Any) -> None:
    for person in ("ada", "bob", "eve"):
        photographed.enroll(person)
        SqliteDatabase(photographed.folder / DATA).close()
