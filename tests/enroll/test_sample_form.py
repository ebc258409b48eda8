"""The stored form of kept samples: lossless, the same for equal samples, and never anything else than a sample."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encode.errors import StoreCorrupt
from encode.sample import CropBox, ImageSample, Modality, Sample, StrokesSample
from enroll.sample_form import sample_from_bytes, sample_to_bytes

numbers = st.floats(allow_nan=False)
series = st.lists(numbers, max_size=20).map(tuple)
edges = st.integers(-(2**31), 2**31 - 1)
images = st.builds(
    ImageSample,
    st.binary(max_size=200),
    st.none() | st.builds(CropBox, edges, edges, edges, edges),
    st.sampled_from(Modality),
)
strokes = st.builds(StrokesSample, series, series, series, series, st.lists(st.booleans(), max_size=20).map(tuple))


@given(st.one_of(images, strokes))
def test_a_sample_comes_back_as_it_was(sample: Sample) -> None:
    stored = sample_to_bytes(sample)
    assert sample_from_bytes(stored) == sample
    assert sample_to_bytes(sample_from_bytes(stored)) == stored


def test_numbers_keep_their_last_bit() -> None:
    sample = StrokesSample((math.pi, -0.0), (1e-300, 1e300), (0.1, 0.1 + 0.2))
    read = sample_from_bytes(sample_to_bytes(sample))
    assert isinstance(read, StrokesSample)
    assert [value.hex() for value in read.x + read.y + read.t] == [v.hex() for v in sample.x + sample.y + sample.t]


PICTURE = sample_to_bytes(ImageSample(b"picture", CropBox(1, 2, 3, 4)))
PEN = sample_to_bytes(StrokesSample((1.0, 2.0), (3.0, 4.0), (5.0, 6.0), pen_down=(True, False)))


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        PICTURE[:8],
        b"CSTM" + PICTURE[4:],
        PICTURE[:4] + b"\x03" + PICTURE[5:],
        PICTURE.replace(b'"face"', b'"gait"'),
        PICTURE.replace(b"[1,2,3,4]", b"[1,2,3,x]"),
        PICTURE.replace(b"[1,2,3,4]", b"[1,2,3,0.5]".ljust(9)[:9]),
        PEN[:-1],
        PEN + b"\x00",
        PEN.replace(b'"x":2', b'"x":9'),
        PEN.replace(b'"pen_down":2', b'"pen_down":-'),
        PICTURE[:4] + b"\x02" + PICTURE[5:],
    ],
)
def test_anything_else_is_a_typed_error(stored: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="kept sample does not decode"):
        sample_from_bytes(stored)


@given(st.binary(max_size=64))
def test_garbage_never_raises_anything_untyped(tail: bytes) -> None:
    for head in (PICTURE[:9], PEN[:9], PEN[:40]):
        try:
            read = sample_from_bytes(head + tail)
        except StoreCorrupt:
            continue
        assert sample_from_bytes(sample_to_bytes(read)) == read
