"""Policy people's forgeries once more, as quick as the writer: thresholds for forgers better than the corpus's.

Forgers of the corpora at hand are slow, and thresholds set against them alone would let in whoever has learnt the
rhythm too. Each forgery therefore stands in the policy's corpus twice, as written and as
`train.pen_variation.quickened` leaves it. The corpus's name says so.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from encode.errors import SampleError
from encode.pen_frames import PenFrames, gap_ms, unpadded
from encode.sample import Sample, StrokesSample
from encode.strokes import read_strokes
from eval.corpora.corpus import Corpus, Row
from train.pen_variation import Trace, quickened

_FRAMES = PenFrames()


def with_quickened(corpus: Corpus, *, seed: int) -> Corpus:
    """`corpus` and, of every forgery that can be read, the quickened one."""
    found: list[Row] = list(corpus.rows)
    for person in corpus.people:
        lengths = [trace.shape[1] for row in corpus.genuine(person) if (trace := _trace(row)) is not None]
        if not lengths:
            continue
        for number, row in enumerate(corpus.forgeries(person)):
            loader = partial(_load, written=row, length=float(np.median(lengths)), seed=(seed, number))
            found.append(replace(row, id=f"{row.id}, quickened", loader=loader))
    return Corpus(f"{corpus.name}, every forgery also as quick as the writer", found)


def quickened_sample(sample: StrokesSample, length: float, generator: np.random.Generator) -> StrokesSample:
    """One forgery of which about `length` frames are left. Raises SampleError kinds for strokes that are no signature.

    Points are frames apart; where the pen was away, the time passes and the point is not ink.
    """
    trace = quickened(_frames(sample), length, generator)
    period = 1000.0 / _FRAMES.rate
    away = gap_ms(trace[3])
    pressure = trace[2] - trace[2].min()
    return StrokesSample(
        x=tuple(trace[0].tolist()),
        y=tuple(trace[1].tolist()),
        t=tuple((np.cumsum(period + away) - period - away[0]).tolist()),
        pressure=tuple(pressure.tolist()) if sample.pressure else (),
        pen_down=tuple((trace[3] == 0.0).tolist()),
    )


def _load(row: Row, *, written: Row, length: float, seed: tuple[int, int]) -> Sample:
    sample = written.load()
    if not isinstance(sample, StrokesSample):
        raise SampleError(f"{row.id} holds no pen strokes")
    return quickened_sample(sample, length, np.random.default_rng(seed))


def _trace(row: Row) -> Trace | None:
    try:
        sample = row.load()
        return _frames(sample) if isinstance(sample, StrokesSample) else None
    except (SampleError, OSError):
        return None


def _frames(sample: StrokesSample) -> Trace:
    return unpadded(_FRAMES.apply(read_strokes(sample)))
