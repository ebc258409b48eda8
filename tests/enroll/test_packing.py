"""Packed values come back as they were, and nothing else is unpacked."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from enroll.packing import packed, unpacked


@given(arrays(np.float32, (3, 7)))
def test_values_come_back_bit_by_bit(values: np.ndarray) -> None:
    found = unpacked(packed(values), values.size)
    assert found.tobytes() == np.ascontiguousarray(values).tobytes()
    assert found.dtype == np.float32


def test_padding_takes_no_room() -> None:
    rows = np.zeros((5, 2048), np.float32)
    rows[:, :300] = np.random.default_rng(0).normal(size=(5, 300)).astype(np.float16)
    assert len(packed(rows)) < 5 * 300 * 3
    assert len(packed(np.zeros((0, 9), np.float32))) < 32


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        packed(np.zeros(3, np.float32)),
        packed(np.zeros(5, np.float32)),
        packed(np.zeros(4, np.float32))[:-1],
        packed(np.zeros(4, np.float32)) + b"more",
        zlib.compress(bytes(10_000_000)),
    ],
    ids=["empty", "no deflate", "too few", "too many", "cut short", "something behind", "a bomb"],
)
def test_bytes_that_hold_other_than_the_values_asked_for_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="values"):
        unpacked(data, 4)
