"""Synthetic signers as files: a manifest that the evaluator reads, and what the files hold."""

from pathlib import Path

import pytest

from encode.errors import ConfigError
from encode.sample import Modality, StrokesSample
from eval.corpora.spec import open_corpus
from eval.synthetic.signers import Signer
from eval.synthetic.signers_corpus import LABEL, MANIFEST, read_signers, write_signers
from eval.synthetic.signers_tablet import Tablet


def test_written_signers_are_a_corpus_and_say_what_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "signers"
    names = list(write_signers(folder, 3, 4, 2, seed=9))
    assert names == ["synthetic-01", "synthetic-02", "synthetic-03"]
    corpus = read_signers(folder)
    assert corpus.people == tuple(names)
    assert {row.modality for row in corpus.rows} == {Modality.SIGNATURE}
    assert (folder / "README.txt").read_text() == LABEL
    signer = Signer.draw(1, seed=9)
    for rows, drawn in (
        (corpus.genuine("synthetic-02"), signer.genuine(4)),
        (corpus.forgeries("synthetic-02"), signer.forgeries(2)),
    ):
        assert [row.order for row in rows] == list(range(1, len(drawn) + 1))
        for row, expected in zip(rows, drawn, strict=True):
            assert row.load() == expected


def test_the_evaluator_opens_the_manifest_by_its_path(tmp_path: Path) -> None:
    list(write_signers(tmp_path, 2, 2, 1))
    opened = open_corpus(f"manifest:{tmp_path / MANIFEST}")
    assert [row.id for row in opened.rows] == [row.id for row in read_signers(tmp_path).rows]
    assert isinstance(opened.rows[0].load(), StrokesSample)


def test_what_a_tablet_does_not_measure_is_not_in_the_file(tmp_path: Path) -> None:
    list(write_signers(tmp_path, 1, 1, 0, tablet=Tablet(rate=200, pressure=False)))
    (row,) = read_signers(tmp_path).rows
    sample = row.load()
    assert isinstance(sample, StrokesSample)
    assert sample.pressure == ()
    assert sample.t[:2] == (0.0, 5.0)


def test_an_earlier_run_is_replaced_and_the_rest_left_alone(tmp_path: Path) -> None:
    list(write_signers(tmp_path, 3, 3, 1))
    (tmp_path / "synthetic-notes.txt").write_text("mine")
    (tmp_path / "synthetic-ada").mkdir()
    list(write_signers(tmp_path, 2, 2, 0))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.txt",
        MANIFEST,
        "synthetic-01",
        "synthetic-02",
        "synthetic-ada",
        "synthetic-notes.txt",
    ]
    assert len(read_signers(tmp_path).rows) == 4


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        list(write_signers(tmp_path / "file", 1, 1, 0))
    assert caught.value.field == "out"
