"""A crop box as people type it."""

import pytest

from encode.errors import CropInvalid
from encode.sample import CropBox


@pytest.mark.parametrize("text", ["1,2,30,40", " 1, 2 ,30,40 ", "01,02,030,040"])
def test_four_whole_numbers_are_a_box(text: str) -> None:
    assert CropBox.parse(text) == CropBox(left=1, top=2, right=30, bottom=40)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,", "-1,2,3,4", "1.5,2,3,4", "a,b,c,d", "1;2;3;4", "1,2,3,²"]
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(CropInvalid, match="left,top,right,bottom") as caught:
        CropBox.parse(text)
    assert caught.value.field == "crop"
