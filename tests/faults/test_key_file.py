"""A process killed while it writes a key file: there is a whole one or none, and no key is left lying about."""

import errno
import os
from pathlib import Path

import pytest

from encode.errors import ConfigError
from enroll.keys.file import add_key, create_key_file, keep_keys, read_key_file

LONG_AGO = 1_000_000_000


class Killed(BaseException):
    """Stands for SIGKILL: nothing is cleaned up by whoever expects errors."""


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_first_key_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "keys"
    with monkeypatch.context() as patched:
        patched.setattr(os, call, _killed)
        with pytest.raises(Killed):
            create_key_file(path)
    assert not path.exists()
    create_key_file(path)
    assert len(read_key_file(path)) == 1


def test_a_file_of_another_process_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "keys", os.link

    def after_another(source: Path, target: Path) -> None:
        path.write_text("another's\n")
        link(source, target)

    monkeypatch.setattr(os, "link", after_another)
    create_key_file(path)
    assert path.read_text() == "another's\n"
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


def test_a_file_system_without_second_names_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", refused)
    create_key_file(path)
    assert len(read_key_file(path)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    create_key_file(path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        add_key(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


def test_what_a_killed_rotation_left_goes_with_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    create_key_file(path)
    left, fresh, other = (tmp_path / name for name in ("keys.0123abcd", "keys.89abcdef", "keys.of-another"))
    for file in (left, fresh, other):
        file.write_bytes(path.read_bytes())
    for file in (left, other):
        os.utime(file, (LONG_AGO, LONG_AGO))
    add_key(path)
    assert not left.exists()
    assert fresh.exists()
    assert other.exists()


def test_a_reader_who_opened_the_file_before_it_was_replaced_reads_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "keys", Path.read_text
    create_key_file(path)
    old = os.open(path, os.O_RDONLY)
    add_key(path)
    newest = read_key_file(path)[0].key_id
    first = [True]

    def late(self: Path, encoding: str) -> str:
        if not first or self != path:
            return read(self, encoding=encoding)
        first.clear()
        return os.pread(old, 10_000, 0).decode()

    keep_keys(path, [newest])
    os.close(old)
    old = os.memfd_create("zeros")
    os.write(old, bytes(200))
    monkeypatch.setattr(Path, "read_text", late)
    assert [key.key_id for key in read_key_file(path)] == [newest]
    assert not first
    os.close(old)


def test_of_a_link_the_file_that_it_leads_to_is_replaced(tmp_path: Path) -> None:
    """A link that became a file would leave the new key in a container and the old one on the volume."""
    real, link = tmp_path / "volume" / "keys", tmp_path / "people.sqlite.key"
    real.parent.mkdir()
    link.symlink_to(real)
    create_key_file(link)
    add_key(link)
    assert link.is_symlink()
    newest, oldest = (key.key_id for key in read_key_file(real))
    keep_keys(link, [newest])
    assert link.is_symlink()
    assert [key.key_id for key in read_key_file(real)] == [newest]
    assert newest != oldest
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["keys", "people.sqlite.key", "volume"]


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    """Else a rotation by root would take the keys away from a service that reads them as a group."""
    path = tmp_path / "keys"
    create_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    add_key(path)
    assert path.stat().st_mode & 0o777 == 0o640
    keep_keys(path, [read_key_file(path)[0].key_id])
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    create_key_file(path)
    os.chown(path, 1234, 4321)
    add_key(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def _killed(*_: object) -> None:
    raise Killed
