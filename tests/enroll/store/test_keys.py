"""Keys: where they come from, that a wrong one is told by name before anything is served, and that none ever shows."""

import base64
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Connection, select

from encode.errors import ConfigError, StoreKeyMissing, StoreUnavailable
from enroll.keys.envelope import Cipher, NotSealedSo
from enroll.keys.file import add_key, create_key_file, keep_keys, new_key, parse_keys, read_key_file
from enroll.keys.providers import KeySource
from enroll.keys.ring import KeyRing, LocalKey
from enroll.stores.opening import StorePlace
from enroll.stores.schema import people
from enroll.stores.sql import SqlStore
from enroll.template import Template

Open = Callable[..., SqlStore]


def test_what_is_sealed_opens_with_the_same_key_and_parts_only() -> None:
    cipher = Cipher(b"k" * 32)
    sealed = cipher.seal(b"plain", "template", "staff", 1)
    assert cipher.open(sealed, "template", "staff", 1) == b"plain"
    assert cipher.seal(b"plain", "template", "staff", 1) != sealed
    assert b"plain" not in sealed
    for parts in [
        ("template", "staff", 2),
        ("template", "staff", "1"),
        ("template", "staff"),
        ("templatestaff", 1),
        (),
    ]:
        with pytest.raises(NotSealedSo):
            cipher.open(sealed, *parts)
    with pytest.raises(NotSealedSo):
        Cipher(b"x" * 32).open(sealed, "template", "staff", 1)
    for at in range(len(sealed)):
        with pytest.raises(NotSealedSo):
            cipher.open(sealed[:at] + bytes([sealed[at] ^ 0x80]) + sealed[at + 1 :], "template", "staff", 1)
    for end in range(len(sealed)):
        with pytest.raises(NotSealedSo):
            cipher.open(sealed[:end], "template", "staff", 1)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Cipher(b"short")


def test_a_key_is_named_without_being_told() -> None:
    key = LocalKey(b"k" * 32)
    assert key.key_id == LocalKey(b"k" * 32).key_id != LocalKey(b"x" * 32).key_id
    assert len(key.key_id) == 16
    assert "kkkk" not in repr(key)


def test_no_representation_shows_a_key(sqlite_place: StorePlace, open_store: Open) -> None:
    secret = new_key()
    assert secret not in repr(KeySource(secret=secret))
    made = open_store(sqlite_place).keys.create()
    assert repr(made.key) not in repr(made)


def test_a_key_read_while_it_is_destroyed_is_not_remembered(sqlite_place: StorePlace, open_store: Open) -> None:
    keys = open_store(sqlite_place).keys
    ref, writing = keys.create().ref, keys.database.writing

    @contextmanager
    def read_before() -> Iterator[Connection]:
        assert keys.get(ref) is not None
        with writing() as connection:
            yield connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys.database, "writing", read_before)
        keys.destroy([ref])
    assert keys.get(ref) is None


def test_a_key_file_is_made_for_its_owner_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    create_key_file(path)
    before = path.read_bytes()
    create_key_file(path)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(read_key_file(path)) == 1


def test_a_new_key_comes_first_and_others_go_by_name(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add_key(path)
    [first] = read_key_file(path)
    add_key(path)
    second, kept = read_key_file(path)
    assert kept.key_id == first.key_id != second.key_id
    text = path.read_bytes()
    keep_keys(path, [second.key_id])
    assert [key.key_id for key in read_key_file(path)] == [second.key_id]
    assert text.splitlines()[2] not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "c2hvcnQ=", "not base64!", base64.b64encode(b"x" * 31).decode()]
)
def test_text_that_is_no_key_is_refused_without_being_quoted(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_keys(text, "key")
    assert caught.value.field == "key"
    assert not text or text.strip() not in str(caught.value)
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(ConfigError):
        read_key_file(path)


@pytest.mark.parametrize("prepare", ["missing", "folder", "not text"])
def test_a_key_file_that_cannot_be_read_is_named(prepare: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    if prepare == "folder":
        path.mkdir()
    if prepare == "not text":
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        KeySource(file=path).ring()
    assert caught.value.field == "key_file"


def test_a_key_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        create_key_file(tmp_path / "missing" / "keys")


def test_keys_come_from_one_place() -> None:
    with pytest.raises(ConfigError, match="key_file and key "):
        KeySource(file=Path("keys"), secret=new_key())
    with pytest.raises(ConfigError, match="no key"):
        KeySource().ring()


def test_a_ring_reads_its_keys_again_when_one_is_missing() -> None:
    old, new = LocalKey(b"o" * 32), LocalKey(b"n" * 32)
    loaded = [old]
    ring = KeyRing(lambda: list(loaded))
    wrapped = new.wrap(b"d" * 32, "ref")
    with pytest.raises(StoreKeyMissing, match=f"{new.key_id}; at hand: {old.key_id}"):
        ring.unwrap(new.key_id, wrapped, "ref")
    loaded[:] = [new]
    assert ring.unwrap(new.key_id, wrapped, "ref") == b"d" * 32
    assert ring.key_ids == (new.key_id, old.key_id)
    with pytest.raises(StoreKeyMissing, match="does not open"):
        ring.unwrap(new.key_id, wrapped, "another ref")


class Service:
    """A key management service with one key."""

    key_id = "projects/p/keys/templates/1"

    def __init__(self) -> None:
        self._key = LocalKey(b"s" * 32)
        self.calls = 0
        self.down = False

    def wrap(self, data_key: bytes, context: str) -> bytes:
        return self._key.wrap(data_key, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        self.calls += 1
        if self.down:
            raise OSError("secret credentials in a message")
        return self._key.unwrap(wrapped, context)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made, module = Service(), ModuleType("bank_keys")
    module.provide = lambda: made  # type: ignore[attr-defined]
    module.provide_list = lambda: [made]  # type: ignore[attr-defined]
    module.provide_nothing = list  # type: ignore[attr-defined]
    module.provide_other = lambda: "a key"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bank_keys", module)
    return made


@pytest.mark.parametrize("name", ["bank_keys:provide", "bank_keys:provide_list"])
def test_a_plug_in_wraps_keys_and_is_asked_once_for_each(
    service: Service, name: str, sqlite_place: StorePlace, open_store: Open, make_template: Callable[..., Template]
) -> None:
    source = KeySource(plugin=name)
    store = open_store(sqlite_place, keys=source)
    store.save([make_template()], answer=b"", request=None)
    calls = service.calls
    for _ in range(5):
        assert store.get("staff", "ada")
    assert service.calls == calls
    with store.database.reading() as connection:
        ref = connection.execute(select(people.c.key_ref)).scalar_one()
    service.down = True
    with pytest.raises(StoreUnavailable, match="OSError") as caught:
        store.keys.fresh(ref)
    assert "credentials" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["missing_module:f", "bank_keys:missing", "bank_keys:provide_nothing", "bank_keys:provide_other"]
)
def test_a_plug_in_that_gives_no_key_is_named(service: Service, name: str) -> None:
    with pytest.raises(ConfigError, match=name.partition(":")[0]) as caught:
        KeySource(plugin=name).ring()
    assert caught.value.field == "key_provider"


def test_a_wrong_key_is_refused_at_the_start_by_name(
    place: StorePlace, open_store: Open, make_template: Callable[..., Template]
) -> None:
    store = open_store(place)
    store.save([make_template()], answer=b"", request=None)
    needed = store.keys.current_key_id()
    with pytest.raises(StoreKeyMissing, match=f"needs key {needed}") as caught:
        open_store(place, keys=KeySource(secret=new_key()))
    assert caught.value.field == "key_file"


def test_a_key_that_only_claims_the_right_name_is_refused_at_the_start(
    sqlite_place: StorePlace, open_store: Open, service: Service
) -> None:
    source = KeySource(plugin="bank_keys:provide")
    open_store(sqlite_place, keys=source)
    service._key = LocalKey(b"t" * 32)
    with pytest.raises(StoreKeyMissing, match="does not open"):
        open_store(sqlite_place, keys=source)


def test_a_lost_key_file_is_not_replaced_by_a_new_one(sqlite_place: StorePlace, open_store: Open) -> None:
    store = open_store(sqlite_place)
    needed = store.keys.current_key_id()
    store.close()
    assert sqlite_place.default_key_file is not None
    sqlite_place.default_key_file.unlink()
    with pytest.raises(StoreKeyMissing, match=needed):
        open_store(sqlite_place)
    assert not sqlite_place.default_key_file.exists()


def test_a_lost_key_store_is_not_replaced_by_a_new_one(sqlite_place: StorePlace, open_store: Open) -> None:
    open_store(sqlite_place).close()
    lost = Path(sqlite_place.key_store)
    lost.unlink()
    with pytest.raises(StoreKeyMissing, match="no key store"):
        open_store(sqlite_place)
    assert not lost.exists()


def test_another_datas_key_store_is_refused(sqlite_place: StorePlace, open_store: Open, tmp_path: Path) -> None:
    open_store(sqlite_place).close()
    other = StorePlace(str(tmp_path / "other.sqlite"))
    open_store(other).close()
    mixed = StorePlace(sqlite_place.database, other.key_store, KeySource(file=other.default_key_file))
    with pytest.raises(StoreKeyMissing, match="other data"):
        open_store(mixed)


def test_secrets_are_derived_by_purpose_and_outlive_the_process(place: StorePlace, open_store: Open) -> None:
    keys = open_store(place).keys
    assert keys.secret("a") != keys.secret("b")
    assert len(keys.secret("a")) == 32
    assert open_store(place).keys.secret("a") == keys.secret("a")
