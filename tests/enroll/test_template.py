"""Templates: which references stay, and a stored form that finds every change."""

import hashlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import StoreCorrupt
from encode.sample import Modality
from enroll.template import Template

NOW = datetime(2025, 3, 1, 12, 30, 15, 123_456, tzinfo=UTC)
SIZE = 3


def empty(person: str = "ada") -> Template:
    return Template.empty("staff", person, Modality.FACE, "a" * 64, size=SIZE, now=NOW)


def numbered(first: int, count: int) -> np.ndarray:
    """References that tell which they are: row k holds first + k in every place."""
    return np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None], SIZE, axis=1)


@given(
    batches=st.lists(st.integers(1, 7), max_size=6),
    anchors=st.integers(0, 6),
    recent=st.integers(0, 6),
)
def test_first_references_are_anchored_and_the_ring_keeps_the_newest(
    batches: list[int], anchors: int, recent: int
) -> None:
    template, enrolled = empty(), 0
    for count in batches:
        template = template.with_references(
            numbered(enrolled, count), anchors_capacity=anchors, recent_capacity=recent, now=NOW
        )
        enrolled += count
    # The naive twin: one list of everything ever enrolled.
    everything = list(range(enrolled))
    later = everything[anchors:]
    assert template.anchors[:, 0].tolist() == everything[:anchors]
    assert template.recent[:, 0].tolist() == (later[-recent:] if recent else [])
    assert template.references[:, 0].tolist() == template.anchors[:, 0].tolist() + template.recent[:, 0].tolist()
    assert template.version == len(batches)


def test_a_change_leaves_the_older_template_alone_and_is_dated() -> None:
    first = empty().with_references(numbered(0, 2), anchors_capacity=2, recent_capacity=2, now=NOW)
    later = first.with_references(numbered(2, 1), anchors_capacity=2, recent_capacity=2, now=NOW + timedelta(minutes=5))
    assert len(first.references) == 2
    assert (later.created_at, later.updated_at) == (NOW, NOW + timedelta(minutes=5))
    assert later.template_id == first.template_id
    with pytest.raises(ValueError, match="read-only"):
        later.anchors[0] = 0


def test_references_do_not_change_with_the_array_they_came_from() -> None:
    source = numbered(0, 2)
    template = empty().with_references(source, anchors_capacity=1, recent_capacity=1, now=NOW)
    source[:] = 99
    assert template.references[:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("shape", [(2, SIZE + 1), (SIZE,), (1, 1, SIZE)])
def test_references_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="references of shape"):
        empty().with_references(np.zeros(shape, np.float32), anchors_capacity=5, recent_capacity=5, now=NOW)


def test_a_person_enrolled_again_gets_another_template_id() -> None:
    assert empty().template_id != empty().template_id


@given(person=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()), count=st.integers(0, 5))
def test_stored_form_round_trips(person: str, count: int) -> None:
    template = empty(person)
    if count:
        values = np.random.default_rng(count).normal(size=(count, SIZE)).astype(np.float32)
        template = template.with_references(values, anchors_capacity=2, recent_capacity=5, now=NOW)
    again = Template.from_bytes(template.to_bytes())
    for name in ("collection", "person", "modality", "model_digest", "template_id", "version", "created_at"):
        assert getattr(again, name) == getattr(template, name)
    assert again.updated_at == template.updated_at
    np.testing.assert_array_equal(again.anchors, template.anchors)
    np.testing.assert_array_equal(again.recent, template.recent)
    assert again.to_bytes() == template.to_bytes()


def test_a_template_written_before_there_were_compact_ones_is_read() -> None:
    header = (
        b'{"anchors":1,"collection":"staff","created_at":"2025-03-01T12:30:15.123456+00:00","modality":"face",'
        b'"model_digest":"' + b"a" * 64 + b'","person":"ada","recent":1,"size":3,"template_id":"' + b"b" * 32 + b'",'
        b'"updated_at":"2025-03-01T12:30:15.123456+00:00","version":1}'
    )
    body = b"CSTM\x01" + len(header).to_bytes(4, "little") + header + np.arange(6, dtype="<f4").tobytes()
    stored = body + hashlib.sha256(body).digest()
    template = Template.from_bytes(stored)
    assert (template.person, template.count, template.moments) == ("ada", 2, None)
    np.testing.assert_array_equal(template.references, [[0, 1, 2], [3, 4, 5]])
    assert template.to_bytes() == stored


@given(data=st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    stored = bytearray(
        empty().with_references(numbered(0, 2), anchors_capacity=1, recent_capacity=1, now=NOW).to_bytes()
    )
    position = data.draw(st.integers(0, len(stored) - 1))
    stored[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StoreCorrupt):
        Template.from_bytes(bytes(stored))


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused_typed(data: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="does not decode"):
        Template.from_bytes(data)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"CSTM\x01", b"CSTM\x02"),
        (b"CSTM\x01", b"NOPE\x01"),
        (b'"recent":1', b'"recent":9'),
        (b'"size":3', b'"size":x'),
    ],
)
def test_content_that_contradicts_itself_is_refused_even_with_a_sound_checksum(before: bytes, after: bytes) -> None:
    template = empty().with_references(numbered(0, 2), anchors_capacity=1, recent_capacity=1, now=NOW)
    body = template.to_bytes()[:-32]
    assert before in body
    forged = body.replace(before, after)
    with pytest.raises(StoreCorrupt):
        Template.from_bytes(forged + hashlib.sha256(forged).digest())


def test_text_forms_name_neither_the_person_nor_a_value() -> None:
    template = empty("ada lovelace").with_references(
        numbered(7_654_321, 1), anchors_capacity=1, recent_capacity=1, now=NOW
    )
    for text in (repr(template), str(template), f"{template}"):
        assert "ada" not in text
        assert "7654321" not in text
        assert "staff" not in text
