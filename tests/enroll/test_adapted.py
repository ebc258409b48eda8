"""What a template learned by itself: kept apart, stored, and without effect on what was enrolled."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.errors import StoreCorrupt
from encode.sample import Modality
from enroll.adapted import Adapted
from enroll.answers import TemplateSummary
from enroll.template import Template

Rows = NDArray[np.float32]
NOW = datetime(2025, 3, 1, tzinfo=UTC)


def rows(count: int, size: int = 8, seed: int = 0) -> Rows:
    return np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)


@pytest.fixture(params=[8, 2_000], ids=["plain", "packed"])
def template(request: pytest.FixtureRequest) -> Template:
    """Two anchors and two later references, of few values or of as many as a trace has."""
    empty = Template.empty("staff", "ada", Modality.FACE, "a" * 64, size=request.param, now=NOW)
    return empty.with_references(rows(4, request.param), anchors_capacity=2, recent_capacity=2, now=NOW)


def learned(template: Template, count: int, *, candidate: bool) -> Template:
    """With `count` adapted references, and perhaps one in quarantine."""
    adapted = Adapted.none(template.size)
    for row in rows(count, template.size, seed=5):
        adapted = adapted.with_candidate(row, NOW).promoted(5)
    if candidate:
        adapted = adapted.with_candidate(rows(1, template.size, seed=6)[0], NOW + timedelta(days=1))
    return template.with_adapted(adapted, now=NOW)


def test_a_template_that_never_adapted_keeps_the_bytes_it_always_had(template: Template) -> None:
    stored = template.to_bytes()
    assert stored[4] == (1 if template.size == 8 else 3)
    read = Template.from_bytes(stored)
    assert read.adapted is None
    assert read.references.tobytes() == template.enrolled.tobytes()


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("candidate", [False, True])
def test_adapted_references_and_candidate_are_stored(template: Template, count: int, candidate: bool) -> None:
    before = learned(template, count, candidate=candidate)
    stored = before.to_bytes()
    assert stored[4] == (4 if template.size == 8 else 5)
    read = Template.from_bytes(stored)
    assert read.to_bytes() == stored
    assert read.adapted is not None
    assert before.adapted is not None
    assert read.adapted.candidate_at == before.adapted.candidate_at
    assert read.adapted.rows.tobytes() == before.adapted.rows.tobytes()
    assert (read.adapted_count, read.quarantined) == (count, candidate)
    assert read.enrolled.tobytes() == template.enrolled.tobytes()


def test_the_candidate_is_compared_with_nothing_and_counts_for_nothing(template: Template) -> None:
    waiting = learned(template, 0, candidate=True)
    assert waiting.references.tobytes() == template.references.tobytes()
    assert waiting.count == template.count
    assert learned(template, 2, candidate=True).count == template.count + 2


def test_enrolment_adds_to_the_ring_and_leaves_what_was_learned(template: Template) -> None:
    before = learned(template, 2, candidate=True)
    after = before.with_references(rows(1, template.size, seed=9), anchors_capacity=2, recent_capacity=2, now=NOW)
    assert after.adapted is before.adapted
    assert after.anchors.tobytes() == template.anchors.tobytes()
    assert after.recent[0].tobytes() == template.recent[1].tobytes()


def test_the_oldest_adapted_references_make_room() -> None:
    adapted = Adapted.none(8)
    for row in rows(4, seed=5):
        adapted = adapted.with_candidate(row, NOW).promoted(3)
    assert adapted.references.tobytes() == rows(4, seed=5)[1:].tobytes()
    assert adapted.candidate is None
    assert adapted.candidate_at == NOW


def test_what_was_learned_cannot_be_written_to() -> None:
    adapted = Adapted.none(8).with_candidate(rows(1)[0], NOW)
    assert adapted.candidate is not None
    with pytest.raises(ValueError, match="read-only"):
        adapted.candidate[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        adapted.promoted(3).references[0] = 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Adapted(rows(1)[0]),
        lambda: Adapted(rows(1), rows(1)[0]),
        lambda: Adapted(rows(1), rows(1, 7)[0], NOW),
        lambda: Adapted.of_rows(rows(0), candidate=True, candidate_at=NOW),
        lambda: Adapted.none(8).promoted(3),
    ],
    ids=["one row", "no time", "other size", "no candidate", "nothing to promote"],
)
def test_what_cannot_be_is_refused(make: Callable[[], Adapted]) -> None:
    with pytest.raises(ValueError, match=r"expected|quarantine"):
        make()


def test_a_compact_template_does_not_adapt() -> None:
    compact = Template.empty("staff", "ada", Modality.FACE, "a" * 64, size=8, now=NOW, compact=True)
    with pytest.raises(ValueError, match="does not adapt"):
        compact.with_adapted(Adapted.none(8), now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"adapted": 3},
        {"adapted": -1},
        {"adapted": None},
        {"candidate": False},
        {"candidate_at": None},
        {"candidate_at": "soon"},
        {"recent": 3},
    ],
)
def test_a_header_that_disagrees_with_the_rows_is_corrupt(change: dict[str, object]) -> None:
    empty = Template.empty("staff", "ada", Modality.FACE, "a" * 64, size=8, now=NOW)
    template = learned(
        empty.with_references(rows(4), anchors_capacity=2, recent_capacity=2, now=NOW), 2, candidate=True
    )
    stored = template.to_bytes()[:-32]
    length = int.from_bytes(stored[5:9], "little")
    header = json.dumps({**json.loads(stored[9 : 9 + length]), **change}).encode()
    body = stored[:5] + len(header).to_bytes(4, "little") + header + stored[9 + length :]
    with pytest.raises(StoreCorrupt):
        Template.from_bytes(body + hashlib.sha256(body).digest())


def test_a_summary_tells_how_much_was_learned_and_since_when_a_probe_waits(template: Template) -> None:
    told = TemplateSummary.of(learned(template, 2, candidate=True), 1)
    assert (told.anchors, told.recent, told.adapted, told.quarantined) == (2, 2, 2, 1)
    assert told.quarantined_since == NOW + timedelta(days=1)
    assert TemplateSummary.from_json(told.to_json()) == told
    plain = TemplateSummary.of(template, 1)
    assert (plain.adapted, plain.quarantined, plain.quarantined_since) == (0, 0, None)
    assert replace(plain, version=2) == TemplateSummary.of(replace(template, version=2), 1)


def test_the_representation_shows_no_value(template: Template) -> None:
    adapted = learned(template, 2, candidate=True).adapted
    assert adapted is not None
    assert "array" not in repr(adapted)
