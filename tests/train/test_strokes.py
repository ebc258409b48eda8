"""Signatures in memory: the features that serving would compute, forgeries marked, views beside the recorded one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from encode.errors import TrainingError
from encode.sample import ImageSample, StrokesSample
from encode.stroke_preprocessing import StrokePreprocessing
from encode.strokes import read_strokes
from eval.corpora.corpus import Corpus, Row
from train.jitter import JitterConfig
from train.recipe import Recipe
from train.strokes import StrokeSet, load_strokes

MakeSigners = Callable[..., Corpus]
STEPS = StrokePreprocessing([{"step": "bromley1993"}])


@pytest.fixture(scope="module")
def corpus(make_signers: MakeSigners) -> Corpus:
    return make_signers("town", ["anna", "boris", "carla"], genuine=3, forgeries=2, unforged=("boris",))


@pytest.fixture(scope="module")
def signatures(corpus: Corpus) -> StrokeSet:
    return load_strokes(corpus, STEPS, JitterConfig(views=3), seed=5)


def test_the_first_view_is_what_serving_sees(corpus: Corpus, signatures: StrokeSet) -> None:
    assert signatures.views.shape == (13, 4, 8, 200)
    assert signatures.ids == tuple(row.id for row in corpus.rows)
    for number, row in enumerate(corpus.rows):
        expected = STEPS(read_strokes(row.load()))  # type: ignore[arg-type]
        np.testing.assert_array_equal(signatures.plain(torch.tensor([number]))[0].numpy(), expected)


def test_forgeries_are_marked_and_labelled_by_whom_they_imitate(corpus: Corpus, signatures: StrokeSet) -> None:
    assert [signatures.people[int(label)] for label in signatures.labels] == [row.person for row in corpus.rows]
    assert signatures.forged.tolist() == [row.kind == "forgery" for row in corpus.rows]
    assert int(signatures.forged.sum()) == 4


def test_jittered_views_differ_from_the_recorded_one_but_not_much(signatures: StrokeSet) -> None:
    recorded = signatures.views[:, :1]
    moved = (signatures.views[:, 1:] - recorded).flatten(2).norm(dim=2)
    assert bool((moved > 0).all())
    assert float((moved / recorded.flatten(2).norm(dim=2)).median()) < 0.7


def test_views_follow_from_the_seed(corpus: Corpus, signatures: StrokeSet) -> None:
    again, other = (load_strokes(corpus, STEPS, JitterConfig(views=3), seed=seed) for seed in (5, 6))
    assert torch.equal(again.views, signatures.views)
    assert torch.equal(other.views[:, 0], signatures.views[:, 0])
    assert not torch.equal(other.views[:, 1], signatures.views[:, 1])
    assert load_strokes(corpus, STEPS).views.shape[1] == 1


def test_every_view_is_drawn(signatures: StrokeSet, make_signature_recipe: Callable[..., Recipe]) -> None:
    torch.manual_seed(0)
    drawn = signatures.drawn(torch.full((60,), 4), make_signature_recipe())
    seen = {int(index) for inputs in drawn for index in torch.nonzero((signatures.views[4] == inputs).all((1, 2)))}
    assert seen == {0, 1, 2, 3}


def test_a_part_holds_its_people_alone(signatures: StrokeSet) -> None:
    part = signatures.only(["carla", "boris"])
    assert part.people == ("boris", "carla")
    assert part.corpus_of == tuple(signatures.corpus_of[signatures.people.index(person)] for person in part.people)
    assert [part.people[int(label)] for label in part.labels] == [name.partition("-")[0] for name in part.ids]
    rows = [signatures.ids.index(name) for name in part.ids]
    assert len(rows) == 3 + 5
    assert torch.equal(part.views, signatures.views[rows])
    assert torch.equal(part.forged, signatures.forged[rows])


def test_what_cannot_be_read_is_counted_and_left_out(corpus: Corpus) -> None:
    def absent(row: Row) -> StrokesSample:
        raise FileNotFoundError(row.path)

    still = StrokesSample((0.0,) * 64, (0.0,) * 64, tuple(np.arange(64) * 10.0))
    rows = [*corpus.rows]
    rows[0], rows[3] = replace(rows[0], loader=absent), replace(rows[3], loader=lambda _: still)
    found = load_strokes(Corpus("town", rows), STEPS)
    assert (len(found.ids), found.unusable) == (11, 2)
    assert {rows[0].id, rows[3].id}.isdisjoint(found.ids)
    with pytest.raises(TrainingError, match="none of the 1 samples of town can be read"):
        load_strokes(Corpus("town", rows[:1]), STEPS)


def test_pictures_are_no_strokes() -> None:
    picture = Row("a", Path("a"), "anna", loader=lambda _: ImageSample(b""))
    with pytest.raises(TrainingError, match="needs pen strokes") as caught:
        load_strokes(Corpus("x", [picture]), STEPS)
    assert caught.value.field == "a"
