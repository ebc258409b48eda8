"""Trials as an enroll and a probe table: what they mean, and what is refused with file, row and column."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from encode.errors import CorpusInvalid, CorpusMissing
from eval.corpora.corpus import Row
from eval.plans.trial_list import ListedTemplate, TrialList
from eval.plans.trial_tables import read_trial_tables
from eval.trials import TrialKind

ROWS = [
    Row(id=f"{person}{number}", path=Path("absent"), person=person, kind="forgery" if number > 3 else "genuine")
    for person in ("ann", "bo", "cy")
    for number in (1, 2, 3, 4)
]
ENROLL = "template,person,sample\nA,ann,ann1\nA,ann,ann2\nB,bo,bo1\n"
PROBE = "template,sample\nA,ann3\nA,ann4\nA,bo2\nA,bo4\nB,bo2\nB,bo3\n"


def read(folder: Path, enroll: str = ENROLL, probe: str = PROBE) -> TrialList:
    (folder / "enroll.csv").write_text(enroll, encoding="utf-8")
    (folder / "probe.csv").write_text(probe, encoding="utf-8")
    return read_trial_tables(folder / "enroll.csv", folder / "probe.csv", ROWS)


def test_the_corpus_tells_the_kind(tmp_path: Path) -> None:
    genuine, random, skilled = TrialKind
    assert read(tmp_path) == TrialList(
        (
            ListedTemplate(
                "A", "ann", ("ann1", "ann2"), {"ann3": genuine, "ann4": skilled, "bo2": random, "bo4": random}
            ),
            ListedTemplate("B", "bo", ("bo1",), {"bo2": genuine, "bo3": genuine}),
        )
    )


def test_kinds_may_be_stated_and_rows_come_in_any_order(tmp_path: Path) -> None:
    lines = PROBE.splitlines()[1:]
    kinds = ["genuine", "skilled", "random", "", " genuine ", ""]
    stated = [f"{line},{kind}" for line, kind in zip(lines, kinds, strict=True)]
    probe = "\n".join(["template,sample,kind", *reversed(stated)])
    enroll = "\n".join(["template,person,sample", *reversed(ENROLL.splitlines()[1:])])
    assert read(tmp_path, enroll, probe) == read(tmp_path)


def test_folds_hold_everyone_claimed_or_probing(tmp_path: Path) -> None:
    listed = read(
        tmp_path,
        ENROLL + "C,cy,cy1\n",
        "template,sample,fold\nA,bo2,x\nA,ann4,x\nB,ann4,x\nC,cy2,y\nC,bo4,y\n",
    )
    # A forger is nobody the corpus knows: bo4 against cy puts no one but cy into the fold.
    assert listed.fold_people == {"x": {"ann", "bo"}, "y": {"cy"}}


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    expected = read(tmp_path)
    for name, text in (("enroll", ENROLL), ("probe", PROBE)):
        header, *lines = (line.split(",") for line in text.splitlines())
        columns = {column: [line[index] for line in lines] for index, column in enumerate(header)}
        if name == "probe":
            columns["kind"] = pa.array([None] * len(lines), pa.string())
        parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    assert read_trial_tables(tmp_path / "enroll.parquet", tmp_path / "probe.parquet", ROWS) == expected


BAD = {
    "no rows to enroll": ("template,person,sample\n", PROBE, "holds no rows", "enroll.csv"),
    "no rows to probe": (ENROLL, "template,sample\n", "holds no rows", "probe.csv"),
    "no column": ("template,sample\nA,ann1\n", PROBE, "column is missing", "enroll.csv: person"),
    "too many cells": (ENROLL, "template,sample\nA,ann3,x\n", "more or fewer cells", "probe.csv: row 1"),
    "an empty cell": (ENROLL, "template,sample\nA,ann3\n,bo2\n", "cell is empty", "probe.csv: row 2: template"),
    "unknown reference": (ENROLL + "B,bo,bo9\n", PROBE, "no sample 'bo9'", "enroll.csv: row 4: sample"),
    "unknown probe": (ENROLL, PROBE + "B,dee1\n", "no sample 'dee1'", "probe.csv: row 7: sample"),
    "unknown template": (ENROLL, PROBE + "Z,bo1\n", "enroll.csv holds no template 'Z'", "probe.csv: row 7: template"),
    "another's reference": (
        ENROLL + "B,bo,cy1\n",
        PROBE,
        "'cy1' is another person's, so no reference",
        "enroll.csv: row 4: sample",
    ),
    "a forgery for a reference": (
        ENROLL + "B,bo,bo4\n",
        PROBE,
        "'bo4' is a forgery, so no reference",
        "enroll.csv: row 4: sample",
    ),
    "a template of two": (ENROLL + "A,bo,bo2\n", PROBE, "'A' is of two people", "enroll.csv: row 4: person"),
    "a reference twice": (
        ENROLL + "A,ann,ann1\n",
        PROBE,
        "reference of template 'A' already",
        "enroll.csv: row 4: sample",
    ),
    "a probe twice": (ENROLL, PROBE + "A,bo2\n", "'bo2' probes template 'A' already", "probe.csv: row 7: sample"),
    "reference and probe": (ENROLL, PROBE + "A,ann1\n", "is reference and probe", "probe.csv: row 7: sample"),
    "no kind of trial": (
        ENROLL,
        "template,sample,kind\nA,ann3,forgery\n",
        "'forgery' is not a kind of trial",
        "probe.csv: row 1: kind",
    ),
    "genuine stated of a forgery": (
        ENROLL,
        "template,sample,kind\nA,ann3,\nA,ann4,genuine\n",
        "skilled by the corpus, and genuine by the list",
        "probe.csv: row 2: kind",
    ),
    "skilled stated of another's forgery": (
        ENROLL,
        "template,sample,kind\nA,bo4,skilled\n",
        "random by the corpus, and skilled by the list",
        "probe.csv: row 1: kind",
    ),
    "a fold left out": (ENROLL, "template,sample,fold\nA,ann3,\nA,bo2,1\n", "cell is empty", "probe.csv: row 1: fold"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused_by_file_row_and_column(tmp_path: Path, name: str) -> None:
    enroll, probe, message, field = BAD[name]
    with pytest.raises(CorpusInvalid, match=message) as caught:
        read(tmp_path, enroll, probe)
    assert caught.value.field == field


def test_a_missing_table_is_said_to_be_missing(tmp_path: Path) -> None:
    read(tmp_path)
    with pytest.raises(CorpusMissing, match="no trial list"):
        read_trial_tables(tmp_path / "enroll.csv", tmp_path / "absent.csv", ROWS)
