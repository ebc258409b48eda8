"""A policy corpus with every forgery twice: as written, and as quick as the writer."""

from pathlib import Path

import numpy as np

from encode.pen_frames import PenFrames
from encode.sample import Modality, StrokesSample
from encode.strokes import read_strokes
from eval.corpora.corpus import Corpus, Row
from eval.synthetic.signers import Signer, Tablet
from train.quickened import quickened_sample, with_quickened

SIGNER = Signer.draw(1, seed=3)
TABLET = Tablet(rate=100, pressure=True)


def frames(sample: StrokesSample) -> int:
    return int((PenFrames().apply(read_strokes(sample))[4] > 0.5).sum())


def corpus(kinds: dict[str, StrokesSample]) -> Corpus:
    def row(name: str, sample: StrokesSample) -> Row:
        kind = "forgery" if name.startswith("f") else "genuine"
        return Row(
            name, Path(name), "ada", modality=Modality.SIGNATURE, kind=kind, loader=lambda _, sample=sample: sample
        )

    return Corpus("signers", [row(name, sample) for name, sample in kinds.items()])


def test_a_forgery_takes_about_the_writers_time_and_can_be_read() -> None:
    own = [frames(sample) for sample in SIGNER.genuine(5, tablet=TABLET)]
    for number, forgery in enumerate(SIGNER.forgeries(5, tablet=TABLET)):
        slow = quickened_sample(forgery, 3.0 * max(own), np.random.default_rng(number))
        quick = quickened_sample(forgery, float(np.median(own)), np.random.default_rng(number))
        assert 0.5 * min(own) < frames(quick) < 1.6 * max(own) < frames(slow)
        assert min(quick.pressure) == 0.0 < max(quick.pressure)


def test_without_pressure_none_is_made_up() -> None:
    forgery = SIGNER.forgeries(1, tablet=Tablet(rate=100, pressure=False))[0]
    assert quickened_sample(forgery, 100.0, np.random.default_rng(0)).pressure == ()


def test_every_forgery_is_there_twice_and_nothing_genuine_is_changed() -> None:
    samples = {f"g{index}": sample for index, sample in enumerate(SIGNER.genuine(3, tablet=TABLET))}
    samples |= {f"f{index}": sample for index, sample in enumerate(SIGNER.forgeries(2, tablet=TABLET))}
    before = corpus(samples)
    after = with_quickened(before, seed=0)
    assert [row.id for row in after.rows] == ["f0", "f0, quickened", "f1", "f1, quickened", "g0", "g1", "g2"]
    assert after.name == "signers, every forgery also as quick as the writer"
    loaded = {row.id: row.load() for row in after.rows}
    assert all(loaded[name] == sample for name, sample in samples.items())
    assert loaded["f0, quickened"] != loaded["f0"]
    again = {row.id: row.load() for row in with_quickened(before, seed=0).rows}
    assert again == loaded


def test_forgeries_that_cannot_be_read_stay_as_they_are() -> None:
    empty = StrokesSample((), (), ())
    assert len(with_quickened(corpus({"f0": empty}), seed=0)) == 1
