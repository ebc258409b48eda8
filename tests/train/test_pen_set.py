"""Signatures varied for losses on batches: made forgeries beside real ones, one invented writer a person and batch."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import train.pen_set
from encode.pen_frames import padded, unpadded
from train.episodes import packed
from train.pen_set import PenSet, pen_set, traces_of
from train.pen_writer import PenVariation
from train.recipe import Recipe
from train.strokes import StrokeSet

MakeRecipe = Callable[..., Recipe]
PenTrace = Callable[..., NDArray[np.float64]]

GENUINE, FORGED = 4, 6
LABELS = [0] * (GENUINE + FORGED) + [1] * GENUINE
FORGERIES = [False] * GENUINE + [True] * FORGED + [False] * GENUINE


@pytest.fixture(scope="module")
def strokes(pen_trace: PenTrace) -> StrokeSet:
    """Person 0 with four signatures and six forgeries, person 1 with four signatures and none; lengths 40, 42, …"""
    frames = [padded(pen_trace(40 + 2 * row, seed=row), 72) for row in range(len(LABELS))]
    return StrokeSet(
        views=torch.from_numpy(np.stack(frames))[:, None],
        labels=torch.tensor(LABELS),
        forged=torch.tensor(FORGERIES),
        ids=tuple(f"s{row}" for row in range(len(LABELS))),
        people=("town/a", "town/b"),
        corpus_of=("town", "town"),
        unusable=0,
        sessions=tuple("12"[row % 2] for row in range(len(LABELS))),
    )


@pytest.fixture
def recipe(make_pen_recipe: MakeRecipe) -> Recipe:
    batches = {"episodes": None, "losses": [{"kind": "supcon"}], "matching": None}
    return make_pen_recipe(pen_variation={"longest": 64, "quickened": 1.0}, **batches)


def drawn(made: PenSet, rows: list[int], recipe: Recipe, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return made.drawn(torch.tensor(rows), recipe)


@pytest.mark.parametrize(("share", "of_forged"), [(0.25, 2), (0.4, 4), (0.0, 0)])
def test_made_forgeries_are_the_share_asked_for_and_one_a_signature_of_people_nobody_forged(
    strokes: StrokeSet, share: float, of_forged: int
) -> None:
    made = pen_set(strokes, share)
    assert [int(((made.labels == label) & made.made).sum()) for label in (0, 1)] == [of_forged, GENUINE * (share > 0)]
    assert torch.equal(made.forged, torch.cat([strokes.forged, torch.ones(int(made.made.sum()), dtype=torch.bool)]))
    sources = made.source[made.made]
    assert not strokes.forged[sources].any()
    assert torch.equal(strokes.labels[sources], made.labels[made.made])
    rows = made.source.tolist()
    assert made.ids == tuple(f"s{row}" for row in rows)
    assert made.sessions == tuple(strokes.sessions[row] for row in rows)


def test_plain_rows_are_as_recorded_but_for_padding(strokes: StrokeSet) -> None:
    rows = torch.tensor([0, 7, 2])
    plain = pen_set(strokes).plain(rows)
    longest = 40 + 2 * 7
    assert plain.shape == (3, 5, 56)
    assert torch.equal(plain, strokes.views[rows, 0, :, :56])
    assert int((plain[:, 4] > 0.5).sum(1).max()) == longest


def test_a_draw_follows_torchs_generator_and_is_normalised(strokes: StrokeSet, recipe: Recipe) -> None:
    made = pen_set(strokes, 0.4)
    rows = list(range(len(made.labels)))
    once = drawn(made, rows, recipe)
    assert torch.equal(once, drawn(made, rows, recipe))
    assert once.shape != (other := drawn(made, rows, recipe, seed=1)).shape or not torch.equal(once, other)
    assert once.shape[0] == len(rows)
    assert once.shape[2] <= 64
    assert torch.isfinite(once).all()
    for frames in once.numpy():
        trace = unpadded(frames)
        np.testing.assert_allclose(trace[:2].mean(1), 0.0, atol=1e-5)
        np.testing.assert_allclose((trace[:2] ** 2).mean(), 1.0, atol=1e-3)


class _Marking:
    """An invented writer who adds a number of his own to x."""

    def __init__(self, mark: float) -> None:
        self.mark = mark

    def written(self, trace: NDArray[np.float64], _: object) -> NDArray[np.float64]:
        return np.concatenate([trace[:1] + self.mark, trace[1:]])


def test_a_person_is_one_writer_and_every_kind_of_row_is_varied_as_its_kind(
    strokes: StrokeSet, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = iter([1000.0, 2000.0])
    steps: list[tuple[str, float]] = []

    class Invented:
        @classmethod
        def drawn(cls, *_: object) -> _Marking:
            return _Marking(next(marks))

    def note(kind: str) -> Callable[..., NDArray[np.float64]]:
        def noted(trace: NDArray[np.float64], *told: object) -> NDArray[np.float64]:
            steps.append((kind, round(float(trace[0].mean()), -3)))
            if kind == "quickened":
                lengths.append(told[0])
            return trace

        return noted

    lengths: list[object] = []
    monkeypatch.setattr(train.pen_set, "InventedWriter", Invented)
    for kind in ("quickened", "distorted", "once_more"):
        monkeypatch.setattr(train.pen_set, kind, note(kind))
    monkeypatch.setattr(train.pen_set, "finished", lambda trace, *_: trace)
    made = pen_set(strokes, 0.4)
    first_made = len(LABELS)
    rows = [0, 11, GENUINE, first_made, 1]  # of the first person, of the other, forged, made, again of the first
    found = drawn(made, rows, recipe)
    assert steps == [
        ("once_more", 1000.0),
        ("once_more", 2000.0),
        ("quickened", 0.0),
        ("once_more", 1000.0),
        ("distorted", 1000.0),
        ("once_more", 1000.0),
    ]
    assert lengths == [43.0]  # the median of the person's own 40, 42, 44, 46
    traces = traces_of(strokes)
    expected = [_Marking(1000.0 + 1000.0 * (row == 11)).written(traces[int(made.source[row])], None) for row in rows]
    assert torch.equal(found, packed(expected)[0])


def test_the_share_of_made_forgeries_is_below_one() -> None:
    assert PenVariation(made=0.0).made == 0.0
    with pytest.raises(ValueError, match="made must be"):
        PenVariation(made=1.0)
