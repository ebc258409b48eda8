"""background.npz: only finite arrays of real numbers and of the right shapes, and never more than fits in memory."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.bundle import open_bundle
from encode.errors import (
    BundleCorrupt,
    BundleError,
    BundleIncomplete,
    BundleShapeMismatch,
)
from encode.manifest import (
    BACKGROUND,
)

Reseal = Callable[[Path, str, bytes], None]

SIZE = 6

PLAIN = {"mean": np.arange(SIZE) * 0.1, "total": np.eye(SIZE), "within": 0.1 * np.eye(SIZE)}


def archive(**arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def without(name: str) -> dict[str, NDArray[Any]]:
    return {key: array for key, array in PLAIN.items() if key != name}


def huge_member() -> bytes:
    """A few kilobytes that unpack to 2 GiB."""
    buffer = io.BytesIO(archive(**PLAIN))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as members:
        info = zipfile.ZipInfo("bomb.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        members.writestr(info, b"small")
    raw = bytearray(buffer.getvalue())
    # The central directory's declared size of the last member, which is what a reader goes by.
    place = raw.rindex(b"PK\x01\x02") + 24
    raw[place : place + 4] = (2**31).to_bytes(4, "little")
    return bytes(raw)


def array_header(text: bytes) -> bytes:
    """An archive whose `mean` has a header of our own making and no values."""
    buffer = io.BytesIO(archive(**without("mean")))
    with zipfile.ZipFile(buffer, "a") as members:
        members.writestr("mean.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    return buffer.getvalue()


def damaged_deflate() -> bytes:
    """Right checksums all around, and a compressed stream that is no stream."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **PLAIN)
    raw = bytearray(buffer.getvalue())
    start = raw.index(b"mean.npy") + len(b"mean.npy") + 20
    raw[start : start + 8] = b"\xff" * 8
    return bytes(raw)


BAD_BACKGROUNDS: dict[str, tuple[Callable[[], bytes], type[BundleError], str]] = {
    "empty": (lambda: b"", BundleCorrupt, "plain arrays"),
    "text": (lambda: b"mean = 0", BundleCorrupt, "plain arrays"),
    "half an archive": (lambda: archive(**PLAIN)[:300], BundleCorrupt, "plain arrays"),
    "damaged stream": (damaged_deflate, BundleCorrupt, "plain arrays"),
    "pickled objects": (lambda: archive(**without("mean"), mean=np.array([{}], object)), BundleCorrupt, "plain arrays"),
    "text array": (lambda: archive(**without("mean"), mean=np.array(["a"] * SIZE)), BundleCorrupt, "plain arrays"),
    "complex": (lambda: archive(**without("mean"), mean=np.ones(SIZE, complex)), BundleCorrupt, "plain arrays"),
    "unpacks to 2 GiB": (huge_member, BundleCorrupt, "more than 1 GiB"),
    "declares 8 PiB": (
        lambda: array_header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,)}\n" % 2**50),
        BundleCorrupt,
        "plain arrays",
    ),
    "code in a header": (lambda: array_header(b"__import__('os').getcwd()\n"), BundleCorrupt, "plain arrays"),
    "no mean": (lambda: archive(**without("mean")), BundleIncomplete, "'mean' is missing"),
    "no total": (lambda: archive(**without("total")), BundleIncomplete, "'total' is missing"),
    "no within": (lambda: archive(**without("within")), BundleIncomplete, "'within' is missing"),
    "mean too long": (lambda: archive(**without("mean"), mean=np.zeros(7)), BundleShapeMismatch, r"shape \(7,\)"),
    "mean a matrix": (lambda: archive(**without("mean"), mean=np.zeros((1, 6))), BundleShapeMismatch, "'mean'"),
    "within not square": (
        lambda: archive(**without("within"), within=np.zeros((6, 5))),
        BundleShapeMismatch,
        "'within'",
    ),
    "total a scalar": (lambda: archive(**without("total"), total=np.array(1.0)), BundleShapeMismatch, "'total'"),
    "NaN": (lambda: archive(**without("mean"), mean=np.full(SIZE, np.nan)), BundleCorrupt, "not finite"),
    "infinity": (lambda: archive(**without("total"), total=np.eye(SIZE) * np.inf), BundleCorrupt, "not finite"),
}


@pytest.mark.filterwarnings("ignore:invalid value encountered in multiply:RuntimeWarning")
@pytest.mark.parametrize("name", BAD_BACKGROUNDS)
def test_a_bad_background_is_refused_even_with_fitting_digests(reseal: Reseal, folder: Path, name: str) -> None:
    make, kind, message = BAD_BACKGROUNDS[name]
    reseal(folder, BACKGROUND, make())
    with pytest.raises(kind, match=message) as caught:
        open_bundle(folder)
    assert caught.value.field == BACKGROUND


def test_whole_numbers_and_single_precision_are_read_as_float64(reseal: Reseal, folder: Path) -> None:
    arrays = {"mean": np.zeros(SIZE, np.int32), "total": np.eye(SIZE, dtype=np.float32), "within": np.eye(SIZE)}
    reseal(folder, BACKGROUND, archive(**arrays))
    assert {array.dtype for array in open_bundle(folder).background.values()} == {np.dtype(np.float64)}
