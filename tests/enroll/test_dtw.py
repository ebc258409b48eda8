"""Warping distances against the plain recursion, another library, and what must hold of any such distance."""

import numpy as np
import pytest
from dtaidistance import dtw_ndim
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import enroll.dtw
from enroll.dtw import dtw_distances

Array = NDArray[np.float64]

# One local cost may be off by about 1e-8 of the largest norm, a sum by a few float32 roundings.
TOLERANCE = {"rtol": 2e-6, "atol": 1e-4}


def naive_dtw(a: Array, b: Array) -> float:
    """The recursion as it reads, one cell at a time: a (n, F), b (m, F)."""
    table = np.full((len(a) + 1, len(b) + 1), np.inf)
    table[0, 0] = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            cheapest = min(table[i, j + 1], table[i + 1, j], table[i, j])
            table[i + 1, j + 1] = np.sqrt(((a[i] - b[j]) ** 2).sum()) + cheapest
    return float(table[-1, -1])


def one(a: Array, b: Array) -> float:
    return float(dtw_distances(a[np.newaxis], b[np.newaxis], [len(a)], [len(b)])[0])


def padded(sequences: list[Array], filler: float) -> tuple[Array, list[int]]:
    lengths = [len(sequence) for sequence in sequences]
    array = np.full((len(sequences), max(lengths), sequences[0].shape[1]), filler)
    for row, sequence in zip(array, sequences, strict=True):
        row[: len(sequence)] = sequence
    return array, lengths


def sequences(channels: int) -> st.SearchStrategy[Array]:
    values = st.floats(-100, 100, width=32)
    return st.integers(1, 12).flatmap(lambda n: arrays(np.float64, (n, channels), elements=values))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    channels = draw(st.integers(1, 4))
    return draw(sequences(channels)), draw(sequences(channels))


def random_pairs(count: int, longest: int, channels: int = 3) -> tuple[list[Array], list[Array]]:
    generator = np.random.default_rng(count)
    draw = lambda: generator.normal(size=(int(generator.integers(1, longest + 1)), channels)).cumsum(0)  # noqa: E731
    return [draw() for _ in range(count)], [draw() for _ in range(count)]


@given(pairs())
def test_it_is_the_recursion(pair: tuple[Array, Array]) -> None:
    np.testing.assert_allclose(one(*pair), naive_dtw(*pair), **TOLERANCE)


@pytest.mark.parametrize("chunk_bytes", [1, 20_000, 1 << 30])
@pytest.mark.parametrize("filler", [0.0, 1e6, np.nan])
def test_a_batch_holds_each_pair_alone_whatever_the_padding(
    chunk_bytes: int, filler: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enroll.dtw, "CHUNK_BYTES", chunk_bytes)
    left, right = random_pairs(40, longest=30)
    (a, a_lengths), (b, b_lengths) = padded(left, filler), padded(right, filler)
    found = dtw_distances(a, b, a_lengths, b_lengths)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [naive_dtw(*pair) for pair in zip(left, right, strict=True)], **TOLERANCE)


def test_another_library_agrees_on_sequences_as_long_as_signatures() -> None:
    left, right = random_pairs(12, longest=400, channels=5)
    (a, a_lengths), (b, b_lengths) = padded(left, 0.0), padded(right, 0.0)
    expected = [dtw_ndim.distance(x, y, inner_dist="euclidean", use_c=True) for x, y in zip(left, right, strict=True)]
    np.testing.assert_allclose(dtw_distances(a, b, a_lengths, b_lengths), expected, rtol=2e-6)


def test_local_costs_are_made_in_blocks_that_cannot_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = random_pairs(5, longest=50)
    (a, a_lengths), (b, b_lengths) = padded(left, 0.0), padded(right, 0.0)
    whole = dtw_distances(a, b, a_lengths, b_lengths)
    monkeypatch.setattr(enroll.dtw, "_BLOCK_BYTES", 1)
    np.testing.assert_allclose(dtw_distances(a, b, a_lengths, b_lengths), whole, rtol=1e-6)


@given(sequences(2))
def test_equal_sequences_are_at_no_distance(sequence: Array) -> None:
    assert 0.0 <= one(sequence, sequence) <= 1e-4


@given(pairs())
def test_it_is_symmetric(pair: tuple[Array, Array]) -> None:
    np.testing.assert_allclose(one(*pair), one(*pair[::-1]), **TOLERANCE)


@given(pairs())
def test_both_may_be_read_backwards(pair: tuple[Array, Array]) -> None:
    np.testing.assert_allclose(one(pair[0][::-1], pair[1][::-1]), one(*pair), **TOLERANCE)


@given(pairs())
def test_repeating_points_costs_nothing_on_a_free_path(pair: tuple[Array, Array]) -> None:
    slow = np.repeat(pair[0], 2, axis=0)
    assert one(slow, pair[0]) <= 1e-4
    assert one(slow, pair[1]) >= one(*pair) - 1e-4 - 1e-5 * one(*pair)


@given(pairs())
def test_no_path_is_cheaper(pair: tuple[Array, Array]) -> None:
    a, b = pair
    found = one(a, b)
    common = min(len(a), len(b))
    diagonal = np.linalg.norm(a[:common] - b[:common], axis=1).sum()
    rest = np.linalg.norm(a[common:] - b[-1], axis=1).sum() + np.linalg.norm(b[common:] - a[-1], axis=1).sum()
    assert found <= (diagonal + rest) * (1 + 1e-5) + 1e-4
    # Every point of either must be matched with something.
    costs = np.linalg.norm(a[:, None] - b, axis=2)
    assert found >= max(costs.min(0).sum(), costs.min(1).sum()) * (1 - 1e-5) - 1e-4


@given(pairs(), st.floats(0.1, 10.0))
def test_scaling_both_scales_the_distance(pair: tuple[Array, Array], factor: float) -> None:
    np.testing.assert_allclose(one(pair[0] * factor, pair[1] * factor), factor * one(*pair), rtol=1e-5, atol=1e-3)


@given(pairs())
def test_appending_a_point_to_both_costs_at_most_their_distance(pair: tuple[Array, Array]) -> None:
    a, b = pair
    longer = one(np.concatenate([a, b[-1:]]), np.concatenate([b, b[-1:]]))
    assert longer <= one(a, b) * (1 + 1e-5) + 1e-4


def test_channels_of_zeros_change_nothing() -> None:
    left, right = random_pairs(1, longest=20)
    wider = [np.pad(sequence, ((0, 0), (0, 3))) for sequence in (left[0], right[0])]
    np.testing.assert_allclose(one(*wider), one(left[0], right[0]), rtol=1e-6)


def test_no_pairs_have_no_distances() -> None:
    assert dtw_distances(np.empty((0, 3, 2)), np.empty((0, 4, 2)), [], []).shape == (0,)


@pytest.mark.parametrize(("a_length", "b_length"), [(0, 4), (3, 0), (4, 4), (3, 5), (-1, 4)])
def test_a_length_outside_its_array_is_refused(a_length: int, b_length: int) -> None:
    with pytest.raises(ValueError, match="no point, or more points"):
        dtw_distances(np.zeros((1, 3, 2)), np.zeros((1, 4, 2)), [a_length], [b_length])


@pytest.mark.parametrize(
    ("a", "b", "lengths"),
    [((1, 3, 2), (1, 4, 3), 1), ((2, 3, 2), (1, 4, 2), 2), ((3, 2), (4, 2), 3), ((2, 3, 2),) * 2 + (1,)],
)
def test_shapes_that_disagree_are_refused(a: tuple[int, ...], b: tuple[int, ...], lengths: int) -> None:
    with pytest.raises(ValueError, match=r"pairs .* expected"):
        dtw_distances(np.zeros(a), np.zeros(b), [1] * lengths, [1] * lengths)
