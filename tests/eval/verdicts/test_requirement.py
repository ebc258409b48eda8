"""The grammar of requirements: what is read, and that anything else is refused with a reason."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from encode.errors import FieldInvalid
from eval.verdicts.requirement import Comparison, Step, parse_requirement


@pytest.mark.parametrize(
    ("text", "steps", "comparison", "limit", "in_percent"),
    [
        ("random.eer <= 0.05", ("random", "eer"), "<=", 0.05, False),
        ("random.eer<5%", ("random", "eer"), "<", 0.05, True),
        ("  random.eer.high  >=  5 %  ", ("random", "eer", "high"), ">=", 0.05, True),
        ("skilled.frr_at_far[0.01] > 0", ("skilled", "frr_at_far", "[0.01]"), ">", 0.0, False),
        (
            "random.frr_at_far[1%].frr.low <= 7e-1",
            ("random", "frr_at_far", "[1%]", "frr", "low"),
            "<=",
            0.7,
            False,
        ),
        (
            "random.groups[group_age].rows[<= 30].frr <= .5",
            ("random", "groups", "[group_age]", "rows", "[<= 30]", "frr"),
            "<=",
            0.5,
            False,
        ),
        ("failures.by_reason.FILE_UNREADABLE < 1.", ("failures", "by_reason", "FILE_UNREADABLE"), "<", 1.0, False),
        ("random.d_prime >= -2", ("random", "d_prime"), ">=", -2.0, False),
        ("random.eer <= 0.7%", ("random", "eer"), "<=", 0.007, True),
    ],
)
def test_a_requirement_is_read(
    text: str, steps: tuple[str, ...], comparison: str, limit: float, in_percent: bool
) -> None:
    found = parse_requirement(text)
    assert tuple(map(str, found.steps)) == steps
    assert (found.comparison.value, found.limit, found.in_percent) == (comparison, limit, in_percent)
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin with a path"),
        ("<= 0.05", "begin with a path"),
        ("0.05 >= random.eer", "begin with a path"),
        ("random.eer", "comes <=, <, >= or >"),
        ("random.eer = 0.05", "comes <=, <, >= or >"),
        ("random.eer == 0.05", "comes <=, <, >= or >"),
        ("random.eer =< 0.05", "comes <=, <, >= or >"),
        ("random. eer < 0.05", "comes <=, <, >= or >"),
        ("random..eer < 0.05", "comes <=, <, >= or >"),
        ("random.frr_at_far[] < 0.05", "comes <=, <, >= or >"),
        ("random.frr_at_far[0.01 < 0.05", "comes <=, <, >= or >"),
        ("random.frr_at_far[[0.01]] < 0.05", "comes <=, <, >= or >"),
        ("random.eer <= ", "is no number"),
        ("random.eer <= five", "is no number"),
        ("random.eer <= nan", "is no number"),
        ("random.eer <= inf", "is no number"),
        ("random.eer <= 0,05", "is no number"),
        ("random.eer <= 0x1", "is no number"),
        ("random.eer <= 1_0", "is no number"),
        ("random.eer <= ٣", "is no number"),
        ("random.eer <= 5 % or so", "is no number"),
        ("random.eer <= 0.05 and skilled.eer <= 0.05", "is no number"),
        ("random.eer <= 1e999", "too large"),
        ("__import__('os').system('ls') < 1", "comes <=, <, >= or >"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(FieldInvalid, match="is no requirement") as caught:
        parse_requirement(text)
    assert why in caught.value.message
    assert caught.value.field == "require"
    assert "skilled.frr_at_far" in (caught.value.fix or "")


@given(st.text() | st.text(alphabet="ab.[]01%<>=+-e "))
@example("a<" + "9" * 5000)
@example("a" + "[b" * 1000)
@example("a<1e+999999999")
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    try:
        found = parse_requirement(text)
    except FieldInvalid:
        return
    assert found.steps
    assert abs(found.limit) < float("inf")


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
KEYS = st.from_regex(r"[^\[\]\s]([^\[\]]*[^\[\]\s])?", fullmatch=True)
STEPS = st.builds(Step, NAMES) | st.builds(Step, KEYS, st.just(True))


@given(NAMES, st.lists(STEPS, max_size=5), st.sampled_from(Comparison), st.floats(0, 1e30))
def test_whatever_is_written_by_the_grammar_is_read_back(
    first: str, more: list[Step], comparison: Comparison, limit: float
) -> None:
    steps = (Step(first), *more)
    path = first + "".join(str(step) if step.is_key else f".{step}" for step in more)
    found = parse_requirement(f"{path} {comparison.value} {limit!r}")
    assert (found.steps, found.path, found.comparison, found.limit) == (steps, path, comparison, limit)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_of_opposite_comparisons_exactly_one_holds(value: float, limit: float) -> None:
    assert Comparison.AT_MOST.holds(value, limit) != Comparison.ABOVE.holds(value, limit)
    assert Comparison.AT_LEAST.holds(value, limit) != Comparison.BELOW.holds(value, limit)
    assert Comparison.AT_MOST.holds(limit, limit)
    assert not Comparison.BELOW.holds(limit, limit)
