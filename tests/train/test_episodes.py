"""Episodes follow from seed and step alone; forgeries are never references; sessions are kept apart where asked."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import train.episodes
from encode.errors import TrainingError
from train.episodes import EpisodeConfig, EpisodeSampler, Writer, packed
from train.pen_writer import PenVariation

PenTrace = Callable[..., NDArray[np.float64]]

CONFIG = EpisodeConfig(writers=4, references=3, genuine=2, forgeries=3, distorted=1, random=2)
GENUINE, FORGED = 8, 4
"""Rows of every writer of the corpus below, in this order."""
EACH = GENUINE + FORGED


@pytest.fixture(scope="module")
def traces(pen_trace: PenTrace) -> list[NDArray[np.float64]]:
    """Six writers' rows. The trace of row r begins at x = 1000·r, which nothing but the tests looks at."""
    rows = [pen_trace(40 + row % 9, row // EACH) for row in range(6 * EACH)]
    return [np.concatenate([trace[:1] - trace[0, 0] + 1000.0 * row, trace[1:]]) for row, trace in enumerate(rows)]


def writers(count: int = 6, forged: int = FORGED, sessions: tuple[str | None, ...] = (None,)) -> list[Writer]:
    return [
        Writer(
            genuine=np.arange(GENUINE) + EACH * writer,
            sessions=tuple(sessions[row % len(sessions)] for row in range(GENUINE)),
            forgeries=np.arange(forged) + EACH * writer + GENUINE,
        )
        for writer in range(count)
    ]


class _Same:
    """An invented writer who changes nothing."""

    def written(self, trace: NDArray[np.float64], _: object) -> NDArray[np.float64]:
        return trace


@pytest.fixture
def unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variation at all; what is made up is marked by y = 1 (distorted) and by y = 2 (quickened)."""

    def marked(trace: NDArray[np.float64], mark: float) -> NDArray[np.float64]:
        return np.concatenate([trace[:1], np.full((1, trace.shape[1]), mark), trace[2:]])

    class Invented:
        @classmethod
        def drawn(cls, *_: object) -> _Same:
            return _Same()

    genuine = {name: lambda trace, *_: trace for name in ("once_more", "finished")}
    for name, function in genuine.items():
        monkeypatch.setattr(train.episodes, name, function)
    monkeypatch.setattr(train.episodes, "InventedWriter", Invented)
    monkeypatch.setattr(train.episodes, "distorted", lambda trace, *_: marked(trace, 1.0))
    monkeypatch.setattr(train.episodes, "quickened", lambda trace, *_: marked(trace, 2.0))


def drawn(sampler: EpisodeSampler, step: int, config: EpisodeConfig = CONFIG) -> tuple[NDArray[np.int64], torch.Tensor]:
    """Rows behind an unchanged batch, int64 (writers, own), and its frames (writers, own, 5, T)."""
    frames, _ = sampler.batch(step)
    shaped = frames.view(config.writers, config.own, *frames.shape[1:])
    return np.round(shaped[:, :, 0, 0].numpy() / 1000.0).astype(np.int64), shaped


def test_a_batch_is_laid_out_as_the_rows_say(traces: list[NDArray[np.float64]], unchanged: None) -> None:
    sampler = EpisodeSampler(traces, writers(), CONFIG, PenVariation(quickened=0.0), seed=0)
    for step in range(20):
        rows, frames = drawn(sampler, step)
        assert len(set(rows[:, 0] // EACH)) == 4
        for of_writer, shown in zip(rows, frames, strict=True):
            assert len(set(of_writer // EACH)) == 1
            place = of_writer % EACH
            genuine, forged, made_up = place[:5], place[5:8], place[8:]
            assert len(set(genuine)) == 5
            assert genuine.max() < GENUINE
            assert len(set(forged)) == 3
            assert forged.min() >= GENUINE
            assert made_up.max() < GENUINE
            assert (shown[-1, 1, :16] == 1.0).all()
            for row, one in zip(of_writer[:8], shown[:8], strict=True):
                np.testing.assert_array_equal(one[:4, : traces[row].shape[1]], traces[row].astype(np.float32))


def test_every_signature_is_drawn_in_every_role(traces: list[NDArray[np.float64]], unchanged: None) -> None:
    sampler = EpisodeSampler(traces, writers(), CONFIG, PenVariation(), seed=0)
    rows = np.concatenate([drawn(sampler, step)[0] for step in range(60)])
    own = {row for row in range(6 * EACH) if row % EACH < GENUINE}
    assert set(rows[:, :3].ravel()) == set(rows[:, 3:5].ravel()) == own
    assert set(rows[:, 5:8].ravel()) == set(range(6 * EACH)) - own


def test_forgeries_are_never_references_even_where_they_are_missing(
    traces: list[NDArray[np.float64]], unchanged: None
) -> None:
    """Where there are too few of them, distorted signatures of the writer's take their places."""
    for forged in (0, 1, 2):
        sampler = EpisodeSampler(traces, writers(forged=forged), CONFIG, PenVariation(quickened=0.0), seed=1)
        for step in range(10):
            rows, frames = drawn(sampler, step)
            real = rows % EACH >= GENUINE
            assert not real[:, :5].any()
            assert (real[:, 5:].sum(1) == forged).all()
            made_up = (frames[:, :, 1, :16] == 1.0).all(2).numpy()
            np.testing.assert_array_equal(made_up[:, 5:], ~real[:, 5:])


def test_some_forgeries_are_quickened(traces: list[NDArray[np.float64]], unchanged: None) -> None:
    for share in (0.0, 0.6, 1.0):
        sampler = EpisodeSampler(traces, writers(), CONFIG, PenVariation(quickened=share), seed=2)
        shown = torch.stack([drawn(sampler, step)[1] for step in range(30)])
        hurried = (shown[..., 1, :16] == 2.0).all(3).numpy()
        assert not hurried[..., [0, 1, 2, 3, 4, 8]].any()
        assert hurried[..., 5:8].mean() == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize(("across", "expected"), [(1.0, 1.0), (0.0, 0.5)])
def test_probes_come_from_a_later_session(
    traces: list[NDArray[np.float64]], unchanged: None, across: float, expected: float
) -> None:
    sampler = EpisodeSampler(
        traces, writers(sessions=("b", "a")), replace(CONFIG, across=across), PenVariation(), seed=0
    )
    rows = np.concatenate([drawn(sampler, step)[0] for step in range(60)])
    first, later = rows[:, :3] % 2 == 1, rows[:, 3:5] % 2 == 0
    assert first.mean() == pytest.approx(expected, abs=0.1)
    assert later.mean() == pytest.approx(expected, abs=0.1)


def test_a_session_too_short_to_enrol_is_mixed(traces: list[NDArray[np.float64]], unchanged: None) -> None:
    sessions = ("a", "a", *("b",) * 6)
    sampler = EpisodeSampler(traces, writers(sessions=sessions), replace(CONFIG, across=1.0), PenVariation(), seed=0)
    rows = np.concatenate([drawn(sampler, step)[0] for step in range(20)])
    assert (rows[:, :3] % EACH >= 2).any()


def test_who_has_too_few_signatures_is_repeated_or_left_out(traces: list[NDArray[np.float64]], unchanged: None) -> None:
    few = writers()
    few[0], few[1] = replace(few[0], genuine=few[0].genuine[:2]), replace(few[1], genuine=few[1].genuine[:1])
    sampler = EpisodeSampler(traces, few, CONFIG, PenVariation(), seed=0)
    rows = np.concatenate([drawn(sampler, step)[0] for step in range(40)])
    assert set(rows[:, 0] // EACH) == {0, 2, 3, 4, 5}
    assert set(rows[rows[:, 0] // EACH == 0][:, :5].ravel()) == {0, 1}


def test_writers_are_drawn_by_their_weights(traces: list[NDArray[np.float64]], unchanged: None) -> None:
    config = replace(CONFIG, writers=2, random=1)
    weighted = [replace(writer, weight=4.0 if place == 3 else 1.0) for place, writer in enumerate(writers())]
    sampler = EpisodeSampler(traces, weighted, config, PenVariation(), seed=0)
    seen = np.concatenate([drawn(sampler, step, config)[0][:, 0] // EACH for step in range(200)])
    counts = np.bincount(seen, minlength=6) / 200
    # Drawn first with 4/9, or second after one of the others.
    assert counts[3] == pytest.approx(4 / 9 + 5 / 9 * 4 / 8, abs=0.1)
    assert counts[[0, 1, 2, 4, 5]] == pytest.approx((2 - counts[3]) / 5, abs=0.12)
    never = [replace(writer, weight=0.0 if place == 3 else 1.0) for place, writer in enumerate(writers())]
    sampler = EpisodeSampler(traces, never, config, PenVariation(), seed=0)
    assert not any((drawn(sampler, step, config)[0] // EACH == 3).any() for step in range(40))


def test_an_episode_follows_from_seed_and_step(traces: list[NDArray[np.float64]]) -> None:
    def sampler(seed: int) -> EpisodeSampler:
        return EpisodeSampler(traces, writers(sessions=("a", "b")), CONFIG, PenVariation(longest=50), seed=seed)

    one, two = sampler(3), sampler(3)
    later = two.batch(7)
    for step in (0, 7):
        frames, lengths = one.batch(step)
        again, same = later if step == 7 else two.batch(0)
        assert torch.equal(frames, again)
        assert torch.equal(lengths, same)
        assert frames.shape[:2] == (4 * CONFIG.own, 5)
        assert frames.shape[2] % 8 == 0
        assert int(lengths.max()) <= 50
        assert torch.equal(frames[:, 4].sum(1).long(), lengths)
        assert bool(torch.isfinite(frames).all())
    for other in (sampler(4).batch(7)[0], one.batch(8)[0]):
        assert other.shape != later[0].shape or not torch.equal(other, later[0])


def test_too_few_writers_are_refused(traces: list[NDArray[np.float64]]) -> None:
    lone = [replace(writer, genuine=writer.genuine[:1]) for writer in writers(4)]
    with pytest.raises(TrainingError, match="3 writers with two signatures, an episode needs 4") as caught:
        EpisodeSampler(traces, [*writers(3), *lone], CONFIG, PenVariation(), seed=0)
    assert caught.value.field == "episodes.writers"


def test_traces_are_packed_as_the_service_pads(pen_trace: PenTrace) -> None:
    traces = [pen_trace(count, count) for count in (20, 41, 16)]
    frames, lengths = packed(traces)
    assert frames.shape == (3, 5, 48)
    assert frames.dtype == torch.float32
    assert lengths.tolist() == [20, 41, 16]
    for row, trace in enumerate(traces):
        n = trace.shape[1]
        np.testing.assert_array_equal(frames[row, :4, :n], trace.astype(np.float32))
        np.testing.assert_array_equal(frames[row, :3, n:], np.tile(trace[:3, -1:], 48 - n).astype(np.float32))
        assert not frames[row, 3:, n:].any()
        assert frames[row, 4, :n].all()
