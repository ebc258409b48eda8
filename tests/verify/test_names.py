"""Ids and page tokens: what is let through comes out unchanged, all else is refused without being quoted."""

import base64
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from encode.errors import FieldInvalid, FieldMissing, InputError
from verify.names import MAX_LENGTH, require_name
from verify.page_token import make_page_token, read_page_token


@pytest.mark.parametrize("name", ["a", "x" * 128, "p-1", "Ada Lovelace", "Zoë", "中", "😀", "a/b:c@d", "'; DROP TABLE"])
def test_ids_are_kept_as_they_are(name: str) -> None:
    assert require_name(name, "person") == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x" * 129, "129 characters"),
        ("a\x00b", "does not print"),
        ("a\nb", "does not print"),
        ("a\u200bb", "does not print"),  # zero-width space
        ("a\u202eb", "does not print"),  # right-to-left override
        (" a", "begins or ends"),
        ("a ", "begins or ends"),
        (" ", "begins or ends"),
        ("e\u0301", "normal form"),
    ],
)
def test_what_is_no_id_is_refused_by_rule(name: str, words: str) -> None:
    with pytest.raises(FieldInvalid, match=words) as caught:
        require_name(name, "person")
    assert caught.value.field == "person"
    assert caught.value.fix


def test_an_empty_id_is_missing() -> None:
    with pytest.raises(FieldMissing):
        require_name("", "person")


@given(st.text(max_size=140))
def test_the_rule_is_the_documented_one(name: str) -> None:
    allowed = (
        1 <= len(name) <= MAX_LENGTH
        and all(character.isprintable() for character in name)
        and not name.startswith(" ")
        and not name.endswith(" ")
        and unicodedata.normalize("NFC", name) == name
    )
    try:
        assert require_name(name, "person") == name
        assert allowed
    except InputError:
        assert not allowed


@given(collection=st.text(min_size=1, max_size=30), last=st.text(min_size=1, max_size=128))
def test_page_tokens_lead_back(collection: str, last: str) -> None:
    assume("\0" not in collection + last)
    assert read_page_token(collection, make_page_token(collection, last)) == last


def test_a_token_made_up_around_what_no_database_takes_is_refused() -> None:
    with pytest.raises(FieldInvalid) as caught:
        read_page_token("staff", make_page_token("staff", "a\0b"))
    assert caught.value.field == "page_token"


def test_the_empty_token_is_the_first_page() -> None:
    assert read_page_token("staff", "") == ""


@given(st.text(min_size=1, max_size=60))
def test_tokens_made_up_are_refused(token: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        read_page_token("staff", token)
    assert caught.value.field == "page_token"


@given(data=st.data(), last=st.text(min_size=1, max_size=20))
def test_tokens_changed_or_of_another_collection_are_refused(data: st.DataObject, last: str) -> None:
    token = make_page_token("staff", last)
    raw = bytearray(base64.urlsafe_b64decode(token))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    for wrong in (base64.urlsafe_b64encode(bytes(raw)).decode(), token[:-4], "x" + token):
        if wrong:
            with pytest.raises(FieldInvalid):
                read_page_token("staff", wrong)
    with pytest.raises(FieldInvalid):
        read_page_token("visitors", token)
