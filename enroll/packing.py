"""Rows with long runs of padding, stored small: float32 values as byte planes, deflated.

A signature's trace is padded to the longest signature there is, and its values are rounded to half precision by the
encoder; with the first, second, … bytes of all values side by side, both become runs that deflate removes. Lossless.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

LEVEL = 6


def packed(values: NDArray[np.float32]) -> bytes:
    """Values of any shape → bytes; the same for equal values."""
    planes = np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8).reshape(-1, 4).T
    return zlib.compress(planes.tobytes(), LEVEL)


def unpacked(data: bytes, count: int) -> NDArray[np.float32]:
    """What :func:`packed` made of `count` values: float32 (count,).

    Raises ValueError if the bytes do not hold exactly that many; never inflates to more.
    """
    inflate = zlib.decompressobj()
    try:
        planes = inflate.decompress(data, 4 * count + 1)
    except zlib.error as error:
        raise ValueError("the values do not inflate") from error
    if len(planes) != 4 * count or not inflate.eof or inflate.unused_data:
        raise ValueError(f"{count} values expected")
    values = np.ascontiguousarray(np.frombuffer(planes, np.uint8).reshape(4, -1).T)
    return values.reshape(-1).view("<f4").astype(np.float32)
