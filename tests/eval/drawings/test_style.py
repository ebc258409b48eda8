"""Figures as files: a title of any length is whole, and takes its place from nothing else."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from eval.drawings.style import LIGHT, Drawing, Palette

LINE = tuple(bytes.fromhex(LIGHT.genuine.removeprefix("#")))
BAND = 60
"""Pixels of the title's first lines, from the top."""


def plot(figure: Figure, palette: Palette) -> None:
    figure.subplots().plot([0, 1], [0, 1], color=palette.genuine)


def saved(folder: Path, subject: str) -> np.ndarray:
    _, png = Drawing("line", "A line", plot).save(folder, subject)
    return np.asarray(Image.open(png).convert("L"))


@pytest.mark.parametrize(
    "subject", ["a model from a " + "long and longer " * 8 + "name", "a_name_without_any_space_at_all_" * 5]
)
def test_a_long_title_is_broken_and_not_cut(tmp_path: Path, subject: str) -> None:
    short, long = saved(tmp_path, "face on att"), saved(tmp_path, subject)
    assert long.shape[1] == short.shape[1]
    assert long.shape[0] > short.shape[0]
    assert long[:BAND, 10:-10].min() < 100
    assert long[:, -4:].min() == 255


def test_the_drawing_below_a_long_title_keeps_its_height(tmp_path: Path) -> None:
    def rows_of_the_line(subject: str) -> int:
        _, png = Drawing("line", "A line", plot).save(tmp_path, subject)
        colours = np.asarray(Image.open(png).convert("RGB"), dtype=np.int16)
        drawn = (abs(colours - LINE) < 8).all(axis=2).any(axis=1)
        return int(np.count_nonzero(drawn))

    assert rows_of_the_line("a subject of several lines, " * 8) > 0.95 * rows_of_the_line("face on att")
