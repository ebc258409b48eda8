"""What stands for a person in the log."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enroll.audit.chain import SECRET_BYTES, AuditKeys
from enroll.audit.event import AuditEvent

Append = Callable[..., object]
KEYS = AuditKeys.derive(b"k" * SECRET_BYTES)
names = st.text(st.characters(codec="utf-8"), max_size=20)


def test_a_person_shows_only_as_a_pseudonym_of_the_collection_and_the_key(
    tmp_path: Path, append: Append, enrolled: AuditEvent, decided: AuditEvent, keys: AuditKeys
) -> None:
    append(enrolled, decided)
    assert "ada" not in repr(enrolled)
    assert all(b"lovelace" not in file.read_bytes() for file in tmp_path.iterdir())
    pseudonym = KEYS.pseudonym_of("staff", "ada lovelace")
    others = [
        KEYS.pseudonym_of("staff", "ada lovelacE"),
        KEYS.pseudonym_of("staffa", "da lovelace"),
        AuditKeys.derive(b"o" * SECRET_BYTES).pseudonym_of("staff", "ada lovelace"),
    ]
    assert len({pseudonym, *others}) == 4
    assert re.fullmatch("[0-9a-f]{32}", pseudonym)


def test_keys_do_not_show_and_need_their_length() -> None:
    assert repr(KEYS) == "AuditKeys()"
    assert KEYS.head != KEYS.pseudonym
    with pytest.raises(ValueError, match="32 bytes"):
        AuditKeys.derive(b"short")


@given(names, names, names.filter(bool))
def test_a_pseudonym_depends_on_where_collection_and_person_part(collection: str, person: str, more: str) -> None:
    pseudonym = KEYS.pseudonym_of(collection + more, person)
    assert pseudonym == KEYS.pseudonym_of(collection + more, person)
    assert pseudonym != KEYS.pseudonym_of(collection, more + person)
